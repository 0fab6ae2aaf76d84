"""A Dask cluster on loopback: a scheduler and workers, each in its own process, as a user starts them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

PATIENCE_S: Final = 60.0

QUIET: Final = {
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__TICK__CYCLE": "10s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
"""Dask's settings that let an idle cluster take a quarter of the CPU: clusters live as long as the tests that share them."""


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it does not come to that: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """Return all descendants of a process."""
    found, pending = [], [pid]
    while pending:
        path = Path(f"/proc/{pending.pop()}/task")
        with contextlib.suppress(OSError):
            for task in path.iterdir():
                below = [int(child) for child in (task / "children").read_text().split()]
                found += below
                pending += below
    return found


class DaskCluster:
    """A scheduler and its workers.

    Args:
        host: address that the scheduler listens on.
        python: interpreter of the workers, if not this one.
        prefix: command before each process, such as `ip netns exec NAME`; for the workers, one for each.
        verbose: log everything, and leave Dask's profiler on.
        tls: files of an authority and of a certificate with its key; then all processes use TLS.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        host: str = "127.0.0.1",
        python: str = sys.executable,
        prefix: Sequence[str] = (),
        prefixes: Sequence[Sequence[str]] | None = None,
        verbose: bool = False,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self.address = f"{'tcp' if tls is None else 'tls'}://{host}:{free_port()}"
        self._tls = [] if tls is None else ["--tls-ca-file", str(tls[0]), "--tls-cert", str(tls[1])]
        self.dashboard = free_port()
        self._host, self._python, self._prefix, self._prefixes = host, python, prefix, prefixes
        self._count, self._verbose = workers, verbose
        self._directory = tempfile.TemporaryDirectory(prefix="epkit-dask-", ignore_cleanup_errors=True)
        self.directory = Path(self._directory.name)
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        port = self.address.rpartition(":")[2]
        host = self._host if not self._tls else f"tls://{self._host}"
        listen = ["--host", host, "--port", port, "--dashboard-address", f"127.0.0.1:{self.dashboard}"]
        self.scheduler = self._start("scheduler", sys.executable, self._prefix, *listen)
        try:
            until(self._listens, "the scheduler listens")
            for number in range(self._count):
                self.add_worker(() if self._prefixes is None else self._prefixes[number])
            until(lambda: self.seen() >= self._count, "the workers are there")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            for pid in (process.pid, *children_of(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        self._directory.cleanup()

    def add_worker(self, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start one more worker, without a nanny, so that a killed worker is not restarted."""
        number = len(self.workers) + 1
        flags = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.directory)]
        worker = self._start(f"worker-{number}", self._python, prefix, self.address, *flags)
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        """Return everything that the scheduler and the workers have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("*.log")))

    def page(self, path: str) -> str:
        """Return a page of the scheduler's dashboard."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.dashboard}/{path}", timeout=10) as reply:
            return reply.read().decode(errors="replace")

    def seen(self) -> int:
        """Return the number of workers that have registered with the scheduler."""
        return self.log_of("scheduler").count("Register worker")

    def log_of(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """Return epkit's processes next to a worker."""
        found = []
        for pid in children_of(worker.pid):
            with contextlib.suppress(OSError):
                if b".workers.main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def _listens(self) -> bool:
        host, _, port = self.address.partition("://")[2].rpartition(":")
        if self._prefix:
            return "Scheduler at" in self.log_of("scheduler")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        return False

    def _start(self, name: str, python: str, prefix: Sequence[str], *arguments: str) -> subprocess.Popen[bytes]:
        level = "debug" if self._verbose else "info"
        names = ("distributed", "distributed.core", "distributed.scheduler", "distributed.worker", "distributed.client")
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("EPKIT_", "DASK_"))},
            **({} if self._verbose else QUIET),
            **{f"DASK_LOGGING__{logger.upper().replace('.', '__')}": level for logger in names[:1]},
        }
        role = name.partition("-")[0]
        with (self.directory / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [*prefix, python, "-m", "distributed.cli.dask_" + role, *arguments, *self._tls],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environ,
            )
