"""The rows of a job between reading and writing: chunks that are open, and the batches that are cut from them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from epkit.core.batching import Batch, Chunk, Packer
from epkit.core.predictions import Failed
from epkit.core.retrying import Backoff

AHEAD_ROWS: Final = 10_000
"""Rows that may be open beyond those of two requests a place, so that nobody waits for the end of a chunk."""

WINDOW_BYTES: Final = 48 << 20
"""The most that open chunks hold, unless a single one holds more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How rows are sent.

    Args:
        batch_rows: most rows of a request, ≥ 1.
        batch_bytes: no body is longer; a row that would be by itself is not sent.
        concurrency: most requests under way.
        interval_ns: least time from one request to the next, 0 for none.
        retries: how often a request is sent again.
    """

    batch_rows: int = 100
    batch_bytes: int = 1_500_000
    concurrency: int = 8
    interval_ns: int = 0
    retries: int = 5
    backoff: Backoff = field(default_factory=Backoff)


class Conveyor:
    """Reads chunks as there is room, cuts batches from them, and hands rows on in input order.

    `rows` and `failed_rows` count what has been handed on, and what has been given up.
    """

    def __init__(
        self,
        supply: Callable[[], Chunk | None],
        packer: Packer,
        write: Callable[[Chunk, int], None],
        policy: Policy,
    ) -> None:
        """Begin with nothing read.

        Args:
            supply: reads the next chunk; None at the end.
            write: takes the rows of a chunk from its `written` up to a place.
        """
        self._supply, self._packer, self._write, self._policy = supply, packer, write, policy
        self._room_rows = 2 * policy.concurrency * policy.batch_rows + AHEAD_ROWS
        self._open: deque[Chunk] = deque()
        self._ahead: deque[Chunk] = deque()
        self._chunk: Chunk | None = None
        self._exhausted = False
        self.rows = self.failed_rows = 0

    @property
    def is_cut_up(self) -> bool:
        """Whether every row of the input has been cut into a batch."""
        return self._exhausted and not (self._chunk or self._ahead)

    @property
    def may_cut(self) -> bool:
        """Whether there may be a batch to cut now."""
        return self._chunk is not None or bool(self._ahead) or self._has_room()

    @property
    def is_short(self) -> bool:
        """Whether the rows that are read do not suffice for a request a slot."""
        rows = sum(len(chunk.rows) for chunk in self._ahead)
        if self._chunk is not None:
            rows += len(self._chunk.rows) - self._chunk.given
        return rows < self._policy.concurrency * self._policy.batch_rows

    def cut(self) -> tuple[Batch, bytes] | None:
        """Cut the next batch from the rows that were never sent; None where there are none, or no room for more."""
        while True:
            chunk = self._chunk or self._take()
            if chunk is None:
                return None
            start = chunk.settled.find(0, chunk.given)
            if start < 0:
                chunk.given = len(chunk.rows)
                self._chunk = None
                self.drain()
                continue
            stop = min(start + self._policy.batch_rows, len(chunk.rows))
            taken = chunk.settled.find(1, start, stop)
            body, stop = self._packer.pack(chunk, start, stop if taken < 0 else taken)
            chunk.given = stop
            if stop == len(chunk.rows):
                self._chunk = None
            if len(body) <= self._policy.batch_bytes:
                return Batch(chunk, start, stop, self._policy.retries), body
            limit = self._policy.batch_bytes
            words = f"this row alone makes a body of {len(body):,} bytes, and --batch-bytes allows {limit:,}"
            self.lose(chunk, start, stop, Failed(reason="size", status=0, detail=words))
            self.drain()

    def read(self) -> bool:
        """Read another chunk, if the open ones leave room for it; tell whether there was one."""
        if not self._has_room():
            return False
        chunk = self._supply()
        if chunk is None:
            self._exhausted = True
            return False
        self.failed_rows += len(chunk.reasons)
        self._open.append(chunk)
        self._ahead.append(chunk)
        return True

    def lose(self, chunk: Chunk, start: int, stop: int, why: Failed) -> None:
        """Give rows up."""
        chunk.fail(start, stop, why)
        self.failed_rows += stop - start

    def drain(self) -> None:
        """Hand on the chunks that are settled whole, from the first on."""
        while self._open and not self._open[0].open and self._open[0] is not self._chunk:
            self._hand_on(self._open[0], len(self._open[0].rows))
            self._open.popleft()

    def flush(self) -> None:
        """Hand on what is settled of the first chunk."""
        if self._open and (ready := self._open[0].ready()) > self._open[0].written:
            self._hand_on(self._open[0], ready)

    def _take(self) -> Chunk | None:
        """Begin the next chunk, if there is one, and room for it."""
        if not self._ahead and not self.read():
            return None
        self._chunk = self._ahead.popleft()
        return self._chunk

    def _has_room(self) -> bool:
        """Tell whether another chunk may be opened."""
        if self._exhausted or not self._open:
            return not self._exhausted
        rows, size = sum(len(chunk.rows) for chunk in self._open), sum(chunk.size for chunk in self._open)
        return rows < self._room_rows and size < WINDOW_BYTES

    def _hand_on(self, chunk: Chunk, stop: int) -> None:
        self._write(chunk, stop)
        self.rows += stop - chunk.written
        chunk.written = stop
