"""The rows of a job between reading and writing: open chunks, and the batches that are cut from them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Batch, Chunk, Packer
from epkit.core.score.retrying import Backoff

AHEAD_ROWS: Final = 10_000
"""Open rows beyond those of two requests per slot, so that no slot waits for the end of a chunk."""

WINDOW_BYTES: Final = 48 << 20
"""Greatest size of open chunks, unless a single one is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How rows are sent.

    Args:
        batch_rows: greatest number of rows in a request, ≥ 1.
        batch_bytes: greatest length of a body; a single row that is longer is not sent.
        concurrency: greatest number of requests in flight.
        interval_ns: least time between two requests, 0: none.
        retries: how often a request is repeated.
        proved: whether the endpoint has already scored rows of this job.
    """

    batch_rows: int = 100
    batch_bytes: int = 1_500_000
    concurrency: int = 8
    interval_ns: int = 0
    retries: int = 5
    backoff: Backoff = field(default_factory=Backoff)
    proved: bool = False


class ChunkQueue:
    """Open chunks: they are read while there is room, and passed on in input order.

    `rows` counts the rows that were passed on, `failed_rows` those that were given up.
    """

    def __init__(
        self, supply: Callable[[], Chunk | None], write: Callable[[Chunk, int], None], *, room_rows: int
    ) -> None:
        """Start with nothing read.

        Args:
            supply: reads the next chunk; returns None at the end.
            write: writes the rows of a chunk from its `written` up to a place.
            room_rows: no further chunk is read while this number of rows is open.
        """
        self._supply, self._write = supply, write
        self._room_rows = room_rows
        self._open: deque[Chunk] = deque()
        self._ahead: deque[Chunk] = deque()
        self._chunk: Chunk | None = None
        self._exhausted = False
        self.rows = self.failed_rows = 0

    @property
    def is_cut_up(self) -> bool:
        """Whether every row of the input has been sent."""
        return self._exhausted and not (self._chunk or self._ahead)

    @property
    def unsent(self) -> int:
        """Number of rows that are read but were never sent."""
        rows = sum(len(chunk.rows) for chunk in self._ahead)
        return rows if self._chunk is None else rows + len(self._chunk.rows) - self._chunk.given

    def read(self) -> bool:
        """Read another chunk, if there is room for it; return whether there was one."""
        if not self._has_room():
            return False
        chunk = self._supply()
        if chunk is None:
            self._exhausted = True
            return False
        self._add(chunk)
        return True

    def lose(self, chunk: Chunk, start: int, stop: int, why: Failed) -> None:
        """Give rows up."""
        chunk.fail(start, stop, why)
        self.failed_rows += stop - start

    def miss(self, chunk: Chunk, place: int, why: Failed) -> None:
        """Give up a settled row, because its reply has no prediction for it."""
        chunk.reasons[place] = why
        self.failed_rows += 1

    def drain(self) -> None:
        """Pass on the completely settled chunks, from the first on."""
        while self._open and not self._open[0].open and self._open[0] is not self._chunk:
            self._hand_on(self._open[0], len(self._open[0].rows))
            self._open.popleft()

    def flush(self) -> None:
        """Pass on the settled rows at the start of the first chunk."""
        if self._open and (ready := self._open[0].ready()) > self._open[0].written:
            self._hand_on(self._open[0], ready)

    def _add(self, chunk: Chunk) -> None:
        self.failed_rows += len(chunk.reasons)
        self._open.append(chunk)
        self._ahead.append(chunk)

    def _take(self) -> Chunk | None:
        """Open the next chunk, if there is one, and room for it."""
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


class Conveyor(ChunkQueue):
    """A queue from which batches are cut."""

    def __init__(
        self,
        supply: Callable[[], Chunk | None],
        packer: Packer,
        write: Callable[[Chunk, int], None],
        policy: Policy,
    ) -> None:
        """Start with nothing read; see `ChunkQueue`."""
        super().__init__(supply, write, room_rows=room_rows(policy))
        self._packer, self._policy = packer, policy

    @property
    def may_cut(self) -> bool:
        """Whether there may be a batch to cut now."""
        return self._chunk is not None or bool(self._ahead) or self._has_room()

    @property
    def is_short(self) -> bool:
        """Whether the rows that are read are too few for one request per slot."""
        return self.unsent < self._policy.concurrency * self._policy.batch_rows

    def cut(self) -> tuple[Batch, bytes] | None:
        """Cut the next batch from rows that were never sent; None if there are none, or no room for more."""
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


class Fed(Conveyor):
    """A conveyor to which chunks are added in any order; it passes rows on as soon as they are settled."""

    def __init__(self, packer: Packer, write: Callable[[Chunk, int], None], policy: Policy) -> None:
        """Start without chunks."""
        super().__init__(lambda: None, packer, write, policy)

    def feed(self, chunk: Chunk) -> None:
        """Add a chunk."""
        self._add(chunk)

    def drain(self) -> None:
        """Pass on the completely settled chunks."""
        ready = [chunk for chunk in self._open if not chunk.open and chunk is not self._chunk]
        for chunk in ready:
            self._hand_on(chunk, len(chunk.rows))
            self._open.remove(chunk)

    def flush(self) -> None:
        """Pass on the settled rows at the start of every chunk."""
        for chunk in self._open:
            if (ready := chunk.ready()) > chunk.written:
                self._hand_on(chunk, ready)

    def pace(self, policy: Policy) -> None:
        """Use another policy from now on."""
        self._policy = policy

    def _has_room(self) -> bool:
        return False  # nothing is read here: chunks are added with `feed`


def room_rows(policy: Policy) -> int:
    """Return the number of open rows at which reading stops."""
    return 2 * policy.concurrency * policy.batch_rows + AHEAD_ROWS
