"""The messages from and to the workers of a run.

Times are ns since the run began; this moment is the same for all workers.
"""

from dataclasses import dataclass, field

from epkit.core.http.request import Request
from epkit.core.report.summary import Summary
from epkit.flows.bench.driving import RunFacts


@dataclass(frozen=True, slots=True)
class ReadyMessage:
    """A worker is prepared, and waits for a start time."""


@dataclass(frozen=True, slots=True)
class GoMessage:
    """Start at this time of the worker's own clock (`time.perf_counter_ns`)."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class GateMessage:
    """A worker has completed all phases before this one; the time is ns since the run began."""

    place: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class AdmitMessage:
    """Start the phase that the worker waits for; the time is ns since the run began."""

    begin_ns: int


@dataclass(frozen=True, slots=True)
class StopMessage:
    """End the run. *drain*: wait for requests in flight. *planned*: a rule of the run ends it, not a signal."""

    drain: bool
    planned: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceMessage:
    """Send other requests from now on, with a new token."""

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
    """Samples with times in ns since the run began, and the time up to which they are complete."""

    data: bytes = field(repr=False)
    complete_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DigestMessage:
    """The counts of samples that are not sent: of the measured phases, and of each phase if there are several."""

    whole: Summary
    parts: tuple[Summary, ...]
    ended_ns: int
    complete_ns: int
    begins: tuple[int, ...]
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndedMessage:
    """A worker has finished its part."""

    facts: RunFacts
