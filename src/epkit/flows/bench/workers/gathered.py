"""What several workers know of a run, put together as one driver would know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from epkit.core.load.plan import Plan
from epkit.core.report.counters import Counters
from epkit.core.samples.clocks import Offset
from epkit.core.samples.rows import Failure
from epkit.core.stats.histogram import Histogram
from epkit.engines.deferred import CheckCounts
from epkit.engines.driver import FirstFailure, FirstReply
from epkit.engines.runner import Ran
from epkit.engines.workers.crew import Member
from epkit.flows.bench.workers.messages import GateMessage, WorkerFacts


@dataclass(slots=True, eq=False)
class WorkerPart:
    """What is known of one worker's part.

    Args:
        plan: its share.
        lost: why it is gone, None while it is not.
        ended_ns: when the last request that was told of was over, ns since the run began.
        heard_at: when it last said something, `time.monotonic`.
    """

    member: Member
    plan: Plan
    facts: WorkerFacts | None = None
    ran: Ran | None = None
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
        """Whether nothing more will come of it."""
        return self.ran is not None or self.lost is not None


class Gathered:
    """The parts of a run together; the attributes are those of `epkit.engines.driver.Recorder`."""

    parts: dict[Member, WorkerPart]
    began: int
    begins: list[int]
    ended_by_rule: bool

    @property
    def sent(self) -> int:
        """Requests that are over, as far as is known."""
        return sum(part.counters.sent for part in self.parts.values())

    @property
    def failed(self) -> int:
        """Those of them that failed."""
        return sum(part.counters.failed for part in self.parts.values())

    @property
    def ended(self) -> int:
        """When the last request was over, `time.perf_counter_ns`."""
        told = [part.ended_ns for part in self.parts.values()]
        return self.began + max([*told, *(facts.ended_ns for facts in self._facts())])

    @property
    def most(self) -> list[int]:
        """The most in flight in each phase: of all workers together, if each had its most at the same time."""
        tops = [facts.most for facts in self._facts()]
        return [sum(most[i] for most in tops if len(most) > i) for i in range(len(self.begins))]

    @property
    def planned_end(self) -> int | None:
        """When the run would have ended by its plan, ns since it began."""
        ends = [facts.planned_end for facts in self._facts()]
        return None if self.ended_by_rule or None in ends or not ends else max(end for end in ends if end is not None)

    @property
    def cpu_s(self) -> float:
        """Process time before the measured phases."""
        return sum(facts.cpu_before_s for facts in self._facts())

    @property
    def spent_s(self) -> float:
        """Process time since the run began."""
        return sum(facts.cpu_s for facts in self._facts())

    @property
    def examples(self) -> dict[tuple[Failure, int], FirstFailure]:
        """The first failures of each kind."""
        found: dict[tuple[Failure, int], FirstFailure] = {}
        for facts in self._facts():
            for kind, example in facts.examples.items():
                if kind in found:
                    found[kind] = replace(found[kind], count=found[kind].count + example.count)
                else:
                    found[kind] = example
        return found

    @property
    def first_reply(self) -> FirstReply | None:
        """The first whole reply of the first worker that had one."""
        return next((facts.first_reply for facts in self._facts() if facts.first_reply), None)

    @property
    def unsent(self) -> Mapping[int, int]:
        """Requests of each payload that never found a connection."""
        found: dict[int, int] = {}
        for facts in self._facts():
            for payload, n in facts.unsent.items():
                found[payload] = found.get(payload, 0) + n
        return found

    def waiting(self) -> int:
        """Return how many requests are due and not over."""
        return sum(part.facts.waiting for part in self.parts.values() if part.facts and not part.is_over)

    def checked(self) -> CheckCounts:
        """Return what became of the replies that were to be checked beside the run."""
        return sum((facts.checks for facts in self._facts()), CheckCounts())

    def _facts(self) -> list[WorkerFacts]:
        return [part.facts for part in self.parts.values() if part.facts is not None]
