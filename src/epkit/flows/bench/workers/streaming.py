"""Sends the samples of a worker to the process that merges them.

Samples are sent as they are, several times a second, until the worker's share of the exact rows of a summary is used
up, or to the end if all rows are wanted. Later samples are counted here (`Summary` without rows), and the counts are
sent once a second. Each message contains the time up to which it is complete.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from epkit.core.load.phases import PhaseTimes, Slice
from epkit.core.load.plan import Plan
from epkit.core.report.summary import Summary
from epkit.engines.driver import Sink
from epkit.flows.bench.driving import is_simple
from epkit.flows.bench.workers.messages import DigestMessage, RowsMessage

if TYPE_CHECKING:
    from epkit.flows.crew.worker import Channel

SHIP_BYTES: Final = 1 << 20
"""When this many bytes of samples wait, they are sent before the next tick."""

DIGEST_NS: Final = 1_000_000_000


class Stream:
    """A sink that sends samples, or their counts."""

    def __init__(self, plan: Plan, exact: int | None, channel: "Channel", times: PhaseTimes) -> None:
        """Start without samples; the owner keeps `deployments` and `document` up to date.

        Args:
            exact: the number of rows that are sent as they are; None means all rows.
            times: when each phase began.
        """
        self._plan, self._channel, self._times = plan, channel, times
        self._left = 2**62 if exact is None else exact
        self._rows = bytearray()
        self._digest: tuple[Summary, ...] = ()
        self._sinks: list[Sink] = []
        self._due = self._ended = 0
        self.deployments: list[str] = [""]
        self.document: int | None = None

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples."""
        rows = block[: self._left]
        if len(rows):
            self._left -= len(rows)
            self._rows += rows.tobytes()
        if len(rows) < len(block):
            if not self._digest:
                self._restart()
            self._ended = int(block["end"].max())
            for sink in self._sinks:
                sink(block[len(rows) :])

    @property
    def is_full(self) -> bool:
        """Whether the waiting samples should be sent now."""
        return len(self._rows) >= SHIP_BYTES

    def ship(self, complete_ns: int, *, now: int | None = None) -> None:
        """Send the waiting samples and counts.

        Args:
            complete_ns: the time up to which all samples have been added.
            now: the time that decides whether a digest is due; None for the last message.
        """
        begins, deployments = self._times.begins, tuple(self.deployments)
        if self._rows or not self._digest:
            self._channel.send(RowsMessage(bytes(self._rows), complete_ns, begins, deployments))
            self._rows.clear()
        if self._digest and (now is None or now >= self._due):
            whole, *parts = self._digest
            self._channel.send(DigestMessage(whole, tuple(parts), self._ended, complete_ns, begins, deployments))
            self._digest = ()
            self._due = (now or 0) + DIGEST_NS

    def _restart(self) -> None:
        """Start new counts."""
        plan = self._plan
        first = len(plan.phases) - len(plan.measured)
        slices: list[tuple[int, int | None]] = [(first, None)]
        slices += [(i, i) for i in range(len(plan.phases))] if len(plan.phases) > 1 else []
        self._digest = tuple(Summary(exact=0) for _ in slices)
        if self.document is not None:
            for summary in self._digest:
                summary.counters.expect(self.document)
        self._sinks = [summary.add for summary in self._digest]
        if not is_simple(plan):
            self._sinks = [
                Slice(self._times, begin, end, sink) for (begin, end), sink in zip(slices, self._sinks, strict=True)
            ]
