"""The messages from and to the workers of a run.

Times are ns since the run began, which is the same moment for all of them.
"""

from dataclasses import dataclass, field

from epkit.core.http.request import Request
from epkit.core.report.summary import Summary
from epkit.flows.bench.driving import RunFacts


@dataclass(frozen=True, slots=True)
class ReadyMessage:
    """A worker has all it needs, and waits for a start time."""


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
    """Body size that later replies are compared with."""

    size: int


@dataclass(frozen=True, slots=True)
class NoteMessage:
    """A line of the traffic log (`-v`)."""

    line: str


@dataclass(frozen=True, slots=True)
class RowsMessage:
    """Samples, times in ns since the run began, and up to when that is all."""

    data: bytes = field(repr=False)
    complete_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DigestMessage:
    """What was counted of samples that are not sent: of the measured phases, and of each phase if there are several."""

    whole: Summary
    parts: tuple[Summary, ...]
    ended_ns: int
    complete_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndedMessage:
    """A worker's part is over."""

    facts: RunFacts
