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
    """What is known of a run in addition to its samples, during the run or after it. Times are ns since the run began.

    Args:
        began: when the run began, `time.perf_counter_ns`; 0 before.
        engine: the name of the engine; empty if no worker has reported yet.
        late_ns: the time from then to the real start of the load.
        ended_ns: when the last completed request ended.
        sent, failed: the number of completed requests, and how many of them failed.
        begins: when each phase that was entered began.
        most: the most requests in flight in each of these phases.
        gaps: the time between the end of a phase and the start of the next one, by the index of the first.
        planned_end_ns: the end of the run in the plan; None if the run ends with the last reply.
        waiting: requests of an open phase that are due and not completed.
        deployments: names of the deployments; samples have their index.
        examples: the first failure of each kind.
        first_head: the header block of the first whole reply; empty if there was none.
        miscounted: what is wrong with the number of predictions in a reply, if that was not a failure.
        unsent: requests of each payload that never got a connection.
        cpu_s: process time since the run began; `cpu_before_s` of it was used before the measured phases.
        checks: the counts of the replies that were checked in parallel with the run.
        drifts_ns: how late each heartbeat of the generator was; only after the run.
        stopped_by: the signal that ended the run early, if there was one.
    """

    began: int
    started_at: datetime
    engine: str = ""
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
    """Makes the load of one run: this process, or workers that share it."""

    @property
    def workers(self) -> int:
        """The number of workers that share the plan."""

    def run(self, tick: Callable[[], None]) -> RunFacts:
        """Run the plan to its end.

        Args:
            tick: called about five times a second.

        Raises:
            EpkitError: the run cannot start.
        """

    def facts(self) -> RunFacts:
        """Return what is known so far."""

    def flush(self) -> None:
        """Pass waiting rows to the sinks."""

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; may be called from any thread."""

    def end(self, *, drain: bool) -> None:
        """End the run early: send nothing more, and with *drain* wait for the requests in flight."""

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return the report's records of the workers, if there are any."""


def is_simple(plan: Plan) -> bool:
    """Return whether a plan is one closed phase. Such a plan has its own driver, and its blocks need no slicing."""
    return len(plan.phases) == 1 and plan.phases[0].model == "closed"


class DrivenPlan:
    """Drives a plan, or a share of one, in this process; parallel checks finish before the sinks get the rows."""

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
        """Create the driver.

        Args:
            ids: the ids of the requests, if they have some.
            check: the check of replies that runs in parallel with the run.
            gate: the `gate` of `Phased`.
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
        """Store the CPU time that was used before the run."""
        self._cpu_s = time.process_time()

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on; may be called from any thread."""
        self.driver.replace(self._numbered(requests))

    def _numbered(self, requests: Sequence[Request]) -> Sequence[Request]:
        ids = self._ids
        return requests if ids is None else [numbered(request, ids) for request in requests]

    def end(self, *, drain: bool) -> None:
        """End the run early."""
        self.driver.stop()
        self.engine.stop(drain=drain)

    def settle(self) -> None:
        """Pass the last rows on, after the run and the last checks."""
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
        """Return what is known of the run.

        Args:
            ran: the generator's own figures, after the run.
        """
        driver = self.driver
        known = RunFacts(
            began=driver.began,
            started_at=driver.started_at,
            engine=self.engine.name,
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
