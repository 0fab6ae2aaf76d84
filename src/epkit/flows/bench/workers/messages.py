"""What the workers of a run say, and what they are told.

Times are ns since the run began, which is the same moment for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from epkit.core.http.request import Request
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from epkit.engines.base import Traffic
from epkit.engines.deferred import CheckCounts
from epkit.engines.driver import FirstFailure, FirstReply
from epkit.engines.runner import Ran


@dataclass(frozen=True, slots=True)
class ReadyMessage:
    """A worker has all it needs, and waits to be told when to begin."""


@dataclass(frozen=True, slots=True)
class GoMessage:
    """Begin, at a time of the worker's own clock (`time.perf_counter_ns`)."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class GateMessage:
    """A worker is through with all phases before one, ns since the run began."""

    place: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class AdmitMessage:
    """Begin the phase that is waited for, ns since the run began."""

    begin_ns: int


@dataclass(frozen=True, slots=True)
class StopMessage:
    """End the run: wait for what is in flight, or not; *planned* where a rule of the run ends it, and no signal."""

    drain: bool
    planned: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceMessage:
    """Send other requests from now on: with a new token."""

    requests: tuple[Request, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DocumentMessage:
    """The body size that those of other replies are held against, by whoever counts them."""

    size: int


@dataclass(frozen=True, slots=True)
class NoteMessage:
    """A line for whoever watches the traffic (`-v`)."""

    line: str


@dataclass(frozen=True, slots=True)
class RowsMessage:
    """Samples, times in ns since the run began, and up to when that is all."""

    data: bytes = field(repr=False)
    told_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DigestMessage:
    """What was counted of samples that are not sent: of the measured phases, and of each phase if there are several."""

    whole: Summary
    parts: tuple[Summary, ...]
    ended_ns: int
    told_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker knows besides samples; times in ns since the run began.

    Args:
        began_ns: when it really began.
        waiting: requests that are due and not over.
        cpu_s: process time since the run began; `cpu_before_s` of it before the measured phases.
        checks: what became of the replies that were to be checked beside the run.
    """

    began_ns: int
    started_at: datetime
    ended_ns: int
    sent: int
    failed: int
    begins: tuple[int, ...]
    most: tuple[int, ...]
    planned_end: int | None
    waiting: int
    deployments: tuple[str, ...]
    examples: Mapping[tuple[Failure, int], FirstFailure]
    first_reply: FirstReply | None
    unsent: Mapping[int, int]
    traffic: Traffic
    cpu_s: float
    cpu_before_s: float
    checks: CheckCounts = field(default_factory=CheckCounts)


@dataclass(frozen=True, slots=True)
class EndedMessage:
    """A worker's part is over."""

    facts: WorkerFacts
    ran: Ran
