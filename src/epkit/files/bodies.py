"""The text of request and reply bodies, from files and standard input."""

import sys
from pathlib import Path
from typing import Final

from epkit.errors import UsageError

MAX_BYTES: Final = 16 << 20
"""Ten times what Azure's endpoints take; tables may be as long as they like."""


def read(file: str) -> bytes:
    """Read a body.

    Args:
        file: a path, or `-` for standard input.

    Raises:
        UsageError: it cannot be read, or is longer than `MAX_BYTES`.
    """
    name = "stdin" if file == "-" else file
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        advice = "which no endpoint takes: give the rows as .jsonl, .csv or .parquet"
        raise UsageError(f"{name}: longer than {MAX_BYTES >> 20} MB, {advice}")
    return data
