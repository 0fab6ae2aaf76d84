"""Processes that try candidates in parallel.

A worker is a Python process with one thread for each library. It has its own session, so Ctrl-C at the terminal reaches
only the command, and only the environment variables that it needs. It maps the rows into memory. It gets one candidate
at a time and tries all folds of it: so it bins each fold only once, and a lost worker costs only one run. If a worker
is lost, its run is tried once more in a new one.
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import median_low
from typing import Any, Final, Self

import numpy as np

from epkit.core.train.plan import Candidate
from epkit.core.train.tried import Tried
from epkit.learners.worker import LEAN
from epkit.process import child_environment

MOST_WORKERS: Final = 8
"""Default for the greatest number of workers."""

MEMORY_BYTES: Final = 2 << 30
"""Default for the estimated memory of all workers together."""

_OWN_BYTES: Final = 200 << 20
"""Memory of a worker without rows: Python, LightGBM, scikit-learn."""

_COPIES: Final = 2.5
"""Memory of a worker relative to the matrix: the rows of a fold, their bins, and what boosting stores for each row."""

_TRIES: Final = 2
_GRACE_S: Final = 5.0
_LIBRARIES: Final = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
_THREADS: Final = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}


def workers_for(cores: int, rows: int, columns: int) -> int:
    """Return a good number of workers: one for each core, fewer for a table that needs much memory."""
    each = _OWN_BYTES + _COPIES * 8 * rows * columns
    return max(1, min(cores, MOST_WORKERS, int(MEMORY_BYTES // each)))


@dataclass(slots=True)
class _Task:
    candidate: Candidate
    tries: int = 0


class Pool:
    """Workers for the rows of a directory. It is a context manager that ends all of them."""

    def __init__(self, workers: int, directory: Path, *, lean: bool = False) -> None:
        """Set up the pool. Workers are started when there is a candidate to try.

        Args:
            directory: where `epkit.learners.material.lay_out` wrote the rows.
            lean: no candidate is a user's own estimator, so workers import as little as possible.
        """
        self._most = workers
        self._arguments = (str(directory), *([LEAN] if lean else []))
        self._directory = directory
        self._workers: list[_Worker] = []
        self._again: deque[_Task] = deque()
        self._answers: SimpleQueue[tuple[_Worker, str | None]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()

    @property
    def running(self) -> tuple[Candidate, ...]:
        """The candidates that are being tried, by ascending number."""
        tasks = [*self._again, *(worker.task for worker in self._workers if worker.task is not None)]
        return tuple(sorted((task.candidate for task in tasks), key=lambda each: each.run))

    @property
    def has_room(self) -> bool:
        """Tell whether a candidate can be started at once."""
        return len(self.running) < self._most

    def begin(self, candidate: Candidate) -> None:
        """Start to try a candidate. The caller checks `has_room` first.

        Raises:
            OSError: no process can be started.
        """
        self._begin(_Task(candidate))

    def _begin(self, task: _Task) -> None:
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = _Worker(self._arguments, self._answers)
            self._workers.append(idle)
        task.tries += 1
        idle.work(task)

    def ended(self, timeout_s: float) -> Iterable[tuple[Tried, bool]]:
        """Wait for runs to end.

        Args:
            timeout_s: the longest time to wait.

        Yields:
            The result of each run, and whether a repetition would give the same; not if its worker was lost.

        Raises:
            OSError: no process can be started to replace a lost one.
        """
        while True:
            try:
                worker, line = self._answers.get(timeout=timeout_s)
            except Empty:
                return
            timeout_s = 0.0
            task = worker.task
            if line is not None and task is not None:
                worker.task = None
                yield self._tried(task.candidate, json.loads(line)), True
            elif line is None:
                self._workers.remove(worker)
                why = worker.buried()
                if task is not None and task.tries < _TRIES:
                    self._begin(task)
                elif task is not None:
                    yield Tried(candidate=task.candidate, state="failed", margins=None, error=why), False

    def _tried(self, candidate: Candidate, answer: dict[str, Any]) -> Tried:
        if "error" in answer:
            return Tried(candidate=candidate, state="failed", margins=None, error=answer["error"])
        path = self._directory / f"margins-{candidate.run}.npy"
        margins = np.load(path)
        path.unlink()
        rounds = tuple(answer["rounds"])
        return Tried(
            candidate=candidate,
            state="done",
            margins=margins,
            rounds=rounds,
            median=median_low(rounds) if rounds else None,
            cpu_s=answer["cpu_s"],
            note=answer["note"],
        )


class _Worker:
    """One process."""

    def __init__(self, arguments: Sequence[str], answers: "SimpleQueue[tuple[_Worker, str | None]]") -> None:
        self.task: _Task | None = None
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
            [sys.executable, "-P", "-m", "epkit.learners.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=child_environment() | _THREADS,
            start_new_session=True,
        )
        self._last: deque[str] = deque(maxlen=1)
        self._threads = (
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._read, args=(answers,), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def work(self, task: _Task) -> None:
        """Send it a candidate. If it is gone, its end is reported elsewhere."""
        self.task = task
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(asdict(task.candidate)) + "\n")
            self._process.stdin.flush()

    def kill(self) -> int:
        """Kill it at once, and return its exit code."""
        self._process.kill()
        code = self._process.wait()
        for thread in self._threads:
            thread.join(_GRACE_S)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with contextlib.suppress(OSError):  # raised by data that could not be written to it
                stream.close()
        return code

    def buried(self) -> str:
        """Return one line that says how it ended."""
        # Its output is closed, so it has ended or ends now. One that closes its output and goes on is useless.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        code = self.kill()
        if code < 0:
            return f"its process was ended by signal {-code} twice (is there too little memory? try --workers 1)"
        last = f": {self._last[-1]}" if self._last else ""
        return f"its process ended twice with exit code {code}{last}"

    def _read(self, answers: "SimpleQueue[tuple[_Worker, str | None]]") -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stdout:
                answers.put((self, line))
        answers.put((self, None))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr:
                if line.strip():
                    self._last.append(line.strip())
