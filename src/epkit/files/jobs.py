"""The files of a scoring job next to its output: the journal, which is also the lock, and the list of failed rows.

A point is written to the journal only after everything that it covers is on disk. Output after the last point belongs
to a point that was never written; it is cut off before the job resumes.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Final, Self

from epkit.core.score import journal
from epkit.core.score.journal import Point
from epkit.errors import UsageError, system_words
from epkit.files import written
from epkit.files.writing import write_all

try:
    import fcntl
except ImportError:  # Windows: the user must avoid two runs at once
    fcntl = None  # type: ignore[assignment]

LONGEST_LINE: Final = 64 << 20
"""Greatest length of a journal line in bytes; the longest line lists all predicted classes."""


class Job:
    """A job that this process holds exclusively: a context manager; `claim`, then `begin`.

    `point` is the progress: at first that of earlier runs, then including this one.
    """

    def __init__(self, out: str, *, restart: bool, overwrite: bool) -> None:
        """Set the output; `begin` opens it.

        Args:
            restart: whether to ignore the work of an earlier run.
            overwrite: whether to replace an output that belongs to no journal.
        """
        self.out = Path(out)
        self.failed = Path(f"{out}.failed.jsonl")
        self.parts = Path(f"{out}.parts")
        self._path = Path(f"{out}.journal")
        self._restart, self._overwrite = restart, overwrite
        self._journal: IO[bytes] | None = None
        self._identity: Mapping[str, str] = {}
        self._length = 0
        self.point = Point()

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            UsageError: another run has the lock, or the files cannot be written.
        """
        try:
            if self.out.is_dir():
                raise UsageError(f"-o {self.out} is a directory")
            known = self._path.exists()
            if not known and not self._overwrite and self.out.exists():
                raise UsageError(f"-o {self.out} exists and has no journal: --overwrite replaces it")
            self._journal = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise self.trouble(error) from None
        if fcntl is not None:
            try:
                fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._journal.close()
                raise UsageError(f"-o {self.out}: another run is writing it: wait for that, or end it") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._journal is not None:
            if not self._journal.seek(0, os.SEEK_END):
                with contextlib.suppress(OSError):  # an empty journal is the same as none
                    self._path.unlink(missing_ok=True)  # nothing was begun
            self._journal.close()

    def claim(self, identity: Mapping[str, str]) -> None:
        """Find the progress of the job, without any change to the files.

        Args:
            identity: the values that identify the job.

        Raises:
            UsageError: the journal belongs to another job, the output differs from the journal, or the output exists
                and belongs to no journal.
        """
        assert self._journal is not None
        self._identity = identity
        try:
            recorded = self._recorded()
            if recorded is None and self.out.exists() and not self._overwrite:
                raise UsageError(f"-o {self.out} exists and has no journal: --overwrite replaces it")
            if recorded is not None and not self._restart and self._is_ours(recorded, identity):
                self.point = recorded.point
                self._length = recorded.length
        except OSError as error:
            raise self.trouble(error) from None

    def expect(self, rows: int | None, *, least: int = 0) -> None:
        """Refuse to resume if the journal has more rows than the input.

        Args:
            rows: rows of the input, None if not known.
            least: number of rows that must be done.

        Raises:
            UsageError: the journal has more rows than the input, or fewer than *least*.
        """
        if rows is not None and not least <= self.point.rows <= rows:
            raise UsageError(
                f"{self._path}: damaged: it is for {self.point.rows:,} rows, but the input has {rows:,}: "
                "--restart starts over"
            )

    def begin(self) -> None:
        """Cut off output that does not count; for a new job, that is all output.

        Raises:
            UsageError: a file cannot be written.
        """
        assert self._journal is not None
        try:
            if self._length:
                self._journal.truncate(self._length)
                return
            # First the files of the journal, then the journal. After a crash in between, the journal still owns the
            # rest.
            for path in (self.out, self.failed):
                path.unlink(missing_ok=True)
            shutil.rmtree(self.parts, ignore_errors=True)
            self._journal.truncate(0)
            self._append(journal.head_line(self._identity))
        except OSError as error:
            raise self.trouble(error) from None

    def _recorded(self) -> journal.Recorded | None:
        """Read the journal.

        Raises:
            UsageError: it contains something that no job writes.
            OSError: it cannot be read.
        """
        assert self._journal is not None
        self._journal.seek(0)
        try:
            with os.fdopen(os.dup(self._journal.fileno()), "rb") as file:
                return journal.read(iter(partial(file.readline, LONGEST_LINE), b""))
        except ValueError as error:
            if self._restart:
                return journal.Recorded(identity={}, point=Point(), length=0)
            raise UsageError(f"{self._path}: damaged: {error}: --restart starts over") from None

    def _is_ours(self, recorded: journal.Recorded, identity: Mapping[str, str]) -> bool:
        changed, point = journal.difference(recorded.identity, identity), recorded.point
        if changed is not None:
            if not point.rows and not self.out.exists():
                return False  # the job was begun, but nothing was written
            raise UsageError(f"-o {self.out} was begun with another {changed}: --restart starts over")
        size = self.out.stat().st_size if self.out.exists() else -1
        if not (size == point.out if point.complete else max(size, 0) >= point.out):
            raise self._changed(self.out, "is gone" if size < 0 else "was changed")
        if (size >= 0 or not point.out) and not self._holds(point):
            raise self._changed(self.out, "does not hold the rows that the journal records: one of the two was changed")
        self._check_failed(point)
        return True

    def _holds(self, point: Point) -> bool:
        rows = written.rows_of(self.out, self.parts, point)
        return rows == point.rows and written.has_layout(self.out, self.parts, point)

    def _check_failed(self, point: Point) -> None:
        """Refuse a list of failed rows that the job did not write. If the job is complete, the list may be missing."""
        size = self.failed.stat().st_size if self.failed.exists() else -1
        if point.complete and size < 0:
            return
        whole = size == point.failed if point.complete else max(size, 0) >= point.failed
        if not whole or written.lines_of(self.failed, point.failed) != point.failed_rows:
            raise self._changed(self.failed, "is gone" if size < 0 else "was changed")

    @staticmethod
    def _changed(path: Path, what: str) -> UsageError:
        return UsageError(f"-o {path}: {what} since the journal was written: --restart starts over")

    def commit(self, point: Point) -> None:
        """Record the progress of the job; everything that the point covers is on disk already.

        Raises:
            UsageError: the disk is full.
        """
        if point == self.point:
            return
        try:
            self._append(journal.point_line(point))
        except OSError as error:
            raise self.trouble(error) from None
        self.point = point

    def _append(self, line: bytes) -> None:
        assert self._journal is not None
        write_all(self._journal, line)
        os.fsync(self._journal.fileno())

    def trouble(self, error: OSError) -> UsageError:
        """Return the error for an output that cannot be written; its contents are kept."""
        kept = f": {self.point.rows:,} rows are safe, the same command goes on" if self.point.rows else ""
        return UsageError(f"-o {self.out}: {system_words(error)}{kept}")


class Appended:
    """A file that grows by appending; when it is opened, it is truncated to the length that counts."""

    def __init__(self, path: Path, length: int) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self.length = length
        if path.exists() or length:
            self._open()

    def _open(self) -> IO[bytes]:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._file.truncate(self.length)
        self._file.seek(self.length)
        return self._file

    def append(self, data: bytes) -> None:
        """Append data.

        Raises:
            OSError: the disk is full; the file is truncated to its former length, if possible.
        """
        if not data:
            return
        file = self._file or self._open()
        try:
            write_all(file, data)
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self.length)
                file.seek(self.length)
            raise
        self.length += len(data)

    def create(self) -> None:
        """Create the file if nothing has been appended."""
        if self._file is None:
            self._open()

    def sync(self) -> None:
        """Flush everything to disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
