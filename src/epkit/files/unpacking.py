"""Decompresses tables into a file before they are read: rows are read more than once."""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from epkit.errors import UsageError, unwritable

GZIP: Final = b"\x1f\x8b"
PIECE_BYTES: Final = 1 << 20

MOST_BYTES: Final = 64 << 30
"""Of an unpacked file: a small file may unpack to a thousand times its size, and must not fill a disk unnoticed."""


def is_packed(path: Path) -> bool:
    """Tell whether a file is compressed by gzip, by how it begins.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def unpack(path: Path, into: BinaryIO, name: str, *, most_bytes: int = MOST_BYTES) -> None:
    """Write out what a compressed file holds.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: it is damaged or cut off, unpacks to more than *most_bytes*, or there is no room for it.
    """
    size = 0
    try:
        with gzip.open(path) as packed:
            while piece := packed.read(PIECE_BYTES):
                size += len(piece)
                if size > most_bytes:
                    raise UsageError(f"{name}: unpacks to more than {most_bytes:,} bytes: unpack it yourself")
                try:
                    into.write(piece)
                except OSError as error:
                    raise unwritable(f"{name}: cannot be unpacked into TMPDIR", error) from None
        into.flush()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{name}: the compressed file is damaged or cut off: {error}") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
