"""The driver for plans of several phases, and for every open phase: a schedule determines when a request is due.

Theory of operation. One phase is current. In a closed phase, a slot that asks gets a request that is due now, if fewer
requests are in flight than the phase has slots. In an open phase, it gets the oldest request that is due and has not
been sent, however late it is, with the time at which it *was* due. So a stalled server delays requests, but changes
nothing in the plan and hides nothing from the response times. Slots that get no request rest until the next one is due.

A phase ends when its time is over and all requests that were due in it have been sent. The next phase begins at its
planned time, so late requests stay late. There is no wait in between: connections are used in all phases, and a row
belongs to the phase in which it was due (`epkit.core.load.phases`).

Several workers share a plan. A phase that ends at a time ends for all of them at once. A phase that ends with a number
of requests ends at a different time for each worker: then they wait for each other at a gate, and continue together at
a time that is sent to them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from epkit.core.http.request import Request
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import WARMUP, Phase
from epkit.core.load.schedule import due_times, span_ns
from epkit.core.samples.rows import Failure
from epkit.engines.base import FOREVER, Arrival, Exchange, Loan
from epkit.engines.driver import DriverBase, Judging

POLL_NS: Final = 10_000_000
"""Time for which a slot rests while it waits for the end of a phase that ends with a number of requests."""


class Phased(DriverBase):
    """Drives phases one after the other; a `PacingDriver`."""

    def __init__(
        self,
        phases: Sequence[Phase],
        requests: Sequence[Request],
        rows: Sequence[int | None],
        judging: Judging,
        times: PhaseTimes,
        *,
        seed: int = 0,
        gate: Callable[[int], None] | None = None,
    ) -> None:
        """Prepare a run; `stopped` is whether `stop` ended it.

        Args:
            phases: in order; a first phase with the name `WARMUP` is not measured.
            requests: one request for each payload, sent in turn.
            rows, times: as in `DriverBase`.
            seed: seed of random arrivals.
            gate: called with a phase's index when everything before this phase is over here; `admit` then begins the
                phase. None if there are no other workers to wait for.
        """
        super().__init__(requests, rows, judging, times)
        self._phases = tuple(phases)
        # The schedules are made before the clock starts: numpy needs more time for the first times than many servers
        # need for a reply.
        self._schedules = [
            _started(due_times(p, seed + i)) if p.model == "open" else iter(()) for i, p in enumerate(phases)
        ]
        self._payload, self._step = 0, 1
        self._begins_at = 0
        self._flying = 0
        self._gate = gate
        self._waits = self._over = self._open = self.stopped = False
        self._limit = self._left = 0
        self._rate = 0.0
        self._due = self._end = FOREVER
        self._last = 0
        self._blocks: Iterator[list[int]] = iter(())
        self._block: Iterator[int] = iter(())
        self._base = 0
        self._measured_from = 0

    def begin(self) -> None:
        """Start the clock."""
        super().begin()
        self._cpu = time.process_time()
        self._enter(self.began)

    @property
    def planned_end(self) -> int | None:
        """The end of the run by its plan, ns since it began; None if the run ends with the last reply."""
        return self._end - self.began if self._open and self._end != FOREVER and not self.stopped else None

    def stop(self) -> None:
        """Return no more arrivals from `next`; wake the resting slots after this call."""
        self._over = self.stopped = True

    def admit(self, begin: int) -> None:
        """Begin the phase for which the gate waits; wake the resting slots after this call.

        Args:
            begin: its begin, ns since the run began; may be in the future.
        """
        if self._waits and not self._over:
            self._waits = False
            self._enter(self.began + begin)

    def next(self, now: int) -> Arrival | None:
        """Return the oldest request that is due, or None."""
        while not (self._over or self._waits or now < self._begins_at):
            if self._open:
                due = self._due
                if due <= now and self._flying < self._limit:
                    self._last = due
                    self._due = next(self._block, None) or self._refill()
                    return self._give(due)
                if due != FOREVER or now < self._end:
                    return None
                begin = max(self._end, self._last + 1)
            elif self._left and now < self._end:
                if self._flying >= self._limit:
                    return None
                self._left -= 1
                return self._give(now)
            else:
                begin = min(self._end, now)
            self._leave(begin)
        return None

    def rest(self, now: int) -> int | None:
        """Return until when a free slot rests; None if the run is over."""
        if self._over:
            return None
        if self._waits:
            return FOREVER
        if now < self._begins_at:
            return self._begins_at
        if self._open:
            if self._due == FOREVER:
                return self._end
            return FOREVER if self._flying >= self._limit else self._due
        return self._end if self._end != FOREVER else now + POLL_NS

    def done(self, exchange: Exchange) -> None:
        """Process the outcome of a request."""
        self._flying -= 1
        super().done(exchange)

    def over(self) -> None:
        """Take note that a request is over whose row is stored."""
        self._flying -= 1

    def lend(self) -> Loan | None:
        """Lend the rows and the arrivals of a closed phase to a faster loop."""
        if self._open or self._over or self._waits or self._flying > self._limit:
            return None
        if time.perf_counter_ns() < self._begins_at:
            return None
        return self._loan(self._left, self._end, self._payload, self._step)

    def settle(self, offset: int, left: int, payload: int) -> None:
        """Take them back."""
        self._offset, self._left, self._payload = offset, left, payload

    def waiting(self) -> int:
        """Return how many requests of the current phase are due and not over, with those that have no slot yet."""
        late = time.perf_counter_ns() - self._due
        return self._flying + (max(0, round(late * self._rate / 1e9)) if self._open and late > 0 else 0)

    def _give(self, due: int) -> Arrival:
        self._flying += 1
        if self._flying > self.most[-1]:
            self.most[-1] = self._flying
        payload = self._payload
        self._payload = (payload + self._step) % len(self._requests)
        return due, payload, self._requests[payload]

    def _refill(self) -> int:
        """Return the first due time of the next block; `FOREVER` if there is none."""
        base = self._base
        self._block = (base + due for due in next(self._blocks, ()))
        return next(self._block, FOREVER)

    def _leave(self, end: int) -> None:
        """End the current phase; then enter the next one, wait for the other workers at its gate, or end the run."""
        place = len(self.times.begins)
        if place == len(self._phases):
            self._over = True
        elif self._gate is not None and _by_count(self._phases[place - 1]):
            self._waits = True
            self._gate(place)
        else:
            self._enter(end)

    def _enter(self, begin: int) -> None:
        """Enter the next phase, which begins at *begin*."""
        place = len(self.times.begins)
        phase = self._phases[place]
        self._begins_at = begin
        if phase.step > 1:
            self._payload, self._step = phase.first % len(self._requests), phase.step
        self.times.enter(begin - self.began)
        self.most.append(0)
        if place == 1 and self._phases[0].name == WARMUP:
            self._measured_from = begin
            self.cpu_s = time.process_time() - self._cpu
        self._open = phase.model == "open"
        self._limit = phase.concurrency
        self._rate = max(phase.rate or 0.0, phase.rate_to or 0.0)
        self._left = phase.requests if phase.requests is not None else 2**62
        self._base = begin
        span = span_ns(phase) if self._open else phase.duration_ns
        self._end = FOREVER if span is None else begin + span
        if self._open:
            self._blocks = self._schedules[place]
            self._due = self._refill()

    def _remember_failure(self, x: Exchange, failure: Failure, detail: str) -> None:
        if x.due >= self._measured_from:
            super()._remember_failure(x, failure, detail)


def _started(blocks: Iterator[list[int]]) -> Iterator[list[int]]:
    """Let an iterator compute its first value now."""
    return chain(list(islice(blocks, 1)), blocks)


def _by_count(phase: Phase) -> bool:
    """Tell whether a phase ends with a number of requests, so at a different time for each of several workers."""
    return phase.requests is not None and (phase.model == "closed" or phase.arrivals == "poisson")
