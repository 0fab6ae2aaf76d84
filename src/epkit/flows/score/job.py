"""A job that is ready to start, and the interface of its driver."""

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
"""Takes the rows of a chunk, from its `written` up to an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyJob:
    """A job that can start.

    Args:
        place: where the predictions are in a reply, if the user named the place.
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
    """Sends all rows of a job to an endpoint; the attributes are those of `BatchDriver`."""

    service: Histogram
    waits: Waits

    @property
    def rows(self) -> int:
        """Number of rows that have been written."""

    @property
    def failed_rows(self) -> int:
        """Number of rows that have been given up."""

    @property
    def requests(self) -> int:
        """Number of requests that have ended."""

    @property
    def retries(self) -> int:
        """Number of these requests that were repeated."""

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""

    @property
    def hopeless(self) -> Outcome | str | None:
        """Why the job ended early, or None."""

    @property
    def is_over(self) -> bool:
        """Whether every row is settled."""

    def run(self, tick: Callable[[], None] | None) -> Signals | None:
        """Run the job.

        Args:
            tick: called about five times a second.

        Returns:
            The signal that ended it early.

        Raises:
            EpkitError: the job cannot start, or its output cannot be written.
        """

    def renew(self, value: Secret) -> None:
        """Send another Authorization from now on; may be called from any thread."""

    def finish(self) -> None:
        """Write the settled rows."""


class JobWorkers(Protocol):
    """Workers that share a job. A job uses workers only through this protocol and their driver."""

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that the workers cannot reach.

        Raises:
            UsageError: they cannot reach it.
        """

    def driver(self, ready: ReadyJob, supply: Supply, write: Write, policy: Policy) -> JobDriver:
        """Make the driver of a job."""
