"""Everything that a bench needs to start: the target, and the requests, which change when a token is replaced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from epkit.core.http.destination import Destination
from epkit.core.http.request import Request
from epkit.core.load.plan import Plan
from epkit.engines.base import Engine
from epkit.engines.deferred import Check
from epkit.flows.bench.driving import LoadGenerator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.target.requests import Requests
from epkit.flows.target.target import Target


@dataclass(slots=True)
class Current:
    """The requests as they are sent now: with a token that was replaced, in the run under way and in those to come."""

    requests: tuple[Request, ...]
    generator: LoadGenerator | None = None
    part: tuple[int, ...] | None = None

    def replace(self, requests: tuple[Request, ...]) -> None:
        """Take requests with another token; called from another thread."""
        self.requests = requests
        if self.generator is not None:
            self.generator.replace(self._of_part())

    def drive(self, generator: LoadGenerator, part: tuple[int, ...] | None = None) -> None:
        """Let a generator that is about to begin send them, or those of them that *part* names by their index."""
        self.part = part
        self.generator = generator
        generator.replace(self._of_part())

    def _of_part(self) -> tuple[Request, ...]:
        return self.requests if self.part is None else tuple(self.requests[index] for index in self.part)


class Workers(Protocol):
    """Workers that make the load of runs: all that a bench knows of them, with the generator that they make."""

    def __len__(self) -> int:
        """Return how many there are."""

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that they cannot reach.

        Raises:
            UsageError: it is such a one.
        """

    def generator(
        self, asked: AskedBench, ready: "PreparedRun", measured: Measurement, shown: Shown, *, all_rows: bool
    ) -> LoadGenerator:
        """Make the generator of a run; *all_rows* where something wants every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that can begin.

    Args:
        current: the requests of *load*, as they are sent now; where *part* is given, *load* has those of them alone
            that it names by their index.
        engine: the name of the one that sends.
        make_engine: makes it for one run.
        check: what replies are checked against in parallel with the run, if anything.
        replies: the document, and the path in it, that *check* holds replies against, where it is a contract.
        workers: who makes the load, None for this process.
    """

    target: Target
    load: Requests
    current: Current
    destination: Destination
    engine: str
    make_engine: Callable[[], Engine]
    plan: Plan
    check: Check | None = None
    replies: tuple[Mapping[str, Any], str] | None = None
    workers: Workers | None = None
    part: tuple[int, ...] | None = None
