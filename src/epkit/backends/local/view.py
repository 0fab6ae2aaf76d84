"""An endpoint on this machine as users see it: its state, its health, the end of its log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from epkit.backends.base import Say
from epkit.backends.local.state import Home
from epkit.core.hosting.deployments import Deployment, Endpoint
from epkit.core.hosting.mlflow_models import SCORING_PATH

HEALTH_S: Final = 2.0
"""Time limit for the health page."""

TAIL_LINES: Final = 40

MOST_BYTES: Final = 64 << 20
"""Greatest number of bytes of a log that are read."""

IsHealthy: TypeAlias = Callable[[str, float], bool]
"""Requests a URL with a time limit in seconds; returns whether it answers 200."""


def describe(home: Home, is_healthy: IsHealthy) -> Endpoint:
    """Return the description of an endpoint and its current state."""
    settings, status = home.settings(), home.status()
    origin = f"http://127.0.0.1:{settings.port}"
    state = {"running": "Healthy", "restarting": "Restarting"}.get(status.state if status else "", "Starting")
    # The error of a failed change does not count: the old server is healthy.
    error = status.error if status and state != "Healthy" else None
    if state == "Healthy" and not is_healthy(f"{origin}/", HEALTH_S):
        state, error = "Unhealthy", f"no answer to GET / within {HEALTH_S:g} s"
    deployment = Deployment(
        name=settings.deployment,
        state=state,
        traffic=100,
        app_insights=settings.app_insights,
        model=settings.model,
        model_sha256=settings.model_sha256,
        model_at=settings.model_at,
        instances=1,
    )
    return Endpoint(
        name=settings.name,
        backend="local",
        state=state,
        scoring_uri=origin + (SCORING_PATH if settings.kind == "mlflow" else "/score"),
        swagger_uri=f"{origin}/swagger.json",
        auth="key",
        app_insights=settings.app_insights,
        compute="process",
        created_at=settings.created_at,
        error=error,
        deployments=(deployment,),
    )


def say_tail(home: Home, say: Say) -> None:
    """Show the user the end of the server's log."""
    for line in last_lines(home.log, TAIL_LINES) or ("(nothing)",):
        say(f"log: {line}")


def last_lines(file: Path, count: int) -> tuple[str, ...]:
    """Return the last lines of a file, and read no more of it than needed."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            wanted = 200 * count
            while True:
                start = opened.seek(max(0, size - wanted))
                data = opened.read(size - start)
                if start == 0 or data.count(b"\n") > count or len(data) > MOST_BYTES:
                    break
                wanted *= 4
    except FileNotFoundError:
        return ()
    return tuple(data.decode("utf-8", "replace").splitlines()[-count:])
