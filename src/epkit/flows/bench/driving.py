"""What a run asks of whatever drives it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from epkit.core.http.request import Request
from epkit.core.load.plan import Plan
from epkit.core.replies.judging import Depth
from epkit.core.samples.rows import Failure
from epkit.engines.base import Exchange
from epkit.engines.deferred import Check, Deferred
from epkit.engines.driver import ClosedLoop, FirstFailure, FirstReply, Sink
from epkit.engines.phased import Phased
from epkit.flows.target.requests import Requests


class Driving(Protocol):
    """What a run asks of whatever drives it; the attributes are those of `Recorder`."""

    began: int
    started_at: datetime
    deployments: list[str]
    gaps: dict[int, int]
    begins: list[int]

    @property
    def ended(self) -> int: ...  # noqa: D102
    @property
    def sent(self) -> int: ...  # noqa: D102
    @property
    def failed(self) -> int: ...  # noqa: D102
    @property
    def most(self) -> list[int]: ...  # noqa: D102
    @property
    def cpu_s(self) -> float: ...  # noqa: D102
    @property
    def planned_end(self) -> int | None: ...  # noqa: D102
    @property
    def examples(self) -> Mapping[tuple[Failure, int], FirstFailure]: ...  # noqa: D102
    @property
    def first_reply(self) -> FirstReply | None: ...  # noqa: D102
    @property
    def unsent(self) -> Mapping[int, int]: ...  # noqa: D102
    def waiting(self) -> int: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def replace(self, requests: Sequence[Request]) -> None: ...  # noqa: D102


Drive = Callable[[list[Sink], list[int]], Driving]
"""Makes what drives a plan, of the sinks of its samples and the list that gets when each phase began."""


def is_simple(plan: Plan) -> bool:
    """Tell whether a plan is one closed phase, for which there is a driver of its own, and nothing to slice."""
    return len(plan.phases) == 1 and plan.phases[0].model == "closed"


class CheckedDriver:
    """Makes the driver of this process, with what is checked beside the run between it and its sinks.

    Args:
        check: what replies are held against beside the run.
        gate: as for `Phased`.
    """

    def __init__(
        self,
        plan: Plan,
        load: Requests,
        *,
        depth: Depth = Depth.REPLY,
        check: Check | None = None,
        log: Callable[[Exchange], None] | None = None,
        gate: Callable[[int], None] | None = None,
    ) -> None:
        self._plan, self._load, self._depth, self._check, self._log, self._gate = plan, load, depth, check, log, gate
        self.deferred: Deferred | None = None

    def __call__(self, sinks: list[Sink], begins: list[int]) -> ClosedLoop | Phased:
        """Make the driver, once."""
        plan, load = self._plan, self._load
        inspect = None
        if self._check is not None:
            self.deferred = Deferred(self._check, sinks)
            sinks, inspect = [self.deferred.add], self.deferred.inspect
        if is_simple(plan):
            return ClosedLoop(
                plan.phases[0], load.requests, load.rows, sinks=sinks, depth=self._depth, inspect=inspect, log=self._log
            )
        return Phased(
            plan.phases, load.requests, load.rows, sinks=sinks, begins=begins, seed=plan.seed, depth=self._depth,
            inspect=inspect, log=self._log, gate=self._gate,
        )  # fmt: skip
