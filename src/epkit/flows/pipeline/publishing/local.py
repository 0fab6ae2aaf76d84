"""`epkit pipeline publish` and `unpublish` on this machine: each pipeline has its own supervised server."""

import contextlib
import importlib.util
import secrets
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from epkit.backends.local.state import Home, Homes, Settings, state_directory
from epkit.backends.local.supervision import POLL_S, change, spawn, stop, wait
from epkit.core.hosting.deployments import Keys
from epkit.core.http.secret import Secret
from epkit.core.pipeline.wires import JOBS, SUBMIT
from epkit.core.shortening import cut
from epkit.endpoint.config_writing import home_relative, remove_entry, write_entry
from epkit.endpoint.finding import VARIABLE, find_config
from epkit.errors import BackendError, UsageError, unwritable
from epkit.flows.context import Context
from epkit.flows.hosting.deploy import write_key
from epkit.flows.pipeline.loading import load
from epkit.web import ports

NEEDED: Final = ("starlette", "uvicorn")
HOST: Final = "127.0.0.1"
FREE_S: Final = 3.0
"""How long to wait for the pipeline's earlier port to become free."""

PASSED: Final = ("HOME", "XDG_STATE_HOME")
"""Environment variables that locate this user's endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPublication:
    """A pipeline that is published on this machine.

    Args:
        url: starts runs like a batch endpoint; *submit_url* starts them like a published pipeline of SDK v1.
        key_file: path of the file with the key.
        config: the `epkit.toml` that now names the pipeline.
        parameters: parameters that callers may set.
        kept: whether it was published before and keeps its key.
    """

    name: str
    url: str
    submit_url: str
    key_file: Path
    config: Path
    parameters: tuple[str, ...]
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKeys:
    """The keys of a published pipeline, either of which is accepted, and the file with the primary key."""

    key_file: Path
    keys: Keys = field(repr=False)


def publish(name: str, context: Context, *, port: int | None = None, env: tuple[str, ...] = ()) -> LocalPublication:
    """Start a server on loopback for a pipeline.

    Args:
        port: None: the earlier port, otherwise any free one.
        env: names of variables that runs get, in addition to those that every child process gets.

    Raises:
        UsageError: there is no such pipeline, the extra is missing, or the port is taken.
        BackendError: the server does not start.
    """
    if sys.platform == "win32":
        raise UsageError("a pipeline is published on Linux and macOS: on Windows a scheduled task runs the command")
    if any(importlib.util.find_spec(module) is None for module in NEEDED):
        raise UsageError('epkit pipeline publish needs the extra docs: pip install "epkit[docs]"')
    if port is not None and not 1 <= port < 65536:
        raise UsageError(f"--port {port}: a port is a number from 1 to 65535")
    for variable in env:
        if variable not in context.environ:
            raise UsageError(f"--env {variable}: this environment variable is not set")
    loaded = load(name, context)
    config = find_config(context.cwd, context.environ)
    assert config is not None  # it was found above
    path = config.path.absolute()
    homes = Homes(context.environ, "published")
    home = homes.home(_service(path.parent, name))
    before = home.settings() if home.exists else None
    lives = before is not None and home.alive()
    if before is None or not lives or env or port not in (None, before.port):
        if lives:
            context.note("ending the server that it had; a run that goes on is not touched")
            stop(home)
        homes.make(home.path.name)
        passed = {variable: context.environ[variable] for variable in (*PASSED, *env) if variable in context.environ}
        _start(home, _settings(home, path, name), port, before, passed | {VARIABLE: str(path)}, context)
    key_file = _key_path(home, context)
    keys = home.keys()
    context.know((keys.primary, keys.secondary))
    write_key(key_file, keys.primary)
    origin = f"http://{HOST}:{home.settings().port}"
    entry = {
        "url": f"{origin}/{JOBS}",
        "backend": "local",
        "key_env": None,
        "key_file": home_relative(key_file, context.environ),
    }
    write_entry(path, name, entry, "published")
    return LocalPublication(
        name=name,
        url=entry["url"] or "",
        submit_url=f"{origin}/{SUBMIT}/{name}",
        key_file=key_file,
        config=path,
        parameters=tuple(each.key for each in loaded.config.publishable),
        kept=before is not None,
    )


def unpublish(name: str, context: Context) -> None:
    """End the server of a pipeline, and delete its keys. A running run is not touched, a waiting one is dropped.

    Raises:
        UsageError: it is not published here.
        BackendError: the process that runs is not a supervisor.
    """
    home, path = _found(name, context)
    context.note("ending the server; a run that goes on is not touched")
    stop(home)
    key_file = _key_path(home, context)
    try:
        key_file.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(f"{key_file}: cannot be deleted", error) from None
    home.remove()
    if path is not None:
        remove_entry(path, name, "published")


def keys(name: str, context: Context, *, regenerate: Literal["primary", "secondary"] | None = None) -> PublishedKeys:
    """Return the keys of a published pipeline; one of them is new if requested.

    Raises:
        UsageError: it is not published here.
        BackendError: the server does not start again.
    """
    home, _ = _found(name, context)
    found = home.keys()
    if regenerate is not None:
        found = _regenerate(home, found, regenerate, context)
    context.know((found.primary, found.secondary))
    key_file = _key_path(home, context)
    write_key(key_file, found.primary)
    return PublishedKeys(key_file=key_file, keys=found)


def _regenerate(home: Home, old: Keys, which: Literal["primary", "secondary"], context: Context) -> Keys:
    """Replace one key, and restart the server if there is one."""
    with home.changing():
        new = replace(old, **{which: Secret(secrets.token_urlsafe(32))})
        with home.writing():
            home.save(new)
        if not home.alive():
            return new
        context.note(f"restarting the server with a new {which} key")
        try:
            change(home, context.note)
        except BaseException:
            with home.writing():
                home.save(old)
            raise
    return new


def _service(root: Path, name: str) -> str:
    """Return the name of a project's pipeline that is unique among all projects."""
    return f"{name[:48]}-{sha256(f'{root.resolve()}/{name}'.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def _found(name: str, context: Context) -> tuple[Home, Path | None]:
    """Find a published pipeline, and its `epkit.toml` if it still exists.

    Raises:
        UsageError: it is not published here.
    """
    config = find_config(context.cwd, context.environ)
    root = context.cwd if config is None else config.path.absolute().parent
    home = Homes(context.environ, "published").home(_service(root, name))
    if not home.exists:
        raise UsageError(f"{cut(name, 60)}: this project publishes no such pipeline on this machine")
    return home, None if config is None else config.path


def _settings(home: Home, config: Path, name: str) -> Settings:
    return Settings(
        name=home.path.name,
        model=str(config),
        code=str(config.parent),
        entry=name,
        deployment="server",
        app_insights=False,
        port=1,  # replaced by the port of the listener
        instrumentation_key=str(uuid.uuid4()),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        kind="pipeline",
    )


def _start(
    home: Home,
    settings: Settings,
    port: int | None,
    before: Settings | None,
    passed: Mapping[str, str],
    context: Context,
) -> None:
    """Start the supervisor, and wait until the server answers.

    Raises:
        UsageError: the port is taken.
        BackendError: another command is at it, or the server does not come up.
    BackendError: another command is changing it, or the server does not start.
    """
    with home.writing():
        lock = home.lock()
    if lock is None:
        raise BackendError(f"{home.path.name}: it is being published or ended at this moment")
    with lock, _listen(port, None if before is None else before.port) as listener, home.writing():
        if before is None:
            home.save(Keys(primary=Secret(secrets.token_urlsafe(32)), secondary=Secret(secrets.token_urlsafe(32))))
        (home.path / "status.json").unlink(missing_ok=True)  # written by a supervisor that is gone
        home.save(replace(settings, port=listener.getsockname()[1]))
        context.note("starting the server")
        spawn(home, listener.fileno(), lock.fileno(), passed)
    try:
        wait(home, lambda status: status.state == "running", context.note)
    except BaseException:
        stop(home)
        raise


def _listen(port: int | None, before: int | None) -> socket.socket:
    """Listen on the requested port, on the earlier one, or on any free one.

    Raises:
        UsageError: the requested port is taken.
    """
    if port is None and before is not None:
        until = time.monotonic() + FREE_S  # a server without its supervisor ends by itself
        while time.monotonic() < until:
            with contextlib.suppress(UsageError):
                return ports.listen(HOST, before)
            time.sleep(POLL_S)
    return ports.listen(HOST, port or 0)


def _key_path(home: Home, context: Context) -> Path:
    return state_directory(context.environ) / "keys" / "published" / f"{home.path.name}.key"
