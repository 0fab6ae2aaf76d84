"""The interface between a run and its load generator, and the load generator of a single process."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from signal import Signals
from typing import Protocol

import numpy as np

from epkit.core.http.request import Request
from epkit.core.http.request_ids import RequestIds, numbered
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Plan
from epkit.core.report.workers import WorkerRecord
from epkit.core.samples.rows import Failure
from epkit.engines.base import Engine, Traffic
from epkit.engines.deferred import Check, CheckCounts, Deferred
from epkit.engines.driver import ClosedLoop, FirstFailure, Judging
from epkit.engines.phased import Phased
from epkit.engines.runner import Ran
from epkit.engines.stamps import Stamps
from epkit.flows.target.requests import Requests


def _no_drifts() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of a run in addition to its samples, in its middle or at its end. Times are ns since the run began.

    Args:
        began: when the run began, `time.perf_counter_ns`; 0 before.
        late_ns: how long after that the load really began.
        ended_ns: when the last request so far was over.
        sent, failed: requests that are over, and those of them that failed.
        begins: when each phase that was entered began.
        most: most requests in flight in each of them.
        gaps: what passed between the end of a phase, by its index, and the next one.
        planned_end_ns: when the run would have ended by its plan; None where the last reply is the end.
        waiting: requests of an open phase that are due and not over.
        deployments: names by the index that samples have.
        examples: the first failure of each kind.
        first_head: the header block of the first whole reply; empty where there was none.
        miscounted: what was wrong with the number of predictions in a reply, where that was no failure.
        unsent: requests of each payload that never found a connection.
        cpu_s: process time since the run began; `cpu_before_s` of it before the measured phases.
        checks: what became of the replies that were to be checked in parallel with the run.
        drifts_ns: how late each heartbeat of the generator was; of a run that is over.
        stopped_by: the signal that ended the run early, if one did.
    """

    began: int
    started_at: datetime
    late_ns: int = 0
    ended_ns: int = 0
    sent: int = 0
    failed: int = 0
    begins: tuple[int, ...] = ()
    most: tuple[int, ...] = ()
    gaps: Mapping[int, int] = field(default_factory=dict)
    planned_end_ns: int | None = None
    waiting: int = 0
    deployments: tuple[str, ...] = ("",)
    examples: Mapping[tuple[Failure, int], FirstFailure] = field(default_factory=dict)
    first_head: bytes = b""
    miscounted: str = ""
    unsent: Mapping[int, int] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    cpu_s: float = 0.0
    cpu_before_s: float = 0.0
    checks: CheckCounts = field(default_factory=CheckCounts)
    drifts_ns: np.ndarray = field(default_factory=_no_drifts)
    stopped_by: Signals | None = None


class LoadGenerator(Protocol):
    """Who makes the load of one run: this process, or workers that share it. `engine` is the name of what sends."""

    engine: str

    @property
    def workers(self) -> int:
        """How many share the plan."""

    def run(self, tick: Callable[[], None]) -> RunFacts:
        """Run, to the end.

        Args:
            tick: called some five times a second.

        Raises:
            EpkitError: the run cannot be begun.
        """

    def facts(self) -> RunFacts:
        """Say what is known so far."""

    def flush(self) -> None:
        """Hand rows that wait to the sinks."""

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; from any thread."""

    def end(self, *, drain: bool) -> None:
        """End the run by a rule of its own: send nothing more, and with *drain* wait for what is in flight."""

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return what a report says of each worker, where there are some."""


def is_simple(plan: Plan) -> bool:
    """Tell whether a plan is one closed phase, for which there is a driver of its own, and nothing to slice."""
    return len(plan.phases) == 1 and plan.phases[0].model == "closed"


class DrivenPlan:
    """A plan, or a share of one, as this process drives it; its parallel checks come before the sinks."""

    def __init__(
        self,
        plan: Plan,
        load: Requests,
        engine: Engine,
        judging: Judging,
        times: PhaseTimes,
        *,
        check: Check | None = None,
        gate: Callable[[int], None] | None = None,
        ids: RequestIds | None = None,
    ) -> None:
        """Make the driver.

        Args:
            ids: of the requests, where they have some.
            check: what replies are checked against in parallel with the run.
            gate: as for `Phased`.
        """
        self.engine = engine
        self._deferred = None if check is None else Deferred(check, judging.sinks)
        if self._deferred is not None:
            judging = replace(judging, sinks=(self._deferred.add,), inspect=self._deferred.inspect)
        self._ids = ids
        requests = self._numbered(load.requests)
        self.driver: ClosedLoop | Phased
        if is_simple(plan):
            self.driver = ClosedLoop(plan.phases[0], requests, load.rows, judging, times)
        else:
            self.driver = Phased(plan.phases, requests, load.rows, judging, times, seed=plan.seed, gate=gate)
        if ids is not None:
            engine.stamps = self.driver.stamps = Stamps(ids)
        self._cpu_s = 0.0

    def begin(self) -> None:
        """Take note of the CPU time that was spent before."""
        self._cpu_s = time.process_time()

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; from any thread."""
        self.driver.replace(self._numbered(requests))

    def _numbered(self, requests: Sequence[Request]) -> Sequence[Request]:
        ids = self._ids
        return requests if ids is None else [numbered(request, ids) for request in requests]

    def end(self, *, drain: bool) -> None:
        """End the run by a rule of its own."""
        self.driver.stop()
        self.engine.stop(drain=drain)

    def settle(self) -> None:
        """Hand on the last rows, once all is over and the last checks are made."""
        self.driver.flush()
        if self._deferred is None:
            return
        self._deferred.finish()
        examples = self.driver.examples
        for kind, example in self._deferred.examples.items():
            if kind in examples:
                examples[kind].count += example.count
            else:
                started = example.start_ns
                examples[kind] = replace(example, start_ns=None if started is None else started - self.driver.began)

    def facts(self, ran: Ran | None = None) -> RunFacts:
        """Say what is known.

        Args:
            ran: what the run was like for its generator, when it is over.
        """
        driver = self.driver
        known = RunFacts(
            began=driver.began,
            started_at=driver.started_at,
            late_ns=driver.late_ns,
            ended_ns=max(0, driver.ended - driver.began),
            sent=driver.sent,
            failed=driver.failed,
            begins=driver.times.begins,
            most=tuple(driver.most),
            gaps=dict(driver.gaps),
            planned_end_ns=driver.planned_end,
            waiting=driver.waiting(),
            deployments=tuple(driver.deployments),
            examples={kind: replace(example) for kind, example in driver.examples.items()},
            first_head=driver.first_head,
            miscounted=driver.miscounted,
            unsent=dict(driver.unsent),
            traffic=replace(self.engine.traffic),
            cpu_s=time.process_time() - self._cpu_s,
            cpu_before_s=driver.cpu_s,
            checks=CheckCounts() if self._deferred is None else replace(self._deferred.counts),
        )
        if ran is None:
            return known
        return replace(known, cpu_s=ran.cpu_s, drifts_ns=ran.drifts_ns, stopped_by=ran.stopped_by)
