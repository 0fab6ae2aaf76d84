"""The measurement of one plan: the sinks of its phases, and the results of the phases."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.http.request_ids import RequestIds
from epkit.core.load import schedule
from epkit.core.load.phases import PhaseTimes, Slice
from epkit.core.load.plan import Plan
from epkit.core.report import health
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import PhaseInfo
from epkit.core.report.summary import Summary
from epkit.engines.driver import Sink
from epkit.flows.bench.driving import RunFacts, is_simple

PHASE_ROWS: Final = 200_000
"""Rows kept of each phase, in addition to the rows kept of the whole run: 16 MB."""


class Measurement:
    """A plan, the sinks of its phases, and the summaries of the phases."""

    def __init__(
        self,
        plan: Plan,
        *,
        sinks: Sequence[Sink] = (),
        failures_as_infinite: bool = False,
        ids: RequestIds | None = None,
        rows_of: Sequence[int | None] = (),
    ) -> None:
        """Prepare a run; `summary` covers the measured phases.

        Args:
            ids: the ids of the requests, if they have some.
            sinks: sinks of the measured phases, in addition to the summary; times in their blocks are ns since the
                first measured phase began.
            rows_of: the number of rows in each payload; None if it is not known.
        """
        self.plan, self.ids = plan, ids
        self.summary = Summary(failures_as_infinite=failures_as_infinite, rows_of=rows_of)
        self.parts: tuple[Summary, ...] = ()
        """A summary of each phase, if there are several phases."""
        first = self._first = len(plan.phases) - len(plan.measured)
        self.times = PhaseTimes()
        """Filled by the code that drives the plan."""
        wanted: list[Sink] = [self.summary.add, *sinks]
        if not is_simple(plan):
            wanted = [Slice(self.times, first, None, sink) for sink in wanted]
        if len(plan.phases) > 1:
            self.parts = tuple(Summary(exact=PHASE_ROWS, rows_of=rows_of) for _ in plan.phases)
            wanted += [Slice(self.times, i, i, part.add) for i, part in enumerate(self.parts)]
        self.sinks = tuple(wanted)
        """The sinks that get every block of the run."""

    @property
    def varied(self) -> bool:
        """Whether the plan changes the load during the measured phases."""
        return len(self.plan.measured) > 1 or self.plan.measured[0].rate_to is not None

    def most(self, facts: RunFacts) -> int:
        """Return the most requests in flight in the measured phases."""
        return max(facts.most[self._first :], default=0)

    def began_ns(self, facts: RunFacts) -> int:
        """Return when the measured phases began, ns since the run began; before that, the end of the last request."""
        return facts.begins[self._first] if len(facts.begins) > self._first else facts.ended_ns

    def started_ns(self, facts: RunFacts) -> int:
        """Return when the measured phases began, ns since the epoch."""
        return int(facts.started_at.timestamp() * 1e9) + self.began_ns(facts)

    def duration_ns(self, facts: RunFacts) -> int:
        """Return how long the measured phases took: to the end of the plan or of the last request."""
        return max(0, self._end_of(len(self.plan.phases) - 1, facts) - self.began_ns(facts))

    def sending_ns(self, facts: RunFacts) -> int:
        """Return how long the measured phases sent requests: to the end of the schedule, or to the last request."""
        if facts.planned_end_ns is not None and facts.stopped_by is None:
            return facts.planned_end_ns - self.began_ns(facts)
        return self.summary.counters.last_start

    def cpu_s(self, facts: RunFacts) -> float:
        """Return the process time of the measured phases."""
        return facts.cpu_s - facts.cpu_before_s

    def phases(self, facts: RunFacts) -> tuple[PhaseInfo, ...]:
        """Describe the phases that were entered, if there are several."""
        if not self.parts:
            return ()
        return tuple(
            part.phase(
                phase,
                begin_ns=begin,
                duration_ns=max(0, self._end_of(i, facts) - begin),
                sending_ns=self._sending_of(i, part, facts),
                most=facts.most[i],
                measured=i >= self._first,
            )
            for i, (phase, begin, part) in enumerate(zip(self.plan.phases, facts.begins, self.parts, strict=False))
        )

    def reasons(self, facts: RunFacts) -> list[Caveat]:
        """Give the reasons in the load why the run is not valid."""
        found: list[Caveat] = []
        for i, phase in enumerate(self.plan.phases[: len(facts.begins)]):
            if i < self._first or (facts.stopped_by is not None and i == len(facts.begins) - 1):
                continue
            part = self.parts[i] if self.parts else self.summary
            counters, sent = part.counters, part.counters.counts().sent
            if phase.model == "open":
                full = phase.concurrency if facts.most[i] >= phase.concurrency else None
                span = schedule.span_ns(phase)
                assert span is not None
                noted = [
                    health.behind(span, counters.last_start, sent),
                    health.late(counters.late, sent, full=full),
                ]
            else:
                duration = self._end_of(i, facts) - facts.begins[i]
                pace = part.pace(self._sending_of(i, part, facts), duration)
                noted = [health.crowd(phase.concurrency, sent, pace.in_flight_ns, pace.over_ns)] if self.varied else []
            several = len(self.plan.measured) > 1
            found += [caveat.about(phase.name) if several else caveat for caveat in noted if caveat]
        return found

    def warnings(self, facts: RunFacts) -> list[Caveat]:
        """Return further remarks on the load."""
        found = []
        phase = self.plan.measured[-1]
        if phase.model == "open" and self.most(facts) >= phase.concurrency:
            text = (
                f"all {phase.concurrency} requests that -c allows were in flight: -c limits the load (late requests "
                f"are timed from when they were due)"
            )
            found.append(Caveat(kind=CaveatKind.CAPPED, text=text))
        if phase.model == "open" and not self.varied and facts.stopped_by is None:
            rows = list(self.summary.blocks())
            if rows and self.summary.complete:
                due = np.concatenate([block["due"] for block in rows])
                end = np.concatenate([block["end"] for block in rows])
                span = schedule.span_ns(phase)
                grown = health.growing(due, end, span or 0)
                found += [grown] if grown else []
        return found

    def _sending_of(self, i: int, part: Summary, facts: RunFacts) -> int:
        """Return how long a phase sent requests, ns; *part* is the summary of the phase."""
        last = i + 1 == len(self.plan.phases)
        if i + 1 < len(facts.begins) or (last and facts.planned_end_ns is not None and facts.stopped_by is None):
            planned = schedule.span_ns(self.plan.phases[i]) if self.plan.phases[i].model == "open" else None
            if planned is not None:
                return planned
        return part.counters.last_start

    def _end_of(self, i: int, facts: RunFacts) -> int:
        """Return when a phase ended, ns since the run began."""
        if i + 1 < len(facts.begins):
            return facts.begins[i + 1] - facts.gaps.get(i, 0)
        if facts.planned_end_ns is not None and facts.stopped_by is None:
            return max(facts.ended_ns, facts.planned_end_ns)
        return facts.ended_ns
