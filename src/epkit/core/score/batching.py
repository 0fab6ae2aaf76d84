"""Rows in progress: chunks in input order, the batches cut from them, and the result of each row.

A chunk is read and encoded at once; a batch goes into one request. Batches come back in any order, and may be cut
further. A chunk has the number of rows at its beginning that are settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from epkit.core.json.reading import loads_row
from epkit.core.replies.predictions import Failed
from epkit.core.shapes.forms import RowWriter

if TYPE_CHECKING:
    from epkit.core.score.pieces import Piece

FIRST: Final = -1
JOINED: Final = RowWriter()


class Chunk:
    """Consecutive rows of the input.

    Args:
        first: number of the first row in the input.
        rows: each encoded as in a body.
        piece: the rows in the forms for the output, None if they are not written.
    """

    __slots__ = ("first", "given", "open", "piece", "predictions", "reasons", "rows", "settled", "size", "written")

    def __init__(self, first: int, rows: Sequence[bytes], piece: "Piece | None" = None) -> None:
        self.first = first
        self.rows = rows
        self.piece = piece
        self.size = sum(map(len, rows))
        self.predictions: list[Any] = [None] * len(rows)
        self.reasons: dict[int, Failed] = {}
        """Why rows have no prediction, by their place in the chunk."""
        self.settled = bytearray(len(rows))
        self.open = len(rows)
        """Number of rows without a result."""
        self.given = 0
        """Number of rows that were cut into batches."""
        self.written = 0
        """Number of rows that were written."""

    def ready(self) -> int:
        """Return how many rows are settled, counted from the first."""
        if not self.open:
            return len(self.rows)
        return self.settled.index(0, self.written)

    def succeed(self, start: int, predictions: Sequence[Any]) -> None:
        """Settle rows with their predictions, from *start* on."""
        stop = start + len(predictions)
        self.predictions[start:stop] = predictions
        self._settle(start, stop)

    def fail(self, start: int, stop: int, why: Failed) -> None:
        """Settle rows that get no prediction."""
        for place in range(start, stop):
            self.reasons[place] = why
        self._settle(start, stop)

    def _settle(self, start: int, stop: int) -> None:
        self.settled[start:stop] = b"\1" * (stop - start)
        self.open -= stop - start


class Batch:
    """Consecutive rows of a chunk in one request and its repetitions.

    `tries` counts failures of the batch, `refusals` those that only mean that the endpoint is full. `patience` is the
    greatest number of tries. `began` and `wins` are how many batches had succeeded when it was first sent, and when it
    last failed.
    """

    __slots__ = ("began", "chunk", "id", "patience", "refusals", "start", "stop", "tries", "wins")

    def __init__(self, chunk: Chunk, start: int, stop: int, patience: int) -> None:
        self.chunk = chunk
        self.start, self.stop = start, stop
        self.patience = patience
        self.tries = self.refusals = 0
        self.began = FIRST
        self.wins = 0
        self.id = ""

    def __len__(self) -> int:
        return self.stop - self.start

    def halves(self, patience: int) -> "tuple[Batch, Batch]":
        """Cut it into two; it has at least two rows."""
        middle = (self.start + self.stop) // 2
        return Batch(self.chunk, self.start, middle, patience), Batch(self.chunk, middle, self.stop, patience)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackerState:
    """The values from which a `Packer` is made."""

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    most_bytes: int
    most_rows: int | None
    writer: RowWriter


class Packer:
    """Puts rows into bodies of limited length.

    Args:
        before, after: text around the rows.
        most_bytes: greatest length of a body.
        most_rows: greatest number of rows in a body, None: any number.
        writer: joins the rows.
    """

    def __init__(
        self, before: bytes, after: bytes, *, most_bytes: int, most_rows: int | None = None, writer: RowWriter = JOINED
    ) -> None:
        self._before, self._after, self._writer = before, after, writer
        self.most_bytes, self._most_rows = most_bytes, most_rows

    def state(self) -> PackerState:
        """Return the state to send to a worker."""
        return PackerState(
            before=self._before,
            after=self._after,
            most_bytes=self.most_bytes,
            most_rows=self._most_rows,
            writer=self._writer,
        )

    @classmethod
    def restored(cls, state: PackerState) -> Self:
        """Make the packer from a state."""
        return cls(
            state.before, state.after, most_bytes=state.most_bytes, most_rows=state.most_rows, writer=state.writer
        )

    def pack(self, chunk: Chunk, start: int, stop: int) -> tuple[bytes, int]:
        """Make a body of as many rows as fit.

        Returns:
            The body, and the place of the first row that is not in it, at least *start* + 1. A single row that is too
            long makes a body that is too long; the caller must refuse it.
        """
        if self._most_rows is not None:
            stop = min(stop, start + self._most_rows)
        body = self._body(chunk.rows[start:stop])
        while len(body) > self.most_bytes and stop - start > 1:
            count = stop - start
            stop = start + max(1, min(count - 1, count * self.most_bytes // len(body)))
            body = self._body(chunk.rows[start:stop])
        return body, stop

    def decoded(self, chunk: Chunk, start: int, stop: int) -> list[dict[str, Any]]:
        """Decode rows of a chunk, with the names of their columns; empty if a row has no names."""
        names = self._writer.names
        rows: list[dict[str, Any]] = []
        for text in chunk.rows[start:stop]:
            try:
                row = loads_row(text)
            except ValueError:
                return []
            if isinstance(row, list) and len(row) == len(names):
                row = dict(zip(names, row, strict=True))
            if not isinstance(row, dict):
                return []
            rows.append(row)
        return rows

    def _body(self, rows: Sequence[bytes]) -> bytes:
        return self._before + self._writer.write(rows) + self._after
