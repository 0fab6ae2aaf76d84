"""One plan on its way: the driver that it needs, the sinks of its phases, and what they make of it."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from epkit.core import health, schedule
from epkit.core.judging import Depth
from epkit.core.phases import Slice
from epkit.core.plan import Plan
from epkit.core.report import PhaseInfo
from epkit.core.summary import Summary
from epkit.engines.base import Exchange
from epkit.engines.deferred import Check, Deferred
from epkit.engines.driver import ClosedLoop, Sink, Verdict
from epkit.engines.phased import Phased
from epkit.engines.runner import Ran
from epkit.flows.requests import Load

PHASE_ROWS: Final = 200_000
"""So many rows of each phase are kept beside those of the whole: 16 MB."""


class Measurement:
    """A plan, its driver and its summaries."""

    def __init__(
        self,
        plan: Plan,
        load: Load,
        *,
        sinks: Sequence[Sink] = (),
        depth: Depth = Depth.REPLY,
        check: Check | None = None,
        failures_as_infinite: bool = False,
        log: Callable[[Exchange], None] | None = None,
    ) -> None:
        """Prepare a run; `driver`, `summary` (of the measured phases) and `deferred` are public.

        Args:
            sinks: of the measured phases, beside the summary; times in their blocks are ns since those began.
            check: what replies are held against beside the run.
        """
        self.plan = plan
        self.summary = Summary(failures_as_infinite=failures_as_infinite)
        self._parts: tuple[Summary, ...] = ()
        first = self._first = len(plan.phases) - len(plan.measured)
        self.driver: ClosedLoop | Phased
        wanted: list[Sink] = [self.summary.add, *sinks]
        self.deferred: Deferred | None = None
        if len(plan.phases) == 1 and plan.phases[0].model == "closed":
            self.driver = ClosedLoop(
                plan.phases[0], load.requests, load.rows, sinks=self._judged(wanted, check), depth=depth,
                inspect=self._inspect, log=log,
            )  # fmt: skip
            return
        begins: list[int] = []
        slices: list[Sink] = [Slice(begins, first, None, sink) for sink in wanted]
        if len(plan.phases) > 1:
            self._parts = tuple(Summary(exact=PHASE_ROWS) for _ in plan.phases)
            slices += [Slice(begins, i, i, part.add) for i, part in enumerate(self._parts)]
        self.driver = Phased(
            plan.phases, load.requests, load.rows, sinks=self._judged(slices, check), begins=begins, seed=plan.seed,
            depth=depth, inspect=self._inspect, log=log,
        )  # fmt: skip

    def _judged(self, sinks: list[Sink], check: Check | None) -> list[Sink]:
        """Put what is checked beside the run between the driver and its sinks."""
        if check is None:
            return sinks
        self.deferred = Deferred(check, sinks)
        return [self.deferred.add]

    @property
    def _inspect(self) -> Callable[[int, Exchange], Verdict | None] | None:
        return None if self.deferred is None else self.deferred.inspect

    @property
    def varied(self) -> bool:
        """Whether the load was meant to change while it was measured."""
        return len(self.plan.measured) > 1 or self.plan.measured[0].rate_to is not None

    @property
    def most(self) -> int:
        """The most that was in flight in the measured phases."""
        if isinstance(self.driver, Phased):
            return max(self.driver.most[self._first :], default=0)
        return self.plan.slots

    def began_ns(self) -> int:
        """Return when the measured phases began, `time.perf_counter_ns`."""
        return self.driver.began + self._begins()[self._first] if len(self._begins()) > self._first else self._ended()

    def started_ns(self) -> int:
        """Return when the measured phases began, ns since the epoch."""
        return int(self.driver.started_at.timestamp() * 1e9) + self.began_ns() - self.driver.began

    def duration_ns(self, ran: Ran) -> int:
        """Return how long the measured phases took: to the end of the plan, or of the last request."""
        return max(0, self._end_of(len(self.plan.phases) - 1, ran) - (self.began_ns() - self.driver.began))

    def cpu_s(self, ran: Ran) -> float:
        """Return the process time that the measured phases cost."""
        return ran.cpu_s - (self.driver.cpu_s if isinstance(self.driver, Phased) else 0.0)

    def phases(self, ran: Ran) -> tuple[PhaseInfo, ...]:
        """Describe the phases that were entered, where there are several."""
        if not self._parts:
            return ()
        begins, driver = self._begins(), self.driver
        assert isinstance(driver, Phased)
        return tuple(
            part.phase(
                phase,
                begin_ns=begin,
                duration_ns=max(0, self._end_of(i, ran) - begin),
                most=driver.most[i],
                measured=i >= self._first,
            )
            for i, (phase, begin, part) in enumerate(zip(self.plan.phases, begins, self._parts, strict=False))
        )

    def reasons(self, ran: Ran) -> list[str]:
        """Say why the run is not valid, as far as its load goes."""
        found = []
        for i, phase in enumerate(self.plan.phases[: len(self._begins())]):
            if i < self._first or (ran.stopped_by is not None and i == len(self._begins()) - 1):
                continue
            part = self._parts[i] if self._parts else self.summary
            counters, sent = part.counters, part.counters.counts().sent
            if phase.model == "open":
                full = phase.concurrency if self._most(i) >= phase.concurrency else None
                span = schedule.span_ns(phase)
                assert span is not None
                told = [
                    health.behind(span, counters.last_start, sent),
                    health.late(counters.late, sent, full=full),
                ]
            else:
                duration = self._end_of(i, ran) - self._begins()[i]
                told = [health.crowd(phase.concurrency, sent, counters.in_flight_ns, duration)] if self.varied else []
            name = f"{phase.name}: " if len(self.plan.measured) > 1 else ""
            found += [f"{name}{line}" for line in told if line]
        return found

    def warnings(self, ran: Ran) -> list[str]:
        """Say what else should be known of the load."""
        found = []
        phase = self.plan.measured[-1]
        if phase.model == "open" and self.most >= phase.concurrency:
            found.append(
                f"all {phase.concurrency} requests that may be in flight were: -c caps the load (late ones are timed "
                "from when they were due)"
            )
        if phase.model == "open" and not self.varied and ran.stopped_by is None:
            rows = list(self.summary.blocks())
            if rows and self.summary.complete:
                due = np.concatenate([block["due"] for block in rows])
                end = np.concatenate([block["end"] for block in rows])
                span = schedule.span_ns(phase)
                grown = health.growing(due, end, span or 0)
                found += [grown] if grown else []
        return found

    def _most(self, i: int) -> int:
        return self.driver.most[i] if isinstance(self.driver, Phased) else self.plan.slots

    def _begins(self) -> Sequence[int]:
        return self.driver.begins if isinstance(self.driver, Phased) else (0,)

    def _ended(self) -> int:
        return max(self.driver.began, self.driver.ended)

    def _end_of(self, i: int, ran: Ran) -> int:
        """Return when a phase ended, ns since the run began."""
        begins, driver = self._begins(), self.driver
        if i + 1 < len(begins):
            return begins[i + 1]
        ended = self._ended() - driver.began
        if isinstance(driver, Phased) and driver.until is not None and ran.stopped_by is None and not driver.stopped:
            last = self.plan.phases[len(begins) - 1]
            return max(ended, driver.until) if last.model == "open" else ended
        return ended
