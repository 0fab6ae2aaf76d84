"""`python -m epkit.flows.pipeline.publishing.child DIRECTORY LOCK`: the process of one job of a published pipeline.

The server has taken the job's lock, and passes on its descriptor. The lock is held as long as this process lives.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from epkit.core.http.masking import mask_text
from epkit.core.pipeline.jobs import PublishedProgress
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.core.shortening import cut
from epkit.errors import EpkitError
from epkit.files.pipelines import PipelineBusyError
from epkit.files.published_jobs import LOG, MOST_LOG_BYTES, JobDirectory
from epkit.flows.context import Context
from epkit.flows.pipeline.pipeline import PipelineOptions, run

PAUSE_S: Final = 0.5
"""Interval between two tries to start while another run is going on."""

LONGEST_LINE: Final = 4000
CUT: Final = "… the log ends here: the logs of the steps are in the directory of the run"
LAST_BYTES: Final = 8 << 10
"""Bytes of the log that are reserved for its last lines."""


class _CancelledError(BaseException):
    """SIGTERM came when there was nothing to undo."""


class BoundedLog:
    """Writes lines to a file, up to a limit. There is reserved space for the last lines."""

    def __init__(self, path: Path, mask: Callable[[str], str]) -> None:
        self._path, self._mask = path, mask
        self._left = MOST_LOG_BYTES - LAST_BYTES
        self._lock = threading.Lock()

    def line(self, text: str, *, last: bool = False) -> None:
        """Write a line, masked and shortened; *last*: also if the log is full."""
        data = (cut(self._mask(text), LONGEST_LINE) + "\n").encode("utf-8", "replace")
        with self._lock, contextlib.suppress(OSError):  # a log that cannot be written must not end the job
            if len(data) > self._left and not last:
                if self._left > 0:
                    self._write(f"{CUT}\n".encode())
                self._left = 0
                return
            self._left -= len(data)
            self._write(data)

    def _write(self, data: bytes) -> None:
        with open(self._path, "ab", buffering=0, opener=_private) as file:
            file.write(data)


@contextlib.contextmanager
def captured(log: BoundedLog) -> Iterator[None]:
    """Redirect all output of this process, including that of libraries, to the log."""
    reading, writing = os.pipe()
    for descriptor in (1, 2):
        os.dup2(writing, descriptor)
    os.close(writing)

    def read() -> None:
        with open(reading, "rb") as lines:  # noqa: PTH123 - a descriptor
            while line := lines.readline(LONGEST_LINE):
                log.line(line.decode("utf-8", "replace").rstrip("\n"))

    reader = threading.Thread(target=read, name="log", daemon=True)
    reader.start()
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        reader.join(1)  # a child of this process may keep the pipe open


class _Job:
    """The job of this process."""

    def __init__(self, directory: Path) -> None:
        self._files = JobDirectory(directory)
        self._order = self._files.order()
        self._progress = PublishedProgress(pid=os.getpid())
        self._save()
        self._context = Context(note=self._say, warn=self._say)
        self._log = BoundedLog(directory / LOG, lambda text: mask_text(text, self._context.secrets))

    def do(self) -> int:
        """Run the pipeline, and record the result.

        Returns:
            The exit code.
        """
        signal.signal(signal.SIGTERM, _cancel)
        with captured(self._log):
            try:
                return self._over(self._ran())
            except _CancelledError:
                return self._ended(143, "cancelled", interrupted=True)
            except EpkitError as error:
                return self._ended(error.exit_code, str(error))
            except Exception as error:  # noqa: BLE001 - whatever a step or a candidate of the user's raises
                for line in traceback.format_exc().splitlines():
                    self._log.line(line, last=True)
                return self._ended(1, f"{type(error).__name__}: {error}")

    def _ran(self) -> PipelineRun:
        if self._files.is_cancelled:
            raise _CancelledError
        options = PipelineOptions(changes=self._order.changes, why=self._order.experiment, by="http")
        name, waits = self._order.pipeline, False
        while True:
            try:
                return run(name, options, self._context, show=self._show, say=self._say, begun=self._begun)
            except PipelineBusyError as error:
                if not waits:
                    self._say(f"waits: {error}")
                waits = True
                time.sleep(PAUSE_S)

    def _begun(self, number: int) -> None:
        self._progress = replace(self._progress, run=number, begun_ms=time.time_ns() // 1_000_000)
        self._save()

    def _show(self, result: StepResult) -> None:
        self._say(f"{result.step:<8} {result.state:<7} {result.seconds:6.1f} s  {result.line}".rstrip())
        steps = {**self._progress.steps, result.step: f"{result.state} {cut(result.line, 300)}".strip()}
        self._progress = replace(self._progress, steps=steps)
        self._save()

    def _say(self, line: str) -> None:
        self._log.line(line)

    def _over(self, ran: PipelineRun) -> int:
        return self._ended(ran.exit_code, ran.reason, interrupted=ran.state == "interrupted")

    def _ended(self, code: int, reason: str | None, *, interrupted: bool = False) -> int:
        masked = None if reason is None else cut(mask_text(reason, self._context.secrets), 1000)
        self._log.line(masked or "done", last=True)
        self._progress = replace(self._progress, exit_code=code, reason=masked, interrupted=interrupted)
        self._save()
        return code

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # the disk is full, or nobody reads the result
            self._files.save(self._progress)


def _cancel(_number: int, _frame: FrameType | None) -> None:
    raise _CancelledError


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def main() -> None:
    """Run the job."""
    directory, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)  # no child may hold the lock
    sys.exit(_Job(directory).do())


if __name__ == "__main__":
    main()
