"""Consecutive rows of an input: encoded for the endpoint, and in the forms for the output."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from epkit.core.score.encoding import encode_frame

if TYPE_CHECKING:
    import polars as pl

    Encode = Callable[[pl.DataFrame], list[bytes]]

CHUNK_ROWS: Final = 4_000
CHUNK_BYTES: Final = 4 << 20
NONE: Final[Mapping[int, str]] = MappingProxyType({})


class Piece:
    """Rows in up to three forms; only the first one always exists.

    Args:
        rows: encoded as in a body.
        objects: as JSON objects, None if *encode* must make them from the frames.
        lines: as lines of a CSV file without line breaks, None if they must be made.
        frames: as consecutive frames; empty if the rows come from JSON.
        faults: why rows cannot be sent, by their place; other rows are missing.
        encode: writes a frame as JSON objects; None if the frame's own types decide. Joined pieces have the same one.
    """

    __slots__ = ("encode", "faults", "frames", "lines", "objects", "rows")

    def __init__(
        self,
        rows: list[bytes],
        *,
        objects: list[bytes] | None = None,
        lines: list[bytes] | None = None,
        frames: "tuple[pl.DataFrame, ...]" = (),
        faults: Mapping[int, str] = NONE,
        encode: "Encode | None" = None,
    ) -> None:
        self.rows, self.objects, self.lines, self.frames = rows, objects, lines, frames
        self.faults, self.encode = faults, encode

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, start: int, stop: int) -> "Piece":
        """Return a part of the rows."""
        frames = []
        at = 0
        for frame in self.frames:
            low, high = max(start - at, 0), min(stop - at, frame.height)
            if low < high:
                frames.append(frame.slice(low, high - low))
            at += frame.height
        return Piece(
            self.rows[start:stop],
            objects=None if self.objects is None else self.objects[start:stop],
            lines=None if self.lines is None else self.lines[start:stop],
            frames=tuple(frames),
            faults={place - start: why for place, why in self.faults.items() if start <= place < stop},
            encode=self.encode,
        )

    def joined(self, other: "Piece") -> "Piece":
        """Return these rows followed by those of *other*."""
        if not self.rows:
            return other
        return Piece(
            self.rows + other.rows,
            objects=None if self.objects is None or other.objects is None else self.objects + other.objects,
            lines=None if self.lines is None or other.lines is None else self.lines + other.lines,
            frames=self.frames + other.frames,
            faults={**self.faults, **{place + len(self): why for place, why in other.faults.items()}},
            encode=self.encode,
        )

    def as_objects(self, start: int, stop: int) -> list[bytes]:
        """Return rows as JSON objects."""
        if self.objects is not None:
            return self.objects[start:stop]
        encode = self.encode or partial(encode_frame, spec=None, text=False, lists=False)
        return [line for frame in self.cut(start, stop).frames for line in encode(frame)]


def regroup(pieces: Iterator[Piece], batch_rows: int) -> Iterator[Piece]:
    """Cut pieces into chunks that are a multiple of the batch size, with a limited number of rows and bytes."""
    target = batch_rows * max(1, CHUNK_ROWS // batch_rows)
    held = Piece([])
    for piece in pieces:
        held = held.joined(piece)
        while (take := _full(held, target, batch_rows)) and take <= len(held):
            yield held.cut(0, take)
            held = held.cut(take, len(held))
    if held.rows:
        yield held


def _full(held: Piece, target: int, batch_rows: int) -> int:
    """Return how many rows make a chunk; 0 to wait for more."""
    if not held.rows:
        return 0
    mean = max(1, sum(map(len, held.rows)) // len(held.rows))
    by_bytes = max(1, CHUNK_BYTES // mean)
    if by_bytes >= target:
        return target if len(held) >= target else 0
    if len(held) < by_bytes:
        return 0
    return by_bytes - by_bytes % batch_rows or by_bytes
