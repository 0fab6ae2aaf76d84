"""Writes files without loss: completely, or the old contents stay."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import IO


def write_all(file: RawIOBase | IO[bytes], data: bytes | memoryview) -> None:
    """Write all of *data* to a file without a buffer; a single write may take only a part.

    Raises:
        OSError: the disk is full; part of *data* may have been written.
    """
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]


class NewFile:
    """A file that is written next to its target, and replaces the target with `publish`; a context manager.

    A device or a FIFO is written directly. If no file can be created in the directory, the existing file is
    overwritten.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be written.
        """
        self._target = Path(os.path.realpath(path))  # a link stays a link
        self._temporary: Path | None = None
        before = _mode(self._target)
        if before is not None and not stat.S_ISREG(before):
            self.file: IO[bytes] = self._target.open("wb", buffering=0)
            return
        temporary = self._target.with_name(f".epkit-{secrets.token_hex(6)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except PermissionError:
            if before is None:
                raise
            self.file = self._target.open("wb", buffering=0)
            return
        self.file = os.fdopen(descriptor, "wb", buffering=0)
        self._temporary = temporary
        if before is not None:
            with contextlib.suppress(OSError):  # a file system without modes
                temporary.chmod(stat.S_IMODE(before))

    def __enter__(self) -> "NewFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes | memoryview) -> None:
        """Write all of *data*.

        Raises:
            OSError: the disk is full.
        """
        write_all(self.file, data)

    def publish(self) -> None:
        """Replace the target; further writes go to the published file.

        Raises:
            OSError: the data cannot be stored.
        """
        if self._temporary is not None:
            os.fsync(self.file.fileno())  # some file systems report only here that the disk is full
            self._temporary.replace(self._target)
            self._temporary = None

    def close(self) -> None:
        """Close the file; if it was not published, it is deleted."""
        self.file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[NewFile]:
    """Write a file, completely or not at all.

    Raises:
        OSError: it cannot be written; the old contents stay.
    """
    with NewFile(path) as new:
        yield new
        new.publish()


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def sync_directory(directory: Path) -> None:
    """Flush the names in a directory to disk, if the file system supports it.

    Raises:
        OSError: the directory does not exist.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # the file system does not support it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
