"""The local backend: endpoints on this machine, with the real inference server.

Each endpoint has a supervisor process (`supervisor`). Its state is in files (`state`).
"""

import importlib.util
import secrets
import socket
import sys
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from epkit.backends.base import Say
from epkit.backends.local.copying import Copy, copying
from epkit.backends.local.state import NAME, Home, Homes, Settings
from epkit.backends.local.supervision import change, spawn, stop, wait
from epkit.backends.local.view import IsHealthy, describe, last_lines
from epkit.core.hosting.deployments import (
    BackendName,
    Endpoint,
    Keys,
    LoggedRequest,
    ModelKind,
    Order,
    Replacement,
    Script,
    Token,
)
from epkit.core.hosting.telemetry import read_requests
from epkit.core.http.masking import clean
from epkit.core.http.secret import Secret
from epkit.core.near import suggestion
from epkit.errors import BackendError, UsageError


class LocalBackend:
    """Endpoints on this machine."""

    name: BackendName = "local"

    def __init__(self, environ: Mapping[str, str], note: Say, is_healthy: IsHealthy) -> None:
        """Open this user's state.

        Args:
            environ: XDG_STATE_HOME, HOME, and the variables that an order passes on are read from it.
            note: called with a line about each clean-up.
            is_healthy: requests a server's health page.
        """
        self._homes = Homes(environ)
        self._environ = environ
        self._note = note
        self._is_healthy = is_healthy

    def list(self) -> tuple[Endpoint, ...]:
        """Return the running endpoints; delete those whose supervisor is gone."""
        return tuple(describe(home, self._is_healthy) for home in self._homes if self._lives(home))

    def show(self, name: str) -> Endpoint:
        """Return an endpoint."""
        return describe(self._found(name), self._is_healthy)

    def plan(self, order: Order) -> tuple[Mapping[str, Any], ...]:
        """Return what `create` would start."""
        home = self._homes.home(order.name)
        _passed(order.env, self._environ)
        script: tuple[Mapping[str, Any], ...] = () if order.script is None else (
            {"step": "copy the script", "from": order.script.code, "what": order.script.selection,
             "entry": order.script.entry},
        )  # fmt: skip
        server = {"server": "mlflow"} if order.kind == "mlflow" else {}
        return (
            {"step": "copy the model", "from": order.source or order.model, "to": str(home.copies)},
            *script,
            {"step": "start the server", **server, "app_insights": order.app_insights}
            | ({"env": list(order.env)} if order.env else {}),
        )

    def create(self, order: Order, say: Say) -> Endpoint:
        """Start an endpoint and its supervisor, and wait until it answers."""
        require(order.kind)
        if not NAME.fullmatch(order.name):
            raise UsageError(f"{clean(order.name)}: a name is letters, digits, - and _, at most 63, no - at its start")
        home = self._homes.home(order.name)
        if home.exists and self._lives(home):
            raise BackendError(
                f"{order.name}: there is an endpoint of this name: epkit deploy update {order.name} --model "
                f"{order.source or order.model} replaces its model, epkit deploy delete {order.name} removes it"
            )
        passed = _passed(order.env, self._environ)
        home = self._homes.make(order.name)
        with home.writing():
            lock = home.lock()
        if lock is None:
            raise BackendError(f"{order.name}: it is being created or deleted at this moment")
        try:
            with lock:
                home.clear()
                say("copying the model")
                with (
                    copying(home, order, order.script) as copy,
                    socket.create_server(("127.0.0.1", 0), backlog=2048) as listener,
                    home.writing(),
                ):
                    copy.publish()
                    _write(home, order, listener.getsockname()[1], copy)
                    say("starting the server")
                    spawn(home, listener.fileno(), lock.fileno(), passed)
            wait(home, lambda status: status.state == "running", say)
        except BaseException:
            stop(home)
            home.remove()
            raise
        return describe(home, self._is_healthy)

    def update(self, replacement: Replacement, say: Say) -> Endpoint:
        """Copy another model, and switch to it without refusing a request."""
        home = self._found(replacement.name, replacement.deployment)
        passed = _passed(replacement.env, self._environ)
        with home.changing():
            settings = home.settings()
            _check_changeable(settings)
            script = _script(home, settings, replacement)
            say("copying the model")
            with copying(home, replacement, script) as copy:
                say("starting a new server next to the one that serves")
                change(home, say, copy, passed)
        return describe(home, self._is_healthy)

    def set_traffic(self, name: str, traffic: Mapping[str, int], say: Say) -> Endpoint:  # noqa: ARG002
        """Accept only 100 percent: an endpoint on this machine has one deployment."""
        endpoint = self.show(name)
        (only,) = endpoint.deployments
        if dict(traffic) != {only.name: 100}:
            raise BackendError(f"{name}: on this machine an endpoint has one deployment: --traffic {only.name}=100")
        return endpoint

    def keys(self, name: str) -> Keys:
        """Return the keys."""
        return self._found(name).keys()

    def regenerate(self, name: str, which: Literal["primary", "secondary"], say: Say) -> Keys:
        """Replace one key."""
        home = self._found(name)
        with home.changing():
            _check_changeable(home.settings())
            old, new = home.keys(), Secret(secrets.token_urlsafe(32))
            keys = Keys(
                primary=new if which == "primary" else old.primary,
                secondary=new if which == "secondary" else old.secondary,
            )
            with home.writing():
                home.save(keys)
            say(f"restarting the server with a new {which} key")
            try:
                change(home, say)
            except BaseException:
                with home.writing():
                    home.save(old)
                raise
        return keys

    def token(self, name: str) -> Token:
        """Refuse: endpoints on this machine accept keys, not tokens."""
        raise UsageError(f'{name}: an endpoint on this machine takes keys, not tokens: auth = "key"')

    def delete(self, name: str, say: Say) -> None:
        """End an endpoint, and delete its state."""
        home = self._found(name)
        say("stopping the server")
        stop(home)
        home.remove()

    def logs(self, name: str, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
        """Return the last lines of the server's output; with *init*, of its output before it was ready."""
        home = self._found(name, deployment)
        return last_lines(home.init_log if init else home.log, tail)

    def requests(self, name: str, *, tail: int, request_id: str | None = None) -> tuple[LoggedRequest, ...]:
        """Return the last requests that the exporter sent."""
        home = self._found(name)
        if not home.settings().app_insights and not home.requests.exists():
            raise UsageError(f"{name}: no request is recorded: epkit logs enable {name} turns Application Insights on")
        try:
            with home.requests.open(encoding="utf-8", errors="replace") as lines:
                found = (each for each in read_requests(lines) if request_id is None or each.is_called(request_id))
                return tuple(deque(found, maxlen=tail))
        except FileNotFoundError:
            return ()

    def set_app_insights(self, name: str, *, on: bool, deployment: str | None, say: Say) -> Endpoint:
        """Restart the server with or without the exporter, without refusing a request."""
        home = self._found(name, deployment)
        with home.changing():
            if home.settings().app_insights != on:
                _check_changeable(home.settings())
                say(f"restarting the server with Application Insights {'on' if on else 'off'}")
                change(home, say, app_insights=on)
        return describe(home, self._is_healthy)

    def _found(self, name: str, deployment: str | None = None) -> Home:
        home = self._homes.home(name) if NAME.fullmatch(name) else None
        if home is None or not home.exists or not self._lives(home):
            near = suggestion(name, (home.path.name for home in self._homes))
            raise BackendError(f"{clean(name)}: no endpoint of this name on this machine: epkit deploy list{near}")
        only = home.settings().deployment
        if deployment not in (None, only):
            raise BackendError(f"{name}: it has no deployment {clean(deployment or '')}, only {only}")
        return home

    def _lives(self, home: Home) -> bool:
        """Tell whether an endpoint is running; delete the state of one that is not."""
        if home.alive():
            return True
        home.remove()
        self._note(f"{home.path.name}: its server is gone (a reboot?): what was left of it is cleaned up")
        return False


def require(kind: ModelKind = "custom") -> None:
    """Refuse if the inference server, or MLflow's, is not installed.

    Raises:
        UsageError: the message names the extra.
    """
    if sys.platform == "win32":
        raise UsageError("the local backend needs gunicorn, which Windows does not have: --backend azureml")
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        raise UsageError('the local backend needs the Azure ML inference server: pip install "epkit[local]"')
    if kind == "mlflow" and any(importlib.util.find_spec(module) is None for module in ("mlflow", "fastapi", "pandas")):
        raise UsageError('an MLflow model on this machine needs MLflow\'s scoring server: pip install "epkit[mlflow]"')


def _check_changeable(settings: Settings) -> None:
    """Refuse to change an endpoint that an earlier epkit made.

    Raises:
        BackendError: its supervisor, still that of the earlier epkit, does not support this kind of change.
    """
    if settings.copy is None:
        raise BackendError(
            f"{settings.name}: an earlier epkit made it, and this one cannot change it: "
            f"epkit deploy delete {settings.name}, then epkit deploy create"
        )


def _script(home: Home, settings: Settings, replacement: Replacement) -> Script | None:
    """Return the script for a new model; None for an MLflow model, which has no script.

    Raises:
        UsageError: the new model needs another server with another URL; or as for `_same_script`.
    """
    model = Path(replacement.model)
    if replacement.kind == settings.kind == "mlflow":
        require("mlflow")
        return None
    if replacement.kind != settings.kind:
        what = {"mlflow": "an MLflow model", "custom": "a model with a script"}
        raise UsageError(
            f"{settings.name}: it serves {what[settings.kind]}, and {what[replacement.kind]} has another URL: "
            f"epkit deploy delete {settings.name}, then epkit deploy create"
        )
    return replacement.script or _same_script(home, settings, model)


def _same_script(home: Home, settings: Settings, model: Path) -> Script:
    """Find the script for a new model: the file with the same name in it, or the copy outside of the old model.

    Raises:
        UsageError: the script was a file of the old model, and the new model has no file with this name.
    """
    code = Path(settings.code).resolve()
    top = home.model_dir(settings.copy).resolve()
    if not code.is_relative_to(top):
        return Script(code=settings.code, entry=settings.entry)
    inside = model.joinpath(*code.relative_to(top).parts[1:]) if model.is_dir() else model.parent
    if not (inside / settings.entry).is_file():
        raise UsageError(
            f"--entry FILE: {settings.entry} was one of the old model's files, and {model} has none of that name"
        )
    return Script(code=str(inside), entry=settings.entry, selection="all" if model.is_dir() else "modules")


def _write(home: Home, order: Order, port: int, copy: Copy) -> None:
    (home.path / "config.json").write_bytes(b"{}")
    home.save(Keys(primary=Secret(secrets.token_urlsafe(32)), secondary=Secret(secrets.token_urlsafe(32))))
    home.save(
        Settings(
            name=order.name,
            deployment=order.deployment,
            app_insights=order.app_insights,
            port=port,
            instrumentation_key=str(uuid.uuid4()),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **copy.settings,
        )
    )


def _passed(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    for name in names:
        if name not in environ:
            raise UsageError(f"--env {name}: this environment variable is not set")
    return {name: environ[name] for name in names}
