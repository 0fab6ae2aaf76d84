"""What is seen of an endpoint on this machine from outside: its state, its health, the end of its log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from epkit.backends.base import Say
from epkit.backends.local.state import Home
from epkit.core.hosting.deployments import Deployment, Endpoint
from epkit.core.hosting.mlflow_models import SCORING_PATH

HEALTH_S: Final = 2.0
"""For the health page."""

TAIL_LINES: Final = 40

MOST_BYTES: Final = 64 << 20
"""No more of a log is read, whatever its lines are."""

IsHealthy: TypeAlias = Callable[[str, float], bool]
"""Asks a URL, with a time limit in seconds, whether it answers 200."""


def describe(home: Home, is_healthy: IsHealthy) -> Endpoint:
    """Say what an endpoint is, and how it is at this moment."""
    settings, status = home.settings(), home.status()
    origin = f"http://127.0.0.1:{settings.port}"
    state = {"running": "Healthy", "restarting": "Restarting"}.get(status.state if status else "", "Starting")
    # Of a change that failed it is no more: what serves is well.
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
    """Tell the user the end of the server's log."""
    for line in last_lines(home.log, TAIL_LINES) or ("(nothing)",):
        say(f"log: {line}")


def last_lines(file: Path, count: int) -> tuple[str, ...]:
    """Return the last lines of a file, of which no more is read than they need."""
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
