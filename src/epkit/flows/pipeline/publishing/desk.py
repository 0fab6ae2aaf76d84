"""Accepts requests for runs of a published pipeline, starts one run at a time, and reports the state of each.

Theory of operation. A request is on disk before anything is started, and `begun` is on disk before its process is
started. So a request is started at most once, whatever is killed in between. The process has its own session, and holds
the lock of the job; it goes on when the server ends. A thread waits for this lock, whether this server started the
process or found it. It wakes up when the process is gone, however it ended. The files of the process say how it ended.
If there are none, it was killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from epkit.backends.local.signalling import signal_module
from epkit.backends.local.supervisor import PUBLISHED
from epkit.core.pipeline.jobs import JobStatus, PublishedJob, PublishedOrder, PublishedOutcome
from epkit.errors import EpkitError, system_words
from epkit.files.published_jobs import JobDirectory, JobStore

MODULE: Final = "epkit.flows.pipeline.publishing.child"
MOST_JOBS: Final = 200
"""Number of jobs that are kept; the oldest finished ones are deleted."""

KEY_S: Final = 7 * 86_400
"""How long an Idempotency-Key is valid, if its job is kept as long."""

END_S: Final = 10.0
"""Wait for a process to end after its lock is free."""

KILLED: Final = "its process is gone without a report: it was killed, or the machine was restarted"
UNSTARTED: Final = "the server ended before its process was started"

Holder = Callable[[], tuple[bool, int | None]]
"""Tells whether a run of the pipeline is going on, and in which process, even if a command started it."""


class BusyError(Exception):
    """One run is going on and one is waiting.

    Args:
        running: id of the running job, or the process of a run that a command started.
        queued: id of the waiting job.
    """

    def __init__(self, running: str, queued: str) -> None:
        super().__init__(f"{running} goes on and {queued} waits: try again when one is over, or cancel one")
        self.running, self.queued = running, queued


class OtherBodyError(Exception):
    """An Idempotency-Key was used before with another body; the text is the id of that job."""


@dataclass(slots=True)
class _Known:
    """A job in memory."""

    order: PublishedOrder
    files: JobDirectory
    outcome: PublishedOutcome | None = None
    process: subprocess.Popen[bytes] | None = None
    begun: bool = False
    cancelled: bool = False


class Desk:
    """The jobs of a published pipeline; may be called from any thread."""

    def __init__(
        self, pipeline: str, store: JobStore, directory: Path, holder: Holder, say: Callable[[str], None]
    ) -> None:
        """Read the existing jobs, and continue them.

        Args:
            directory: directory of `epkit.toml`, in which runs are started.
            say: writes a line to the log.
        """
        self._pipeline, self._store, self._directory = pipeline, store, directory
        self._holder, self._say = holder, say
        self._lock = threading.RLock()
        self._jobs: dict[str, _Known] = {}
        with self._lock:
            self._load()
            self._advance()

    def submit(self, changes: Sequence[str], experiment: str | None, key: str | None) -> tuple[PublishedJob, bool]:
        """Accept a request.

        Args:
            key: the Idempotency-Key.

        Returns:
            The job, and whether it is new; False if the key was used before with the same body.

        Raises:
            BusyError: one run is going on and one is waiting.
            OtherBodyError: the key was used before with another body.
            OSError: the request cannot be written to disk, so it will not run.
        """
        body = _digest("\0".join([experiment or "", *changes]))
        digest = None if key is None else _digest(key)
        with self._lock:
            if (known := self._before(digest)) is not None:
                if known.order.body != body:
                    raise OtherBodyError(known.order.id)
                return self._job(known), False
            self._check_room()
            number = max((known.order.number for known in self._jobs.values()), default=0) + 1
            order = PublishedOrder(
                id=str(uuid.uuid4()),
                pipeline=self._pipeline,
                number=number,
                experiment=experiment,
                changes=tuple(changes),
                asked_ms=_now_ms(),
                key=digest,
                body=body,
            )
            known = self._jobs[order.id] = _Known(order, self._store.add(order))
            self._say(f"{order.id}: asked for{''.join(f' {change}' for change in changes)}")
            self._advance()
            self._prune()
            return self._job(known), True

    def jobs(self) -> tuple[PublishedJob, ...]:
        """Return the jobs, the newest first."""
        with self._lock:
            found = sorted(self._jobs.values(), key=lambda known: -known.order.number)
            return tuple(map(self._job, found))

    def job(self, name: str) -> PublishedJob | None:
        """Return a job; None if there is none with this name."""
        with self._lock:
            known = self._jobs.get(name)
            return None if known is None else self._job(known)

    def cancel(self, name: str) -> PublishedJob | None:
        """Send SIGTERM to a job; a job that has ended does not change.

        Returns:
            The job; None if there is none with this name.

        Raises:
            OSError: the cancellation cannot be written to disk.
        """
        with self._lock:
            known = self._jobs.get(name)
            if known is None or known.outcome is not None:
                return None if known is None else self._job(known)
            known.files.mark("cancel")
            known.cancelled = True
            self._say(f"{name}: to be cancelled")
            if known.begun:
                self._signal(known)
            else:
                self._over(known, PublishedOutcome(status="Canceled", reason="cancelled", ended_ms=_now_ms()))
                self._advance()
            return self._job(known)

    def _load(self) -> None:
        self._store.clean()
        for files in self._store:
            try:
                order = files.order()
            except (OSError, ValueError) as error:
                self._say(f"{files.path.name}: order.json: {error}: it is left alone")
                continue
            outcome = files.outcome()
            known = _Known(order, files, outcome, begun=files.is_begun, cancelled=files.is_cancelled)
            self._jobs[order.id] = known
            if outcome is None and known.begun:
                self._watch(known)

    def _before(self, digest: str | None) -> _Known | None:
        """Return the job for which a key was used before."""
        if digest is None:
            return None
        since = _now_ms() - 1000 * KEY_S
        found = (known for known in self._jobs.values() if known.order.key == digest and known.order.asked_ms >= since)
        return next(found, None)

    def _live(self) -> list[_Known]:
        """Return the jobs that have not ended, the oldest first."""
        found = [known for known in self._jobs.values() if known.outcome is None]
        return sorted(found, key=lambda known: known.order.number)

    def _check_room(self) -> None:
        live = self._live()
        if len(live) >= 2:
            raise BusyError(live[0].order.id, live[1].order.id)
        if live and self._job(live[0]).status == "Queued":
            try:
                held, pid = self._holder()
            except EpkitError:
                return  # the run itself will report the mistake
            progress = live[0].files.progress()
            if held and (progress is None or progress.pid != pid):
                raise BusyError(f"a run of a command (process {pid or 'unknown'})", live[0].order.id)

    def _advance(self) -> None:
        """Start the waiting job, if no run is going on."""
        while (live := self._live()) and not live[0].begun:
            known = live[0]
            if known.cancelled:  # the server ended before it recorded the cancellation
                self._over(known, PublishedOutcome(status="Canceled", reason="cancelled", ended_ms=_now_ms()))
            else:
                self._start(known)

    def _start(self, known: _Known) -> None:
        known.begun = True
        try:
            known.files.mark("begun")
            lock = known.files.take_lock()
            assert lock is not None  # a new job has a lock
            with lock:
                known.process = self._spawn(known.files, lock)
        except OSError as error:
            reason = f"it could not be started: {error.filename or known.files.path}: {system_words(error)}"
            self._over(known, PublishedOutcome(status="Failed", reason=reason, ended_ms=_now_ms()))
            return
        self._say(f"{known.order.id}: started, process {known.process.pid}")
        self._watch(known)

    def _spawn(self, files: JobDirectory, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
            [sys.executable, "-P", "-m", MODULE, str(files.path), str(lock.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the process writes its own log
            stderr=subprocess.DEVNULL,
            pass_fds=[lock.fileno()],
            start_new_session=True,
            cwd=self._directory,
            env={name: value for name, value in os.environ.items() if name != PUBLISHED},
        )

    def _watch(self, known: _Known) -> None:
        def wait() -> None:
            with contextlib.suppress(OSError):
                known.files.wait()
            self._gone(known)

        threading.Thread(target=wait, name=known.order.id, daemon=True).start()

    def _gone(self, known: _Known) -> None:
        """Record how a job ended whose process is gone, and start the next one."""
        code = None
        if known.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = known.process.wait(END_S)
        with self._lock:
            self._over(known, _outcome(known, code))
            self._advance()

    def _over(self, known: _Known, outcome: PublishedOutcome) -> None:
        known.outcome = outcome
        self._say(f"{known.order.id}: {outcome.status}{f': {outcome.reason}' if outcome.reason else ''}")
        with contextlib.suppress(OSError):  # the disk is full: the next server finds the result again
            known.files.save(outcome)

    def _signal(self, known: _Known) -> None:
        if known.process is not None:
            known.process.send_signal(signal.SIGTERM)  # does nothing if the process has been waited for
        elif (progress := known.files.progress()) is not None:
            signal_module(progress.pid, MODULE, known.files.path, signal.SIGTERM)

    def _job(self, known: _Known) -> PublishedJob:
        progress, outcome = known.files.progress(), known.outcome
        status: JobStatus = "Queued"
        if outcome is not None:
            status = outcome.status
        elif known.cancelled:
            status = "CancelRequested"
        elif progress is not None and progress.begun_ms is not None:
            status = "Running"
        return PublishedJob(
            order=known.order,
            status=status,
            progress=progress,
            reason=None if outcome is None else outcome.reason,
            ended_ms=None if outcome is None else outcome.ended_ms,
        )

    def _prune(self) -> None:
        over = sorted((known for known in self._jobs.values() if known.outcome), key=lambda known: known.order.number)
        for known in over[: max(0, len(self._jobs) - MOST_JOBS)]:
            del self._jobs[known.order.id]
            self._store.forget(known.order.id)


def _outcome(known: _Known, code: int | None) -> PublishedOutcome:
    """Find out how a job ended, from the files of its process.

    Args:
        code: exit code, negative for a signal; None if another server started the process.
    """
    progress = known.files.progress()
    if progress is not None and progress.exit_code is not None:
        status = "Canceled" if progress.interrupted else "Failed" if progress.exit_code else "Completed"
        return PublishedOutcome(status=status, reason=progress.reason, ended_ms=_now_ms())  # type: ignore[arg-type]
    if known.cancelled:
        return PublishedOutcome(status="Canceled", reason="cancelled", ended_ms=_now_ms())
    if code is not None and code < 0:
        reason = f"its process was killed by signal {-code}"
    elif code:
        reason = f"its process ended with code {code} and without a report: see its log"
    else:
        reason = KILLED if (known.files.path / "lock").exists() else UNSTARTED
    return PublishedOutcome(status="Failed", reason=reason, ended_ms=_now_ms())


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
