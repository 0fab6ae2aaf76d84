"""Reads the lines of a file, each of limited length."""

from collections.abc import Iterator
from typing import IO, Final

from epkit.errors import UsageError

LONGEST_LINE: Final = 16 << 20
"""Bytes of a row: no request that endpoints take holds a longer one."""


def bounded_lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a file with their numbers, from 1; a signal is answered between two.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: one is too long; no more of it is read.
        OSError: the file cannot be read.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{name}:{number}: a line of more than {LONGEST_LINE >> 20} MB: a row a line is expected")
        yield number, line
