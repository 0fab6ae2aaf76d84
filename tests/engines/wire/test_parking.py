"""Drivers without a request for a free slot: slots rest, wake up and retire, on every engine."""

import asyncio
import time
from collections import deque

import pytest

from epkit.core.samples.rows import Failure
from epkit.engines.base import FOREVER
from support.engine_harness import CALM_NS, KINDS, Outcome, plain, requests

MS = 1_000_000


class Pacer:
    """A driver that supplies a request every few ms; slots rest meanwhile."""

    def __init__(self, sent, interval_ns):
        self._waiting = deque(enumerate(sent))
        self._interval_ns = interval_ns
        self.due = 0
        self.flying = 0
        self.given = []
        self.outcomes = []

    def begin(self):
        self.due = time.perf_counter_ns()

    def next(self, now):
        if not self._waiting or now < self.due:
            return None
        number, request = self._waiting.popleft()
        self.given.append(now - self.due)
        arrival = self.due, number, request
        self.due += self._interval_ns
        return arrival

    def rest(self, now):
        return self.due if self._waiting else None

    def done(self, exchange):
        self.outcomes.append(Outcome(exchange))


class Gate:
    """A driver that supplies nothing until it is opened, and nothing after its last request."""

    def __init__(self, sent):
        self._waiting = deque(enumerate(sent))
        self._left = len(self._waiting)
        self.open = False
        self.asked = 0
        self.outcomes = []
        self.wake = lambda: None

    def begin(self):
        pass

    def next(self, now):
        self.asked += 1
        if not self.open or not self._waiting:
            return None
        number, request = self._waiting.popleft()
        return now, number, request

    def rest(self, now):
        return FOREVER if self._left else None

    def done(self, exchange):
        self.outcomes.append(Outcome(exchange))
        self._left -= 1
        if not self._left:
            self.wake()


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param


def run(kind, to, driver, *, slots=3, meanwhile=None):
    engine = kind.engine(to, timeout_ns=CALM_NS, keepalive=True)
    driver.wake = engine.wake

    async def main():
        task = asyncio.create_task(engine.run(driver, slots))
        if meanwhile is not None:
            await meanwhile(engine)
        return await asyncio.wait_for(task, 8)

    with asyncio.Runner(loop_factory=kind.loop) as runner:
        return runner.run(main())


def test_slots_rest_until_the_next_request_is_due(kind, fault_server):
    to = plain(fault_server)
    driver = Pacer(requests(to, ["ok"] * 30), 5 * MS)
    began = time.perf_counter_ns()
    traffic = run(kind, to, driver)

    assert 30 == len(driver.outcomes)
    assert time.perf_counter_ns() - began >= 29 * 5 * MS
    assert min(driver.given) >= 0, "nothing goes before it is due"
    assert traffic.connections <= 3


def test_a_resting_slot_keeps_its_connection(kind, fault_server):
    to = plain(fault_server)
    driver = Pacer(requests(to, ["ok"] * 6), 20 * MS)
    traffic = run(kind, to, driver, slots=1)

    assert 1 == traffic.connections
    assert [Failure.NONE] * 6 == [outcome.failure for outcome in driver.outcomes]


def test_a_connection_that_was_closed_while_its_slot_rested_is_replaced(kind, fault_server):
    to = plain(fault_server)
    driver = Pacer(requests(to, ["closes-idle"] * 3), 250 * MS)
    traffic = run(kind, to, driver, slots=1)

    assert [200] * 3 == [outcome.status for outcome in driver.outcomes]
    assert traffic.connections >= 2


def test_bytes_that_nobody_asked_for_end_a_resting_connection(fault_server):
    kind = KINDS["wire"]
    to = plain(fault_server)
    driver = Pacer(requests(to, ["twice", "ok", "ok"]), 40 * MS)
    run(kind, to, driver, slots=1)

    assert [0, 1, 2] == [outcome.payload for outcome in driver.outcomes]
    assert [200] * 3 == [outcome.status for outcome in driver.outcomes]


def test_slots_that_rest_for_ever_are_woken_and_cost_nothing_before(kind, fault_server):
    to = plain(fault_server)
    driver = Gate(requests(to, ["ok"] * 10))

    async def meanwhile(engine):
        await asyncio.sleep(0.2)
        assert driver.asked <= 6
        driver.open = True
        engine.wake()

    run(kind, to, driver, meanwhile=meanwhile)

    assert list(range(10)) == sorted(outcome.payload for outcome in driver.outcomes)


@pytest.mark.parametrize("drain", [True, False])
def test_a_stop_retires_slots_that_rest(kind, fault_server, drain):
    to = plain(fault_server)
    driver = Gate(requests(to, ["ok"]))

    async def meanwhile(engine):
        await asyncio.sleep(0.05)
        engine.stop(drain=drain)

    run(kind, to, driver, meanwhile=meanwhile)

    assert [] == driver.outcomes
    assert 0 == fault_server.requests["ok"]
