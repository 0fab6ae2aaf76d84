"""Runs an engine against the fault server and stores every outcome, for the test suites of the engines."""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.http.destination import Destination
from epkit.core.http.request import Request, build_for
from epkit.core.samples.rows import Failure
from epkit.engines.base import Arrival, Driver, Engine, Exchange, LendingDriver, Traffic
from epkit.engines.httpx import HttpxEngine
from epkit.engines.stamps import Stamps
from epkit.engines.wire.lanes import lane_class
from epkit.engines.wire.parking import nothing
from epkit.engines.wire.wire import WireEngine
from support.canary import CANARY
from support.fault_server import FaultServer

try:
    from uvloop import new_event_loop as fast_loop
except ImportError:  # a system without uvloop
    from asyncio import new_event_loop as fast_loop

BODY: Final = b'{"data": [{"age": 17}, {"age": 87}]}'
PATIENCE_S: Final = 20  # a run that takes longer hangs
CALM_NS: Final = 40_000_000_000  # a timeout that is never reached
SHORT_NS: Final = 400_000_000  # a timeout that is meant to be reached


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine and its event loop."""

    engine: Callable[..., Engine]
    loop: Callable[[], asyncio.AbstractEventLoop]

    @property
    def wire(self) -> bool:
        return self.engine in (WireEngine, CompiledEngine)


class CompiledEngine(WireEngine):
    """The wire engine with its compiled transports, for any driver; a driver that lends nothing is made a lending one."""

    async def run(self, driver: Driver, slots: int) -> Traffic:
        if not isinstance(driver, LendingDriver):
            for name in ("lend", "settle", "is_good", "flush", "over"):
                setattr(driver, name, nothing)
        return await super().run(driver, slots)


KINDS: Final = {
    "wire": Kind(WireEngine, fast_loop),
    **({"wire+c": Kind(CompiledEngine, fast_loop)} if lane_class() is not None else {}),
    "wire on asyncio": Kind(WireEngine, asyncio.new_event_loop),
    "httpx": Kind(HttpxEngine, asyncio.new_event_loop),
}


class Outcome:
    """A copy of an `Exchange` at the moment it was done."""

    def __init__(self, exchange: Exchange) -> None:
        for name in Exchange.__slots__:
            setattr(self, name, getattr(exchange, name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    @property
    def points(self) -> list[int]:
        return [self.due, self.start, self.tcp, self.connected, self.sent, self.first, self.end]

    def __repr__(self) -> str:
        return f"<{self.payload}: {Failure(self.failure).name} {self.status} {self.body[:40]!r} {self.detail!r}>"


class Recorder:
    """A driver that sends each request once, in order, as soon as a slot is free.

    Args:
        requests: the requests; the payload index of an arrival is an index into them.
        pause_s: time for which `next` blocks after an outcome, so that connections are idle meanwhile.

    Attributes:
        engine: the engine, for a driver that ends its run itself.
    """

    def __init__(self, requests: Iterable[Request], *, pause_s: float = 0) -> None:
        self._waiting = deque(enumerate(requests))
        self._pause_s = pause_s
        self.begun = self.given = 0
        self.outcomes: list[Outcome] = []
        self.engine: Engine | None = None

    def begin(self) -> None:
        assert self.given == 0
        self.begun += 1
        if self.engine is not None and self.engine.stamps is not None:
            self.engine.stamps.began = time.perf_counter_ns()

    def next(self, now: int) -> Arrival | None:
        if not self._waiting:
            return None
        if self._pause_s and self.outcomes:
            time.sleep(self._pause_s)
        self.given += 1
        number, request = self._waiting.popleft()
        return now, number, request

    def done(self, exchange: Exchange) -> None:
        self.outcomes.append(Outcome(exchange))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The result of a run.

    Args:
        outcomes: outcomes in the order of the requests.
        given: number of arrivals that the engine took.
    """

    outcomes: Sequence[Outcome]
    traffic: Traffic
    given: int

    @property
    def kept_alive(self) -> int:
        """Number of replies after which the connection could be used again."""
        return sum(not outcome.failure for outcome in self.outcomes) - self.traffic.closed

    @property
    def failures(self) -> list[Failure]:
        return [Failure(outcome.failure) for outcome in self.outcomes]

    @property
    def statuses(self) -> list[int]:
        return [outcome.status for outcome in self.outcomes]

    @property
    def bodies(self) -> list[bytes]:
        return [outcome.body for outcome in self.outcomes]


def plain(server: FaultServer) -> Destination:
    return Destination(scheme="http", host="127.0.0.1", port=server.port)


def requests(
    to: Destination,
    names: Iterable[str],
    *more: tuple[str, str],
    method: str = "POST",
    body: bytes = BODY,
) -> list[Request]:
    """Build one request for each name, numbered in its header `X-Arrival`, with *more* headers."""
    return [
        build_for(
            to,
            method,
            f"/fault/{name}",
            [
                ("Content-Type", "application/json"),
                ("Authorization", f"Bearer {CANARY}"),
                ("X-Arrival", str(number)),
                *more,
            ],
            body if method == "POST" else b"",
        )
        for number, name in enumerate(names)
    ]


def arrivals_seen(server: FaultServer) -> list[int]:
    """Return the numbers of the requests that the server received, ascending, including repetitions."""
    return sorted(int(seen.header("X-Arrival") or -1) for seen in server.seen)


def execute(
    kind: Kind,
    to: Destination,
    sent: Sequence[Request],
    *,
    slots: int = 1,
    timeout_ns: int = CALM_NS,
    keepalive: bool = True,
    pause_s: float = 0,
    driver: Recorder | None = None,
    interrupt: Callable[[Engine], None] | None = None,
    after_s: float = 0.1,
    stamps: Stamps | None = None,
) -> Run:
    """Run an engine, and check the conditions that every run meets with any server.

    Args:
        driver: driver that supplies the requests; by default a `Recorder`.
        interrupt: called with the engine, *after_s* seconds after the start.
        stamps: stamps of requests with ids.

    Raises:
        TimeoutError: the run does not end.
    """
    driver = driver or Recorder(sent, pause_s=pause_s)
    engine = driver.engine = kind.engine(to, timeout_ns=timeout_ns, keepalive=keepalive)
    engine.stamps = stamps

    async def main() -> Traffic:
        if interrupt is not None:
            asyncio.get_running_loop().call_later(after_s, interrupt, engine)
        return await asyncio.wait_for(engine.run(driver, slots), PATIENCE_S)

    with asyncio.Runner(loop_factory=kind.loop) as runner:
        traffic = runner.run(main())
    gc.collect(1)  # unclosed objects warn now, in the test that caused them
    outcomes = sorted(driver.outcomes, key=lambda outcome: outcome.payload)

    assert driver.begun == 1
    assert [outcome.payload for outcome in outcomes] == list(range(driver.given)), "each arrival is done once"
    if interrupt is None:
        assert len(sent) == driver.given
    for outcome in outcomes:
        assert outcome.points == sorted(outcome.points), "time does not run backwards"
        assert outcome.failure in (
            Failure.NONE, Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.TRANSPORT
        ), "the rest is for the driver to judge"  # fmt: skip
        assert bool(outcome.failure) == bool(outcome.detail), "a failure has its reason, and nothing else has"
        assert CANARY not in outcome.detail
        if not outcome.received:
            assert outcome.head == b"", "what was not received has no header, least of all another reply's"
        if not outcome.failure:
            assert outcome.status
            assert outcome.received
            assert outcome.first > outcome.start
    return Run(outcomes=outcomes, traffic=traffic, given=driver.given)
