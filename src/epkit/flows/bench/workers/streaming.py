"""Sends the samples of a worker to the process that merges them.

They go as they are, several times a second, as long as the worker's part of the exact rows of a summary lasts or all
are wanted; later ones are counted here (`Summary` without rows), and each second what was counted is sent. With either
goes the time up to which it is complete.
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
"""This many bytes of samples are sent before the next tick."""

DIGEST_NS: Final = 1_000_000_000


class Stream:
    """A sink that sends samples, or what was counted of them."""

    def __init__(self, plan: Plan, exact: int | None, channel: "Channel", times: PhaseTimes) -> None:
        """Begin with nothing; `deployments` and `document` are to be kept up to date.

        Args:
            exact: number of rows that are sent as they are; None for all.
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
        """Whether what waits should not wait any longer."""
        return len(self._rows) >= SHIP_BYTES

    def ship(self, complete_ns: int, *, now: int | None = None) -> None:
        """Send what there is.

        Args:
            complete_ns: up to when all has been taken.
            now: the time, by which a digest is due or not; None for the last one.
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
        """Count afresh."""
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
