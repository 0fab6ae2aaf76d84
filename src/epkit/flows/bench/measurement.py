"""One plan on its way: the driver that it needs, the sinks of its phases, and what they make of it."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.load import schedule
from epkit.core.load.phases import Slice
from epkit.core.load.plan import Plan
from epkit.core.report import health
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import PhaseInfo
from epkit.core.report.summary import Summary
from epkit.engines.driver import Sink
from epkit.engines.runner import Ran
from epkit.flows.bench.driving import Drive, is_simple

PHASE_ROWS: Final = 200_000
"""So many rows of each phase are kept beside those of the whole: 16 MB."""


class Measurement:
    """A plan, what drives it, and its summaries."""

    def __init__(self, plan: Plan, drive: Drive, *, sinks: Sequence[Sink] = (), failures_as_infinite: bool = False):
        """Prepare a run; `driver` and `summary` (of the measured phases) are public.

        Args:
            drive: makes what drives the plan, given where its samples go to.
            sinks: of the measured phases, beside the summary; times in their blocks are ns since those began.
        """
        self.plan = plan
        self.summary = Summary(failures_as_infinite=failures_as_infinite)
        self.parts: tuple[Summary, ...] = ()
        """Of each phase by itself, where there are several."""
        first = self._first = len(plan.phases) - len(plan.measured)
        begins: list[int] = []
        wanted: list[Sink] = [self.summary.add, *sinks]
        if not is_simple(plan):
            wanted = [Slice(begins, first, None, sink) for sink in wanted]
        if len(plan.phases) > 1:
            self.parts = tuple(Summary(exact=PHASE_ROWS) for _ in plan.phases)
            wanted += [Slice(begins, i, i, part.add) for i, part in enumerate(self.parts)]
        self.driver = drive(wanted, begins)

    @property
    def varied(self) -> bool:
        """Whether the load was meant to change while it was measured."""
        return len(self.plan.measured) > 1 or self.plan.measured[0].rate_to is not None

    @property
    def most(self) -> int:
        """The most that was in flight in the measured phases."""
        return max(self.driver.most[self._first :], default=0)

    def began_ns(self) -> int:
        """Return when the measured phases began, `time.perf_counter_ns`."""
        begins = self.driver.begins
        return self.driver.began + begins[self._first] if len(begins) > self._first else self._ended()

    def started_ns(self) -> int:
        """Return when the measured phases began, ns since the epoch."""
        return int(self.driver.started_at.timestamp() * 1e9) + self.began_ns() - self.driver.began

    def duration_ns(self, ran: Ran) -> int:
        """Return how long the measured phases took: to the end of the plan, or of the last request."""
        return max(0, self._end_of(len(self.plan.phases) - 1, ran) - (self.began_ns() - self.driver.began))

    def cpu_s(self, ran: Ran) -> float:
        """Return the process time that the measured phases cost."""
        return ran.cpu_s - self.driver.cpu_s

    def phases(self, ran: Ran) -> tuple[PhaseInfo, ...]:
        """Describe the phases that were entered, where there are several."""
        if not self.parts:
            return ()
        driver = self.driver
        return tuple(
            part.phase(
                phase,
                begin_ns=begin,
                duration_ns=max(0, self._end_of(i, ran) - begin),
                most=driver.most[i],
                measured=i >= self._first,
            )
            for i, (phase, begin, part) in enumerate(zip(self.plan.phases, driver.begins, self.parts, strict=False))
        )

    def reasons(self, ran: Ran) -> list[Caveat]:
        """Say why the run is not valid, as far as its load goes."""
        found: list[Caveat] = []
        for i, phase in enumerate(self.plan.phases[: len(self.driver.begins)]):
            if i < self._first or (ran.stopped_by is not None and i == len(self.driver.begins) - 1):
                continue
            part = self.parts[i] if self.parts else self.summary
            counters, sent = part.counters, part.counters.counts().sent
            if phase.model == "open":
                full = phase.concurrency if self.driver.most[i] >= phase.concurrency else None
                span = schedule.span_ns(phase)
                assert span is not None
                told = [
                    health.behind(span, counters.last_start, sent),
                    health.late(counters.late, sent, full=full),
                ]
            else:
                duration = self._end_of(i, ran) - self.driver.begins[i]
                told = [health.crowd(phase.concurrency, sent, counters.in_flight_ns, duration)] if self.varied else []
            several = len(self.plan.measured) > 1
            found += [caveat.about(phase.name) if several else caveat for caveat in told if caveat]
        return found

    def warnings(self, ran: Ran) -> list[Caveat]:
        """Say what else should be known of the load."""
        found = []
        phase = self.plan.measured[-1]
        if phase.model == "open" and self.most >= phase.concurrency:
            text = (
                f"all {phase.concurrency} requests that may be in flight were: -c caps the load (late ones are timed "
                "from when they were due)"
            )
            found.append(Caveat(kind=CaveatKind.CAPPED, text=text))
        if phase.model == "open" and not self.varied and ran.stopped_by is None:
            rows = list(self.summary.blocks())
            if rows and self.summary.complete:
                due = np.concatenate([block["due"] for block in rows])
                end = np.concatenate([block["end"] for block in rows])
                span = schedule.span_ns(phase)
                grown = health.growing(due, end, span or 0)
                found += [grown] if grown else []
        return found

    def _ended(self) -> int:
        return max(self.driver.began, self.driver.ended)

    def _end_of(self, i: int, ran: Ran) -> int:
        """Return when a phase ended, ns since the run began."""
        begins, driver = self.driver.begins, self.driver
        if i + 1 < len(begins):
            return begins[i + 1] - driver.gaps.get(i, 0)
        ended = self._ended() - driver.began
        if driver.planned_end is not None and ran.stopped_by is None:
            return max(ended, driver.planned_end)
        return ended
