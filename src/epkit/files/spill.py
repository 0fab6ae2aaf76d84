"""Stores blocks of samples on disk, for reports that need every row of a run that does not fit into memory."""

import tempfile
from collections.abc import Iterator
from typing import Final, Self

import numpy as np

from epkit.core.samples.rows import SAMPLE
from epkit.errors import UsageError, unwritable
from epkit.files.writing import write_all

READ_ROWS: Final = 65536


class Spill:
    """A sink that writes blocks to a file without a name; the file disappears when the process ends."""

    def __init__(self) -> None:
        # Without a buffer, so that a full disk is noticed when a block is written, not when the file is closed.
        try:
            self._file = tempfile.TemporaryFile(prefix="epkit-", buffering=0)  # noqa: SIM115 - it is closed in __exit__
        except OSError as error:
            raise _unkept(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, block: np.ndarray) -> None:
        """Write a block.

        Raises:
            UsageError: the disk is full.
        """
        try:
            write_all(self._file, block.tobytes())
        except OSError as error:
            raise _unkept(error) from None

    def blocks(self) -> Iterator[np.ndarray]:
        """Read all rows back, in order."""
        self._file.seek(0)
        while data := self._file.read(READ_ROWS * SAMPLE.itemsize):
            yield np.frombuffer(data, dtype=SAMPLE)
        self._file.seek(0, 2)


def _unkept(error: OSError) -> UsageError:
    return unwritable("temporary files (TMPDIR): the samples cannot be kept", error)
