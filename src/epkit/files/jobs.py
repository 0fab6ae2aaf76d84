"""The files of a scoring job beside its output: the journal, which is also the lock, and the list of failed rows.

A point in the journal is written after everything it speaks of is on the disk. Whatever stands behind the last point
was written by a run that did not come to the next one, and is cut off before the job goes on.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

from epkit.core.score import journal
from epkit.core.score.journal import Point
from epkit.errors import UsageError
from epkit.files.writing import write_all

try:
    import fcntl
except ImportError:  # Windows, where two runs at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]


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
        if self.out.is_dir():
            raise UsageError(f"-o {self.out}: is a directory")
        known = self._path.exists()
        if not known and not self._overwrite and self.out.exists():
            raise UsageError(f"-o {self.out}: exists, and no journal owns it: --overwrite replaces it")
        try:
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
            self._journal.seek(0)
            recorded = journal.read(self._journal.read())
            if recorded is None and self.out.exists() and not self._overwrite:
                raise UsageError(f"-o {self.out}: exists, and no journal owns it: --overwrite replaces it")
            if recorded is not None and not self._restart and self._is_ours(recorded, identity):
                self.point = recorded.point
                self._length = recorded.length
        except OSError as error:
            raise self.trouble(error) from None

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

    def _is_ours(self, recorded: journal.Recorded, identity: Mapping[str, str]) -> bool:
        changed = journal.difference(recorded.identity, identity)
        if changed is not None:
            if not recorded.point.rows and not self.out.exists():
                return False  # it was never more than begun
            raise UsageError(f"-o {self.out}: was begun with another {changed}: --restart starts over")
        point = recorded.point
        size = self.out.stat().st_size if self.out.exists() else -1
        if size < 0 and not point.out:
            return True
        whole = size == point.out if point.complete else size >= point.out
        if not whole:
            what = "is gone" if size < 0 else "was changed"
            raise UsageError(f"-o {self.out}: {what} since the journal was written: --restart starts over")
        return True

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
        return UsageError(f"-o {self.out}: {(error.strerror or str(error)).lower()}{kept}")


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

    def sync(self) -> None:
        """Bring everything to the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
