"""Runs one child process on one core, and measures its CPU, wall time and peak memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

POLL_S = 0.005


class MeasureError(Exception):
    """A measurement that cannot be used; the message is one line and names the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """The cores of both sides; both None if the system cannot pin processes."""

    server: int | None
    client: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The output and the cost of a child process that ended by itself."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The common values of all parts: cores, number of rounds, where to report."""

    cores: Cores
    scratch: Path
    rounds: int
    say: Callable[[str], None]
    complain: Callable[[str], None]


def find_cores() -> tuple[Cores, str | None]:
    """Choose, of the cores of this process, the first for the server and the last for the client.

    Returns:
        The cores, and a line about a problem, if there is one.
    """
    if not hasattr(os, "sched_setaffinity"):
        return Cores(server=None, client=None), "this system cannot pin a process to a core: expect more noise"
    allowed = sorted(os.sched_getaffinity(0))
    cores = Cores(server=allowed[0], client=allowed[-1])
    if cores.server == cores.client:
        return cores, "one core only: client and server share it; CPU per request holds, requests/s do not"
    return cores, None


def pin(core: int | None) -> partial[None] | None:
    """Return the function that a child calls between fork and exec to stay on *core*."""
    return None if core is None else partial(os.sched_setaffinity, 0, {core})


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without variables that affect a client: proxies, epkit's own variables."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EPKIT_") and not name.lower().endswith("_proxy")
    }
    return kept | more


def run(
    command: Sequence[str],
    *,
    core: int | None,
    cwd: Path,
    timeout_s: float,
    env: dict[str, str] | None = None,
) -> Finished:
    """Run *command* to its end, pinned to *core*.

    Args:
        command: program and arguments.
        core: core of the process; None: the system chooses.
        cwd: working directory, without configuration.
        timeout_s: time after which it is killed.
        env: complete environment; None: `environment()`.

    Returns:
        User plus system CPU, reaped children included; peak memory (an upper bound: Linux counts the process image that
        forked it, some 30 MB); its output.

    Raises:
        MeasureError: it did not start, did not end in time, or ended with a status other than 0.

    Source: wait4(2); getrusage(2) for ru_maxrss, in KiB on Linux and bytes on macOS.
    """
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=environment() if env is None else env,
                preexec_fn=pin(core),
            )
        except OSError as error:
            raise MeasureError(f"{name}: {error.strerror}") from error
        try:
            while True:
                reaped, status, usage = os.wait4(process.pid, os.WNOHANG)
                wall_s = time.monotonic() - begun
                if reaped:
                    # Popen must not wait for it again.
                    process.returncode = os.waitstatus_to_exitcode(status)
                    break
                if wall_s > timeout_s:
                    raise MeasureError(f"{name}: not done after {timeout_s:.0f} s, killed")
                time.sleep(POLL_S)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        stdout = out.read().decode(errors="replace")
        stderr = err.read().decode(errors="replace")
    if process.returncode != 0:
        said = (stderr.strip() or stdout.strip() or "nothing said").splitlines()[-1]
        raise MeasureError(f"{name}: exit {process.returncode}: {said}")
    return Finished(
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=wall_s,
        peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        stdout=stdout,
        stderr=stderr,
    )
