"""Starts the supervisor of a server on this machine, makes it change servers, waits for it, and ends it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from epkit.backends.base import Say
from epkit.backends.local.copying import Copy
from epkit.backends.local.signalling import MODULE, tell
from epkit.backends.local.state import Home, Status
from epkit.backends.local.view import say_tail
from epkit.errors import BackendError
from epkit.process import child_environment

PATIENCE_S: Final = 300.0
"""Time limit for a server to start: models may take long to load."""
POLL_S: Final = 0.02
ROOM_S: Final = 1.0
"""Interval between two checks whether the supervisor can write its status."""

END_S: Final = 25.0


def spawn(home: Home, listener: int, lock: int, passed: Mapping[str, str]) -> None:
    """Start the supervisor. It inherits only the socket and the lock from this process.

    Args:
        passed: variables for the script, in addition to those that every child process gets.
    """
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # It returns at once: the supervisor forks, so it is not a child of this process.
        subprocess.run(  # noqa: S603 - this interpreter, and a module of this package
            [sys.executable, "-P", "-m", MODULE, str(home.path), str(listener)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener, lock],
            start_new_session=True,  # Ctrl-C and the end of the terminal do not reach it
            cwd="/",
            env=child_environment() | dict(passed),
            check=False,  # if it ends, the lock is free, and `wait` ends
        )
    finally:
        os.close(log)


def wait(home: Home, done: Callable[[Status], bool], say: Say) -> Status:
    """Wait for a certain status of the supervisor.

    Raises:
        BackendError: the supervisor is gone, takes too long, or has no room to write its status.
    """
    deadline = time.monotonic() + PATIENCE_S
    look_at = time.monotonic() + ROOM_S
    while True:
        alive = home.alive()  # checked first: its last status is written by then
        status = home.status()
        if status is not None and done(status):
            return status
        if not alive or time.monotonic() > look_at:
            home.check_room()
            look_at = time.monotonic() + ROOM_S
        if not alive or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    error = f"no answer within {PATIENCE_S:g} s" if alive else (status and status.error) or "the server ended"
    say_tail(home, say)
    raise BackendError(f"{home.path.name}: {error}; the end of its log is above")


def change(
    home: Home, say: Say, copy: Copy | None = None, passed: Mapping[str, str] | None = None, **changes: Any
) -> None:
    """Switch to another server, of another generation.

    Args:
        copy: the copy that it serves, if it is another one. *passed*: further variables for its script.

    Raises:
        BackendError: it does not start; the old server stays.
    """
    before, status = home.settings(), home.status()
    if status is None:
        raise BackendError(f"{before.name}: it is being created or deleted at this moment")
    undecided = home.wanted()  # left by a command that was killed
    numbers = (before.generation, status.failed_generation, undecided.generation if undecided else 0)
    wanted = replace(before, **changes, **(copy.settings if copy else {}), generation=max(numbers) + 1)
    try:
        with home.writing():
            home.want(wanted)  # written first, so that the supervisor does not delete the copy as unused
            if copy is not None:
                copy.publish()
                home.pass_environment(copy.name, passed or {})
        _announce(home, status)
        status = wait(home, lambda status: wanted.generation in (status.generation, status.failed_generation), say)
    except BaseException:
        with contextlib.suppress(OSError):
            home.want_nothing()
            tell(home, status, signal.SIGHUP)
        raise
    with contextlib.suppress(OSError):  # the change is decided: the file has no meaning any more
        home.want_nothing()
    if status.generation != wanted.generation:
        say_tail(home, say)
        raise BackendError(
            f"{before.name}: nothing was changed: {status.error}; the end of the log is above, all of it in {home.log}"
        )


def stop(home: Home) -> None:
    """End the supervisor if it is running: by a signal first, by force if it does not end.

    Raises:
        BackendError: the running process is not a supervisor.
    """
    status = home.status()
    deadline = time.monotonic() + END_S
    asked = False
    while home.alive():
        late = time.monotonic() > deadline
        if status is not None and (not asked or late):
            asked = tell(home, status, signal.SIGKILL if asked else signal.SIGTERM) or asked
        if late and not asked:
            raise BackendError(unknown(home))
        status = home.status()
        time.sleep(POLL_S)


def unknown(home: Home) -> str:
    """Return the message for a status that does not name its supervisor, with what to do."""
    return (
        f"{home.path.name}: {home.path / 'status.json'} does not name its supervisor, so that nothing is signalled: "
        f"end the process that holds {home.path / 'lock'}, and delete {home.path}"
    )


def _announce(home: Home, status: Status) -> None:
    """Signal the supervisor that a change is wanted.

    Raises:
        BackendError: the status does not name the supervisor.
    """
    if not tell(home, status, signal.SIGHUP):
        raise BackendError(unknown(home))
