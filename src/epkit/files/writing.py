"""Bytes brought into a file whole."""

from io import RawIOBase
from typing import IO


def write_all(file: RawIOBase | IO[bytes], data: bytes) -> None:
    """Write all of *data* to a file without a buffer, which may take less at a time.

    Raises:
        OSError: the disk is full; part of *data* may have been written.
    """
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]
