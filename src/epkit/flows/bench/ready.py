"""Everything that a bench needs to start: the target and the requests; they change when a token is renewed."""

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
    """The requests with the current token, for the run in progress and for later runs."""

    requests: tuple[Request, ...]
    generator: LoadGenerator | None = None
    part: tuple[int, ...] | None = None

    def replace(self, requests: tuple[Request, ...]) -> None:
        """Use requests with another token from now on; called from another thread."""
        self.requests = requests
        if self.generator is not None:
            self.generator.replace(self._of_part())

    def drive(self, generator: LoadGenerator, part: tuple[int, ...] | None = None) -> None:
        """Let a generator that is about to start send the requests; *part* limits them to those with these indices."""
        self.part = part
        self.generator = generator
        generator.replace(self._of_part())

    def _of_part(self) -> tuple[Request, ...]:
        return self.requests if self.part is None else tuple(self.requests[index] for index in self.part)


class Workers(Protocol):
    """Workers that make the load of runs. A bench uses workers only through this protocol and their generator."""

    def __len__(self) -> int:
        """Return the number of workers."""

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that the workers cannot reach.

        Raises:
            UsageError: they cannot reach it.
        """

    def generator(
        self, asked: AskedBench, ready: "PreparedRun", measured: Measurement, shown: Shown, *, all_rows: bool
    ) -> LoadGenerator:
        """Make the generator of a run; *all_rows*: whether something needs every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that can start.

    Args:
        current: the requests of *load* with the current token. If *part* is given, *load* contains only the requests
            with these indices.
        engine: the name of the engine.
        make_engine: makes the engine for one run.
        check: the check of replies that runs in parallel with the run, if there is one.
        replies: if *check* uses a contract, its document and the path in it.
        workers: the workers that make the load; None for this process.
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
