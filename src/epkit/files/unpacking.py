"""Decompresses tables into a file before they are read: rows are read more than once."""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from epkit.errors import UsageError, unwritable

GZIP: Final = b"\x1f\x8b"
PIECE_BYTES: Final = 1 << 20

MOST_BYTES: Final = 64 << 30
"""Greatest size of an unpacked file in bytes. A small file may unpack to a thousand times its size, and must not fill a
disk."""


def is_packed(path: Path) -> bool:
    """Tell by the first bytes of a file whether gzip compressed it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def unpack(path: Path, into: BinaryIO, name: str, *, most_bytes: int = MOST_BYTES) -> None:
    """Decompress a file.

    Args:
        name: name of the file in messages.

    Raises:
        UsageError: the file is damaged or truncated, unpacks to more than *most_bytes*, or the disk is full.
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
