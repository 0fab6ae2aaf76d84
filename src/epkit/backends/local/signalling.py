"""Sends signals only to epkit's own processes, whatever process number a file contains."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

from epkit.backends.local.state import Home, Status
from epkit.process import child_environment

MODULE: Final = "epkit.backends.local.supervisor"
PROC: Final = Path("/proc")
"""Information about processes on Linux; on other systems `ps` is used."""
PATIENCE_S: Final = 5


def tell(home: Home, status: Status, number: signal.Signals) -> bool:
    """Send a signal to the process that a status names, if it is this endpoint's supervisor.

    Returns:
        False if it is another process, or none: the status is damaged, forged, or older than the process.
    """
    return signal_module(status.pid, MODULE, home.path, number)


def signal_module(pid: int, module: str, directory: Path, number: signal.Signals) -> bool:
    """Send a signal to a process, if it runs a module for a directory: `… -m MODULE DIRECTORY DESCRIPTOR`.

    Returns:
        False if it is another process, or none.
    """
    # 0 and below mean groups of processes, 1 is the init process.
    if type(pid) is not int or pid <= 1:
        return False
    found = _look_up(pid)
    if found is None or found[0] != os.geteuid() or not _is_of(found[1], module, directory):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _is_of(command: str, module: str, directory: Path) -> bool:
    named = command.partition(f" -m {module} ")[2].rpartition(" ")[0]
    try:
        return Path(named).is_absolute() and directory.samefile(named)
    except (OSError, ValueError):
        return False


def _look_up(pid: int) -> tuple[int, str] | None:
    """Return the owner of a process and its command line; None if there is no such process."""
    if (PROC / "self").exists():
        process = PROC / str(pid)
        try:
            return process.stat().st_uid, os.fsdecode((process / "cmdline").read_bytes()).replace("\0", " ").rstrip()
        except OSError:
            return None
    try:
        shown = subprocess.run(  # noqa: S603 - no shell, and a number
            ["ps", "-ww", "-o", "uid=,command=", "-p", str(pid)],  # noqa: S607 - the system's
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
            env=child_environment(),
        ).stdout.decode("utf-8", "surrogateescape")
    except (OSError, subprocess.TimeoutExpired):
        return None
    uid, _, command = shown.strip().partition(" ")
    return (int(uid), command) if uid.isdigit() else None
