"""Whether all requests of a job are going to fail, because the first ones fail alike.

To halve every batch down to its rows takes two requests a row. So as long as nothing has succeeded, batches that fail
alike are held; once there are `ENOUGH`, or nothing else is left to send, rows of theirs are sent by themselves, one
after the other. If `ENOUGH` rows fail alike, too, no row is to blame. If one succeeds, or fails in another way, some
rows are to blame, and they are looked for in what was held.
"""

from typing import Final, Generic, TypeVar

from epkit.core.score.batching import Batch

ENOUGH: Final = 5
"""How many batches that fail alike raise the doubt, and how many single rows settle it.

Where a tenth of the rows is bad, and rows are bad independently, five are so once in a hundred thousand jobs.
"""

GOLDEN: Final = 0.618034
"""The golden ratio: its multiples, without their whole parts, repeat no distance."""

Cause = TypeVar("Cause")


class Doubt(Generic[Cause]):
    """The batches that failed alike so far, and why each did."""

    def __init__(self, *, proved: bool) -> None:
        """Begin without any.

        Args:
            proved: whether a row of the job has a prediction already; then there is no doubt.
        """
        self.is_open = not proved
        self._whole: list[tuple[Batch, Cause]] = []
        self._alone: list[tuple[Batch, Cause]] = []
        self._first: tuple[object, str, bytes] | None = None

    @property
    def held(self) -> int:
        """How many batches are held."""
        return len(self._whole) + len(self._alone)

    @property
    def is_certain(self) -> bool:
        """Whether no row is to blame."""
        return len(self._alone) >= ENOUGH

    @property
    def has_more(self) -> bool:
        """Whether rows are held that were not sent by themselves."""
        return bool(self._whole)

    def take(self, batch: Batch, cause: Cause, *, kind: object, words: str, body: bytes) -> bool:
        """Hold a batch that failed for good.

        Args:
            kind: of the failure, its status with it.
            words: what it is called.
            body: of the reply.

        Returns:
            Whether it failed as all before it did; if not, there is no doubt any longer.
        """
        if not self.is_open:
            return False
        if self._first is None:
            self._first = kind, words, body
        first_kind, first_words, first_body = self._first
        if kind != first_kind or (words != first_words and body != first_body):
            return False
        (self._whole if len(batch) > 1 else self._alone).append((batch, cause))
        return True

    def probe(self) -> Batch | None:
        """Take a row out of what is held, to be sent by itself; None where all were."""
        if not self._whole:
            return None
        # From another batch each time, and from another place in it: bad rows may come at regular distances.
        batch, cause = self._whole.pop(0)
        at = batch.start + int(len(batch) * (GOLDEN * (len(self._alone) + 1) % 1))
        for start, stop in ((batch.start, at), (at + 1, batch.stop)):
            if start < stop:
                self._whole.append((Batch(batch.chunk, start, stop, batch.patience), cause))
        return Batch(batch.chunk, at, at + 1, batch.patience)

    def close(self) -> list[tuple[Batch, Cause]]:
        """End the doubt, and return what was held."""
        self.is_open = False
        held = [*self._whole, *self._alone]
        self._whole, self._alone = [], []
        return held
