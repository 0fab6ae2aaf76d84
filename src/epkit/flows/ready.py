"""A bench that can begin: what it sends to whom, and the requests as a token that was replaced has them."""

from collections.abc import Callable
from dataclasses import dataclass

from epkit.core.destination import Destination
from epkit.core.plan import Plan
from epkit.core.request import Request
from epkit.engines.base import Engine
from epkit.engines.deferred import Check
from epkit.engines.driver import Recorder
from epkit.flows.aim import Aim
from epkit.flows.requests import Load


@dataclass(slots=True)
class Current:
    """The requests as they are sent now: with a token that was replaced, in the run under way and in those to come."""

    requests: tuple[Request, ...]
    driver: Recorder | None = None

    def replace(self, requests: tuple[Request, ...]) -> None:
        """Take requests with another token; called from another thread."""
        self.requests = requests
        if self.driver is not None:
            self.driver.replace(requests)

    def drive(self, driver: Recorder) -> None:
        """Let a driver that is about to begin send them."""
        self.driver = driver
        driver.replace(self.requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A run that can begin.

    Args:
        current: the requests of *load*, as they are sent now.
        check: what replies are held against beside the run, if anything.
        make_engine: makes an engine for a run of a plan; each run has its own.
    """

    aim: Aim
    load: Load
    current: Current
    destination: Destination
    make_engine: Callable[[Plan], Engine]
    plan: Plan
    check: Check | None = None
