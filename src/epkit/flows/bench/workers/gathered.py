"""Joins the data of several workers about a run, as if one process had made the run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from epkit.core.load.plan import Plan
from epkit.core.report.counters import Counters
from epkit.core.report.workers import WorkerRecord
from epkit.core.samples.clocks import Offset
from epkit.core.samples.rows import Failure
from epkit.core.stats.histogram import Histogram
from epkit.engines.base import Traffic
from epkit.engines.deferred import CheckCounts
from epkit.engines.driver import FirstFailure
from epkit.engines.workers.crew import Member
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.messages import GateMessage


@dataclass(slots=True, eq=False)
class WorkerPart:
    """What is known of one worker's part.

    Args:
        plan: the worker's share of the plan.
        facts: the last facts that the worker sent.
        has_ended: whether the worker sends nothing more.
        lost: why the worker is lost; None if it is not.
        ended_ns: when the last reported request ended, ns since the run began.
        heard_at: when the last message arrived, `time.monotonic`.
    """

    member: Member
    plan: Plan
    facts: RunFacts | None = None
    has_ended: bool = False
    lost: str | None = None
    ended_ns: int = 0
    heard_at: float = 0.0
    ready: bool = False
    gate: GateMessage | None = None
    drift: Offset = field(default_factory=Offset)
    counters: Counters = field(default_factory=Counters)
    service: Histogram = field(default_factory=Histogram)

    @property
    def is_over(self) -> bool:
        """Whether the worker has ended or is lost."""
        return self.has_ended or self.lost is not None

    @property
    def drifts_ns(self) -> np.ndarray:
        """How late each heartbeat of the worker was; empty until the worker has ended."""
        return np.empty(0, dtype=np.int64) if self.facts is None else self.facts.drifts_ns

    def record(self) -> WorkerRecord:
        """Return the report's record of the worker."""
        facts, member = self.facts, self.member
        planned = [phase.requests for phase in self.plan.measured if phase.model == "closed"]
        return WorkerRecord(
            name=member.name,
            host=member.host,
            sent=self.counters.sent,
            failed=self.counters.failed,
            planned=sum(n for n in planned if n is not None) if planned and None not in planned else None,
            service=self.service,
            began_ns=None if facts is None else facts.late_ns,
            cpu_s=0.0 if facts is None else max(0.0, facts.cpu_s - facts.cpu_before_s),
            drifts_ns=self.drifts_ns if self.has_ended else None,
            clock_offset_ns=member.clock.offset_ns,
            clock_error_ns=max(member.clock.error_ns, self.drift.error_ns),
            lost=self.lost,
        )


def gathered(parts: Sequence[WorkerPart], *, began: int, started_at: datetime, begins: tuple[int, ...]) -> RunFacts:
    """Join the facts of the workers of a run, as if they were those of one process.

    The engine's name lists several engines, if only some workers have the compiled module.
    Most requests in flight is the sum of the workers' values: it assumes that all reached theirs at the same time.

    Args:
        began, started_at, begins: values of the run, the same for all workers.
    """
    known = [part.facts for part in parts if part.facts is not None]
    ends = [facts.planned_end_ns for facts in known]
    return RunFacts(
        began=began,
        started_at=started_at,
        begins=begins,
        engine=" and ".join(sorted({facts.engine for facts in known if facts.engine})),
        ended_ns=max((0, *(part.ended_ns for part in parts), *(facts.ended_ns for facts in known))),
        sent=sum(part.counters.sent for part in parts),
        failed=sum(part.counters.failed for part in parts),
        most=tuple(sum(facts.most[i] for facts in known if len(facts.most) > i) for i in range(len(begins))),
        planned_end_ns=None if None in ends or not ends else max(end for end in ends if end is not None),
        waiting=sum(part.facts.waiting for part in parts if part.facts is not None and not part.is_over),
        examples=_examples(known),
        first_head=next((facts.first_head for facts in known if facts.first_head), b""),
        miscounted=next((facts.miscounted for facts in known if facts.miscounted), ""),
        unsent=sum((Counter(facts.unsent) for facts in known), Counter[int]()),
        traffic=_traffic([facts.traffic for facts in known]),
        cpu_s=sum(facts.cpu_s for facts in known),
        cpu_before_s=sum(facts.cpu_before_s for facts in known),
        checks=sum((facts.checks for facts in known), CheckCounts()),
        drifts_ns=np.concatenate([part.drifts_ns for part in parts]),
    )


def _examples(known: Iterable[RunFacts]) -> dict[tuple[Failure, int], FirstFailure]:
    """Return the first failure of each kind, with the number of such failures of all workers."""
    found: dict[tuple[Failure, int], FirstFailure] = {}
    for facts in known:
        for kind, example in facts.examples.items():
            before = found.get(kind)
            found[kind] = example if before is None else replace(before, count=before.count + example.count)
    return found


def _traffic(each: Sequence[Traffic]) -> Traffic:
    return Traffic(
        connections=sum(traffic.connections for traffic in each),
        closed=sum(traffic.closed for traffic in each),
        retried=sum(traffic.retried for traffic in each),
        unsolicited=sum(traffic.unsolicited for traffic in each),
        tls=next((traffic.tls for traffic in each if traffic.tls), None),
    )
