"""The files of a scoring job next to its output: the journal, which is also the lock, and the list of failed rows.

A point in the journal is written after everything that it records is on the disk. Whatever follows the last point
was written by a run that did not come to the next one, and is cut off before the job goes on.
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
except ImportError:  # Windows, where two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

LONGEST_LINE: Final = 64 << 20
"""Bytes of a line of a journal; the longest name all classes that are predicted."""


class Job:
    """A job that is ours alone: a context manager; `claim`, then `begin`.

    `point` is how far it had come before, and has come since.
    """

    def __init__(self, out: str, *, restart: bool, overwrite: bool) -> None:
        """Say where the output goes; `begin` opens it.

        Args:
            restart: what an earlier run has done does not count.
            overwrite: an output that no journal owns may be replaced.
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
            UsageError: another run has it, or the files cannot be written.
        """
        try:
            if self.out.is_dir():
                raise UsageError(f"-o {self.out}: is a directory")
            known = self._path.exists()
            if not known and not self._overwrite and self.out.exists():
                raise UsageError(f"-o {self.out}: exists and has no journal: --overwrite replaces it")
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
                with contextlib.suppress(OSError):  # an empty journal is as good as none
                    self._path.unlink(missing_ok=True)  # nothing was begun
            self._journal.close()

    def claim(self, identity: Mapping[str, str]) -> None:
        """Find out how far the job has come; nothing is changed yet.

        Args:
            identity: what the job is.

        Raises:
            UsageError: the journal is that of another job, the output is not what the journal says, or it exists
                and no journal owns it.
        """
        assert self._journal is not None
        self._identity = identity
        try:
            recorded = self._recorded()
            if recorded is None and self.out.exists() and not self._overwrite:
                raise UsageError(f"-o {self.out}: exists and has no journal: --overwrite replaces it")
            if recorded is not None and not self._restart and self._is_ours(recorded, identity):
                self.point = recorded.point
                self._length = recorded.length
        except OSError as error:
            raise self.trouble(error) from None

    def expect(self, rows: int | None, *, least: int = 0) -> None:
        """Refuse to go on from more rows than the input has.

        Args:
            rows: of the input, None where that is not known.
            least: the number of rows that have to be done.

        Raises:
            UsageError: the journal speaks of more, or of fewer than *least*.
        """
        if rows is not None and not least <= self.point.rows <= rows:
            raise UsageError(
                f"{self._path}: damaged: it is for {self.point.rows:,} rows, but the input has {rows:,}: "
                "--restart starts over"
            )

    def begin(self) -> None:
        """Cut off what does not count: everything, where the job begins.

        Raises:
            UsageError: it cannot be written.
        """
        assert self._journal is not None
        try:
            if self._length:
                self._journal.truncate(self._length)
                return
            # First what the journal owns, then the journal: cut short in between, it owns what is left.
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
            UsageError: it says what no job writes.
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
                return False  # it was never more than begun
            raise UsageError(f"-o {self.out}: was begun with another {changed}: --restart starts over")
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
        """Refuse a list of failed rows that the job did not write; of one that is complete it may be taken away."""
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
        """Write down how far the job has come; what the point speaks of is on the disk already.

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
        """Say that the output cannot be written; what is in it already is kept."""
        kept = f": {self.point.rows:,} rows are safe, the same command goes on" if self.point.rows else ""
        return UsageError(f"-o {self.out}: {system_words(error)}{kept}")


class Appended:
    """A file that grows by what is appended, and is cut back to what counts when it is opened."""

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
        """Append.

        Raises:
            OSError: the disk is full; the file ends where it ended before, if that can be done.
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
        """Make the file where nothing has been appended."""
        if self._file is None:
            self._open()

    def sync(self) -> None:
        """Bring everything to the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
