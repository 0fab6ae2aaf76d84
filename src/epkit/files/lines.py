"""Reads the lines of a file, each of limited length."""

from collections.abc import Iterator
from typing import IO, Final

from epkit.errors import UsageError

LONGEST_LINE: Final = 16 << 20
"""Greatest length of a row in bytes; no endpoint accepts a request with a longer row."""


def bounded_lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a file with their numbers, from 1. Signals are handled between two lines.

    Args:
        name: name of the file in messages.

    Raises:
        UsageError: a line is too long; reading stops there.
        OSError: the file cannot be read.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{name}:{number}: a line of more than {LONGEST_LINE >> 20} MB: a row a line is expected")
        yield number, line
