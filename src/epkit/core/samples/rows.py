"""The samples, one row for each request: the columns in which they go from the driver to every sink.

One object per request costs more than the request, so samples travel as *blocks*: numpy structured arrays of
`SAMPLE`, some hundred rows at a time, in order of completion. A block belongs to its sender: copy it to keep it.

All times are integer nanoseconds of the monotonic clock since the run began:

    due        when the request should have started (closed loop: equals start)
    start      just before the TCP connect, or, on a reused connection, before the first byte is written
    tcp        when TCP was connected, through a proxy's tunnel if there is one; on a reused connection equals start
    connected  when the connection was ready to be written to (after TLS); on a reused one equals start
    sent       when the last byte of the request had been handed to the socket
    first      when the first chunk of the reply had been read
    end        when the reply was over, or the failure was known

A point that was never reached has the value of the last point that was.
"""

import enum
import struct
from collections.abc import Iterator
from typing import Final

import numpy as np


class Failure(enum.IntEnum):
    """Why a request is not a success; the names are those of the JSON report."""

    NONE = 0
    CONNECT = 1
    TLS = 2
    TIMEOUT = 3
    TRANSPORT = 4
    STATUS = 5
    EMPTY = 6
    APPLICATION = 7
    CONTRACT = 8
    MISMATCH = 9


FAILURES: Final = tuple(f for f in Failure if f)

SAMPLE: Final = np.dtype(
    [
        ("start", "i8"),
        ("sent", "i8"),
        ("first", "i8"),
        ("end", "i8"),
        ("received", "u4"),  # bytes read, header included
        ("body", "u4"),  # bytes of the decoded reply body
        ("payload", "u4"),  # index of the payload that was sent
        ("status", "u2"),  # 0: no status line was read
        ("failure", "u1"),
        ("deployment", "u1"),  # index into the run's deployments, 0: not named
        ("due", "i8"),
        ("tcp", "i8"),
        ("connected", "i8"),
        ("server", "i8"),  # ns that the server reports, -1 if it does not
    ]
)

TIMES: Final = ("due", "start", "tcp", "connected", "sent", "first", "end")
"""The columns that are points in time, in order."""

WHOLE: Final = np.dtype((np.void, SAMPLE.itemsize))
"""A row without its columns."""

PACKER: Final = struct.Struct("4q3IHBB4q")
"""The same row for `struct`: packing into a buffer is the fastest way to store a row from Python, and the machine's own
byte order is the fastest to pack."""

KEPT: Final = struct.Struct("4q3IHBB")
"""The beginning of a row. It is all that is packed for a request that was due at once and used a kept connection;
`complete` fills in the rest."""

assert PACKER.size == SAMPLE.itemsize


def complete(samples: np.ndarray) -> None:
    """Fill in the rest of rows of which only the beginning was packed: their `due` is 0.

    Args:
        samples: rows of `SAMPLE`, with times not yet relative to the start of the run; changed in place.
    """
    kept = samples["due"] == 0
    for name in ("due", "tcp", "connected"):
        np.copyto(samples[name], samples["start"], where=kept)
    samples["server"][kept] = -1


def block(buffer: bytearray | bytes | memoryview, rows: int) -> np.ndarray:
    """View packed rows as a block.

    Args:
        buffer: at least *rows* packed rows.
        rows: number of rows.

    Returns:
        A structured array of `SAMPLE`; it shares memory with *buffer*.
    """
    return np.frombuffer(buffer, dtype=SAMPLE, count=rows)


class SampleStore:
    """Keeps rows in order, copied into large pieces, so that work on a piece is worth its fixed cost."""

    PIECE: Final = 65536

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, block: np.ndarray) -> None:
        """Copy a block."""
        while len(block):
            at = self._count % self.PIECE
            if at == 0:
                self._pieces.append(np.empty(self.PIECE, dtype=SAMPLE))  # memory is used only when it is written
            part = block[: self.PIECE - at]
            # Bytes take a twentieth of the time of rows, which numpy copies column by column.
            self._pieces[-1].view(WHOLE)[at : at + len(part)] = part.view(WHOLE)
            self._count += len(part)
            block = block[len(part) :]

    def pieces(self, begin: int = 0, end: int | None = None) -> Iterator[np.ndarray]:
        """Yield the rows from *begin* to before *end*; do not change them.

        Args:
            begin: index of the first row, ≥ 0.
            end: None: to the last row.
        """
        end = self._count if end is None else min(end, self._count)
        while begin < end:
            at = begin % self.PIECE
            part = self._pieces[begin // self.PIECE][at : at + end - begin]
            yield part
            begin += len(part)
