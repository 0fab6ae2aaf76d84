"""The rows of a job that several workers share: which worker has which rows, and their results.

Chunks are read while there is room, and passed on in input order, as in a single process. Spans are cut from them and
given to workers. The results of a worker settle each row once. The spans of a lost worker are taken back, and their
unsettled rows are given out next.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Chunk
from epkit.core.score.conveyor import ChunkQueue


@dataclass(slots=True, eq=False)
class Span:
    """Consecutive rows of a chunk that a worker has.

    Args:
        number: number of the span.
        open: number of its rows without a result.
    """

    number: int
    chunk: Chunk
    start: int
    stop: int
    open: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> Sequence[bytes]:
        """The encoded rows."""
        return self.chunk.rows[self.start : self.stop]

    @property
    def settled(self) -> bytes | None:
        """For each row, a byte that says whether it must not be sent; None if all are to be sent."""
        mask = bytes(self.chunk.settled[self.start : self.stop])
        return mask if 1 in mask else None


class Ledger(ChunkQueue):
    """A queue from which spans are cut, and which records who has them."""

    def __init__(
        self, supply: Callable[[], Chunk | None], write: Callable[[Chunk, int], None], *, room_rows: int
    ) -> None:
        """Start with nothing read; see `ChunkQueue`."""
        super().__init__(supply, write, room_rows=room_rows)
        self._numbers = count()
        self._spans: dict[int, Span] = {}
        self._back: list[tuple[int, int, Chunk, int]] = []

    @property
    def is_over(self) -> bool:
        """Whether every row of the input is settled and passed on."""
        return self.is_cut_up and not self._open

    def take(self, most: int) -> Span | None:
        """Cut the next span; rows that were taken back come first.

        Args:
            most: greatest number of rows, ≥ 1.

        Returns:
            None if there are no rows, or no room for more of them.
        """
        while self._back:
            _, start, chunk, stop = heapq.heappop(self._back)
            start = chunk.settled.find(0, start, stop)
            if start >= 0:
                end = min(start + most, stop)
                self._give_back(chunk, end, stop)
                return self._span(chunk, start, end)
        while (current := self._chunk or self._take()) is not None:
            start, stop = current.settled.find(0, current.given), len(current.rows)
            if 0 <= start < stop - most:
                stop = start + most
            current.given = stop
            if stop == len(current.rows):
                self._chunk = None
            if start >= 0:
                return self._span(current, start, stop)
            self.drain()
        return None

    def fits(self, number: int, place: int, predictions: int, reasons: Iterable[int]) -> bool:
        """Tell whether this number of predictions and these reasons (by place) can belong to open rows of a span."""
        span = self._spans.get(number)
        if span is None or not 0 <= place <= len(span) - predictions or predictions > span.open:
            return False
        return all(place <= each < place + predictions for each in reasons)

    def settle(self, number: int, place: int, predictions: Sequence[Any], reasons: Mapping[int, Failed]) -> bool:
        """Settle consecutive rows of a span with a worker's results; a row that is already settled does not change.

        Args:
            place: place of the first row in the span.
            predictions: of these rows.
            reasons: why rows have none, by their place in the span.

        Returns:
            Whether the span is complete.
        """
        span = self._spans.get(number)
        if span is None:
            return True
        chunk, first = span.chunk, span.start + place
        last = first + len(predictions)
        if not reasons and chunk.settled.find(1, first, last) < 0:
            chunk.succeed(first, predictions)
        else:
            self._settle_each(span, first, predictions, reasons)
        span.open -= len(predictions)
        if span.open:
            return False
        del self._spans[number]
        return True

    def take_back(self, number: int) -> None:
        """Take a span from its worker: its unsettled rows are given out again."""
        span = self._spans.pop(number, None)
        if span is not None:
            self._give_back(span.chunk, span.start, span.stop)

    def _settle_each(self, span: Span, first: int, predictions: Sequence[Any], reasons: Mapping[int, Failed]) -> None:
        chunk = span.chunk
        for place, prediction in enumerate(predictions, start=first):
            if chunk.settled[place]:
                continue
            why = reasons.get(place - span.start)
            if why is None:
                chunk.succeed(place, (prediction,))
            else:
                self.lose(chunk, place, place + 1, why)

    def _give_back(self, chunk: Chunk, start: int, stop: int) -> None:
        if start < stop:
            heapq.heappush(self._back, (chunk.first, start, chunk, stop))

    def _span(self, chunk: Chunk, start: int, stop: int) -> Span:
        span = Span(next(self._numbers), chunk, start, stop, stop - start)
        self._spans[span.number] = span
        return span
