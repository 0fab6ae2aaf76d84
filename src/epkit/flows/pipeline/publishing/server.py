"""`python -m epkit.flows.pipeline.publishing.server LISTENER LIFELINE READY`: the server of a published pipeline.

The supervisor of local endpoints (`epkit.backends.local.supervisor`) starts it. The two communicate like a supervisor
and an endpoint's server: the keys come as one line through the lifeline, the server ends when the lifeline is closed,
and one byte means that the server is ready.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import epkit
from epkit.backends.local.state import Home
from epkit.backends.local.supervisor import PUBLISHED
from epkit.core.docs.doors import Doors
from epkit.core.http.masking import mask_text
from epkit.core.http.secret import Secret
from epkit.core.pipeline.jobs import PublishedJob
from epkit.core.pipeline.publishable import changes_of, check_bounds
from epkit.core.pipeline.published_contract import contract
from epkit.core.pipeline.wires import Wire, asked, experiment_of
from epkit.errors import EpkitError, system_words
from epkit.files.published_jobs import JobStore
from epkit.flows.context import Context
from epkit.flows.pipeline.loading import LoadedPipeline, changed, load
from epkit.flows.pipeline.pipeline import check
from epkit.flows.pipeline.publishing.desk import BusyError, Desk, OtherBodyError
from epkit.web import pipelines, server
from epkit.web.pipelines import RefusedRequest

JOBS: Final = "jobs"
PATIENCE_S: Final = 10.0
"""How long to wait for an older server of the same pipeline whose supervisor was killed."""


class LocalService:
    """Connects this machine's pipeline to the web application."""

    def __init__(self, name: str, context: Context, store: JobStore, directory: Path) -> None:
        self._name, self._context, self._store = name, context, store
        self._desk = Desk(name, store, directory, lambda: self._load().store.lock().holder(), context.note)

    def submit(self, wire: Wire, body: Any, key: str | None) -> tuple[PublishedJob, bool]:
        """Accept a request for a run."""
        try:
            values, experiment = asked(wire, body), experiment_of(wire, body)
        except ValueError as error:
            raise RefusedRequest(400, "BadRequest", str(error)) from None
        changes = self._checked(values)
        try:
            return self._desk.submit(changes, experiment, key)
        except BusyError as error:
            more = {"running": error.running, "queued": error.queued}
            raise RefusedRequest(409, "Conflict", f"{self._name}: {error}", **more) from None
        except OtherBodyError as error:
            message = f"this Idempotency-Key came with another body, for the run {error}: take a new key"
            raise RefusedRequest(422, "IdempotencyKeyReused", message, run=str(error)) from None
        except OSError as error:
            raise _unwritable(error) from None

    def job(self, name: str) -> PublishedJob | None:
        """Return a job."""
        return self._desk.job(name)

    def jobs(self) -> Sequence[PublishedJob]:
        """Return the jobs, the newest first."""
        return self._desk.jobs()

    def cancel(self, name: str) -> PublishedJob | None:
        """End a job."""
        try:
            return self._desk.cancel(name)
        except OSError as error:
            raise _unwritable(error) from None

    def log(self, name: str, offset: int, most: int) -> tuple[bytes, int]:
        """Return a part of a job's log."""
        return self._store.job(name).log(offset, most)

    def _checked(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Return the changes that a request asks for.

        Raises:
            RefusedRequest: a change is not allowed, or wrong.
        """
        try:
            loaded = self._load()
        except EpkitError as error:
            message = mask_text(f"the pipeline cannot be run: {error}", self._context.secrets)
            raise RefusedRequest(503, "Unavailable", message) from None
        publishable = loaded.config.publishable
        try:
            changes = changes_of(values, publishable)
            # The message goes to the caller, who must see parameters but no paths of this machine.
            own = replace(loaded.config, place=self._name)
            wanted = changed(own, changes, flag="")
            check_bounds(own.train, wanted.train, sorted(values), publishable)
            check(replace(loaded, config=wanted))
        except ValueError as error:
            raise RefusedRequest(400, "BadRequest", str(error)) from None
        except EpkitError as error:
            raise RefusedRequest(400, "BadRequest", _named(str(error), values)) from None
        return changes

    def _load(self) -> LoadedPipeline:
        return load(self._name, self._context)


def _named(message: str, values: dict[str, Any]) -> str:
    """Replace a flag of `epkit train` in a message by the name of the parameter."""
    for name in values:
        flag = f"--{name.partition('.')[2].replace('_', '-')} "
        if flag in message:
            return f"{name}: {message.partition(flag)[2]}"
    return message


def _unwritable(error: OSError) -> RefusedRequest:
    return RefusedRequest(
        507, "InsufficientStorage", f"it cannot be written down, so nothing is begun: {system_words(error)}"
    )


def main() -> None:
    """Serve until the lifeline is closed or SIGTERM comes."""
    listener, lifeline, ready = (int(argument) for argument in sys.argv[1:])
    with open(lifeline, "rb", closefd=False) as pipe:
        keys = pipe.readline().split()
    if not keys:
        return  # the supervisor is already gone
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
    home = Home(Path(os.environ[PUBLISHED]))
    # This comes first: an old server ends only when it sees its successor, and owns the jobs until then.
    os.write(ready, b"+")
    store, until = JobStore(home.path / JOBS), time.monotonic() + PATIENCE_S
    while True:
        with store.alone() as alone:
            if alone:
                _serve(home, store, keys, listener)
                return
        if time.monotonic() > until:
            sys.exit(f"{home.path}: another server has its jobs")
        time.sleep(0.05)


def _serve(home: Home, store: JobStore, keys: list[bytes], listener: int) -> None:
    settings = home.settings()
    secrets = tuple(Secret(key.decode()) for key in keys)
    context = Context(cwd=Path(settings.code), note=lambda line: _log(mask_text(line, secrets)))
    context.know(secrets)
    try:
        publishable = load(settings.entry, context).config.publishable
    except EpkitError as error:  # the pipeline may be valid again later
        context.note(str(error))
        publishable = ()
    published = pipelines.PublishedPipeline(
        name=settings.entry,
        keys=secrets,
        doors=Doors(port=settings.port, printer="epkit pipeline publish"),
        document=contract(settings.entry, publishable, epkit.__version__),
        service=LocalService(settings.entry, context, store, Path(settings.code)),
    )
    with socket.socket(fileno=listener) as opened:
        server.serve(pipelines.make_app(published), opened)


def _end_with(lifeline: int) -> None:
    while os.read(lifeline, 512):
        pass
    os._exit(0)


def _log(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}", file=sys.stderr)  # noqa: T201 - its log


if __name__ == "__main__":
    main()
