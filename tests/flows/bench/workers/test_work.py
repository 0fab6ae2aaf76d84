"""A worker's part of a run starts with the others' parts, and its first request is no later than in one process."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from epkit.core.http.destination import Destination
from epkit.core.load.plan import Phase, Plan
from epkit.core.replies.judging import Depth
from epkit.core.samples.rows import SAMPLE
from epkit.engines import driver as driving
from epkit.engines import phased, runner
from epkit.engines.base import Driver, Traffic
from epkit.engines.wire import connection, parking, wire
from epkit.engines.wire.wire import WireEngine
from epkit.flows.bench.workers import work
from epkit.flows.bench.workers.messages import EndedMessage, GoMessage, ReadyMessage, RowsMessage
from epkit.flows.bench.workers.work import BenchWork
from epkit.flows.target.requests import Requests
from support.engine_harness import CALM_NS, requests
from support.faults import OK
from support.virtual_time import TURN_NS, VirtualClock, VirtualLoop

MS = 1_000_000
READING = 1000
TO = Destination(scheme="http", host="127.0.0.1", port=80)


class Channel:
    """The messages of a worker, and the one to it: to start 20 ms after it was ready."""

    def __init__(self, clock: VirtualClock) -> None:
        self.said: list[Any] = []
        self._clock = clock

    @contextlib.contextmanager
    def heard_by(self, listener: Callable[[Any], None]) -> Iterator[None]:
        self._listener = listener
        yield

    def send(self, message: Any) -> None:
        self.said.append(message)
        if isinstance(message, ReadyMessage):
            self._listener(GoMessage(self._clock.now + 20 * MS))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    clock = VirtualClock(5_000_000_000, reading_ns=READING)
    for module in (connection, parking, wire):
        monkeypatch.setattr(module, "clock", clock.perf_counter_ns)
    for module in (driving, phased, runner, work):
        monkeypatch.setattr(module, "time", clock)
    loop = VirtualLoop(clock, connecting_ns=MS, serving_ns=[MS] * 8, reply=OK)
    monkeypatch.setattr(runner, "loop_factory", lambda: lambda: loop)
    return clock


@pytest.mark.parametrize("model", ["open", "closed"])
def test_what_an_engine_does_before_it_sends_is_done_before_the_beginning(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    run = WireEngine.run

    async def slowly(engine: WireEngine, driver: Driver, slots: int) -> Traffic:
        clock.now += 300_000  # code that runs for the first time
        return await run(engine, driver, slots)

    monkeypatch.setattr(WireEngine, "run", slowly)
    rate = 100 if model == "open" else None
    phase = Phase(model=model, concurrency=2, requests=8, rate=rate)  # type: ignore[arg-type]
    channel = Channel(clock)

    BenchWork(
        plan=Plan(phases=(phase,), timeout_ns=CALM_NS),
        load=Requests(payloads=(), requests=tuple(requests(TO, ["ok"])), rows=(2,)),
        destination=TO,
        engine="wire",
        depth=Depth.REPLY,
        expect=None,
        contract=None,
        exact=None,
        verbosity=0,
        secrets=(),
    ).work(channel)  # type: ignore[arg-type]

    found = b"".join(message.data for message in channel.said if isinstance(message, RowsMessage))
    rows = np.sort(np.frombuffer(found, dtype=SAMPLE), order="due")
    assert 8 == len(rows)
    assert 0 <= rows["due"][0] <= 10 * READING
    assert TURN_NS <= rows["start"][0] - rows["due"][0] <= TURN_NS + 10 * READING
    ended = channel.said[-1]
    assert isinstance(ended, EndedMessage)
    assert 0 <= ended.facts.late_ns <= READING
