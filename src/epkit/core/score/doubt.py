"""Finds out whether all requests of a job will fail, because the first ones fail alike.

Cutting every batch down to its rows takes two requests for each row. So while nothing has succeeded, batches that fail
alike are held. When there are `ENOUGH`, or nothing else is left to send, single rows of them are sent, one after the
other. If `ENOUGH` rows fail alike too, the rows are not the cause. If one succeeds or fails in another way, some rows
are the cause, and they are searched for in the held batches.
"""

from typing import Final, Generic, TypeVar

from epkit.core.score.batching import Batch

ENOUGH: Final = 5
"""How many batches that fail alike start the check, and how many single rows decide it.

If a tenth of the rows is bad, independently, five random rows are all bad once in a hundred thousand jobs.
"""

GOLDEN: Final = 0.618034
"""The golden ratio: the fractional parts of its multiples are spread evenly, without a period."""

Cause = TypeVar("Cause")


class Doubt(Generic[Cause]):
    """The batches that failed alike so far, each with its failure."""

    def __init__(self, *, proved: bool) -> None:
        """Start without batches.

        Args:
            proved: whether a row of the job already has a prediction; then nothing is held.
        """
        self.is_open = not proved
        self._whole: list[tuple[Batch, Cause]] = []
        self._alone: list[tuple[Batch, Cause]] = []
        self._first: tuple[object, str, bytes] | None = None

    @property
    def held(self) -> int:
        """Number of held batches."""
        return len(self._whole) + len(self._alone)

    @property
    def is_certain(self) -> bool:
        """Whether it is certain that no row is the cause."""
        return len(self._alone) >= ENOUGH

    @property
    def has_more(self) -> bool:
        """Whether some held rows were not sent alone yet."""
        return bool(self._whole)

    def take(self, batch: Batch, cause: Cause, *, kind: object, words: str, body: bytes) -> bool:
        """Hold a batch that failed permanently.

        Args:
            kind: kind of the failure, with its status.
            words: text of the failure.
            body: of the reply.

        Returns:
            Whether it failed like all before it; if not, the check ends.
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
        """Take a row from the held batches, to be sent alone; None if all were sent."""
        if not self._whole:
            return None
        # Each row comes from another batch and another place in it: bad rows may occur at regular distances.
        batch, cause = self._whole.pop(0)
        at = batch.start + int(len(batch) * (GOLDEN * (len(self._alone) + 1) % 1))
        for start, stop in ((batch.start, at), (at + 1, batch.stop)):
            if start < stop:
                self._whole.append((Batch(batch.chunk, start, stop, batch.patience), cause))
        return Batch(batch.chunk, at, at + 1, batch.patience)

    def close(self) -> list[tuple[Batch, Cause]]:
        """End the check, and return the held batches."""
        self.is_open = False
        held = [*self._whole, *self._alone]
        self._whole, self._alone = [], []
        return held
