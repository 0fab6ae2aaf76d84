"""A job that is ready to begin, and the interface of what runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from signal import Signals
from typing import Protocol

from epkit.core.http.destination import Destination
from epkit.core.http.request import Template
from epkit.core.http.secret import Secret
from epkit.core.replies.finding import ReplyPlace
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Policy
from epkit.core.score.retrying import Waits
from epkit.core.stats.histogram import Histogram
from epkit.engines.base import Engine
from epkit.engines.batches import Outcome
from epkit.flows.rows.input import Input
from epkit.flows.target.target import Target

Supply = Callable[[], Chunk | None]
"""Reads the next chunk; None at the end."""

Write = Callable[[Chunk, int], None]
"""Takes the rows of a chunk from its `written` up to a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyJob:
    """A job that can begin.

    Args:
        place: where predictions are in a reply, if that was said.
    """

    target: Target
    destination: Destination
    input: Input
    template: Template
    packer: Packer
    engine: Engine
    timeout_ns: int
    place: ReplyPlace | None = None


class JobDriver(Protocol):
    """What brings all rows of a job through an endpoint; the attributes are those of `BatchDriver`."""

    service: Histogram
    waits: Waits

    @property
    def rows(self) -> int:
        """Rows that have been handed on."""

    @property
    def failed_rows(self) -> int:
        """Rows that have been given up."""

    @property
    def requests(self) -> int:
        """Requests that are over."""

    @property
    def retries(self) -> int:
        """Those of them that went again."""

    @property
    def in_flight(self) -> int:
        """Requests that are under way."""

    @property
    def hopeless(self) -> Outcome | str | None:
        """Why the job ended early, or None."""

    @property
    def is_over(self) -> bool:
        """Whether every row has been settled."""

    def run(self, tick: Callable[[], None] | None) -> Signals | None:
        """Do the job.

        Args:
            tick: called some five times a second.

        Returns:
            The signal that ended it early.

        Raises:
            EpkitError: it cannot be begun, or its output not be written.
        """

    def renew(self, value: Secret) -> None:
        """Send another Authorization from now on; from any thread."""

    def finish(self) -> None:
        """Hand on what is settled."""


class JobWorkers(Protocol):
    """Workers that share a job: all that a job knows of them, with the driver that they make."""

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that they cannot reach.

        Raises:
            UsageError: it is such a one.
        """

    def driver(self, ready: ReadyJob, supply: Supply, write: Write, policy: Policy) -> JobDriver:
        """Make the driver of a job."""
