"""A driver of batches that gets rows during the run; its number of requests in flight can change too."""

import random
from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from epkit.core.http.request import Request
from epkit.core.replies.finding import ReplyPlace
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Fed, Policy
from epkit.core.score.retrying import RetryWait
from epkit.engines.batches import BatchDriver, Outcome


class FedDriver(BatchDriver):
    """Sends the rows that it gets, and passes each on with its result as soon as the result is known.

    It does not end by itself: only `end` ends it.
    """

    def __init__(
        self,
        packer: Packer,
        make: Callable[[bytes, str], Request],
        write: Callable[[Chunk, int], None],
        *,
        policy: Policy,
        explain: Callable[[Outcome], str],
        dice: random.Random,
        later: Callable[[Callable[[], None]], object],
        wake: Callable[[], None],
        waiting: Callable[[RetryWait], None],
        mask: Callable[[bytes, list[Any]], list[Any]] | None = None,
        place: ReplyPlace | None = None,
    ) -> None:
        """Prepare a run; see `BatchDriver`.

        Args:
            write: writes the rows of a chunk from its `written` up to a place; called for any chunk at any time.
        """
        self._fed = Fed(packer, write, policy)
        self._blocks: list[bytes] = []
        super().__init__(
            self._fed,
            packer,
            make,
            policy=policy,
            explain=explain,
            dice=dice,
            later=later,
            wake=wake,
            waiting=waiting,
            mask=mask,
            place=place,
        )

    @property
    def policy(self) -> Policy:
        """The current policy for the requests."""
        return self._policy

    @property
    def unsent(self) -> int:
        """Number of rows that are not in a request yet."""
        return self._fed.unsent

    def feed(self, chunk: Chunk) -> None:
        """Take rows to send."""
        self._fed.feed(chunk)
        self._wake_parked()

    def pace(self, concurrency: int, interval_ns: int, not_before: int = 0) -> None:
        """Change the pace from now on.

        Args:
            concurrency: greatest number of requests in flight; present ones beyond it are completed.
            interval_ns: least time from one request to the next, 0 for none; also from the last request to the next.
            not_before: earliest start of the next request, on the engine's clock.
        """
        self._due = max(self._due + interval_ns - self._policy.interval_ns, not_before)
        self._policy = replace(self._policy, concurrency=concurrency, interval_ns=interval_ns)
        self._fed.pace(self._policy)
        self._window.limit(concurrency)
        self._wake_parked()

    def end(self) -> None:
        """Send nothing more."""
        self._stopped = True

    def take_times(self) -> bytes:
        """Return the times of the requests that have succeeded since the last call: int64, ns."""
        self._note_times()
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)

    def _note_times(self) -> None:
        self._blocks.append(self._times.tobytes())
        self._times = array("q")
