"""The driver of phases: what is due at which time, how long slots rest, and the phases of rows; time is virtual."""

import pytest

from epkit.core.http.request import build
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import WARMUP, Phase
from epkit.core.samples.rows import Failure
from epkit.engines import driver as module
from epkit.engines import phased
from epkit.engines.base import FOREVER, Exchange, PacingDriver
from epkit.engines.phased import POLL_NS, Phased

BEGAN = 5_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class Clock:
    def perf_counter_ns(self) -> int:
        return BEGAN


class Slots:
    """Slots that take a driver's requests at the given times."""

    def __init__(self, *phases: Phase, payloads: int = 1) -> None:
        self.blocks = []
        requests = [build("POST", "/score", "h", [], b"%d" % i) for i in range(payloads)]
        self.times = PhaseTimes()
        judging = module.Judging(sinks=[lambda block: self.blocks.append(block.copy())])
        self.driver = Phased(phases, requests, [None] * payloads, judging, self.times, seed=1)
        self.driver.begin()

    def take(self, at: int) -> int | None:
        """Request at a time since the beginning; return when the received request was due."""
        arrival = self.driver.next(BEGAN + at)
        return None if arrival is None else arrival[0] - BEGAN

    def rest(self, at: int) -> int | None:
        until = self.driver.rest(BEGAN + at)
        return until if until in (None, FOREVER) else until - BEGAN

    def done(self, due: int, end: int, status: int = 200) -> None:
        x = Exchange()
        x.due, x.start = BEGAN + due, BEGAN + due
        x.tcp = x.connected = x.sent = x.first = x.start
        x.end = BEGAN + end
        x.status, x.head, x.body, x.received = status, OK, b"[1]", 60
        self.driver.done(x)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(module, "time", Clock())


def rate(per_s, seconds=None, **more):
    duration_ns = None if seconds is None else round(seconds * SECOND)
    return Phase(**{"model": "open", "concurrency": 10, "rate": per_s, "duration_ns": duration_ns, **more})


def test_it_is_a_pacing_driver_and_the_closed_loop_is_not():
    assert isinstance(Slots(rate(1, 1)).driver, PacingDriver)
    assert not issubclass(module.ClosedLoop, PacingDriver)


def test_every_schedule_is_drawn_before_the_clock_starts(monkeypatch):
    """Drawing takes longer than many replies: without this, the first request of an open phase would be late."""
    drawn = []
    due_times = phased.due_times

    def watched(phase, seed):
        drawn.append(phase.rate)
        yield from due_times(phase, seed)

    class Ticking:
        def perf_counter_ns(self):
            drawn.append("clock")
            return BEGAN

    monkeypatch.setattr(phased, "due_times", watched)
    monkeypatch.setattr(module, "time", Ticking())
    slots = Slots(rate(10, 1), Phase(model="closed", concurrency=1, requests=1), rate(5, 1, arrivals="poisson"))

    assert [10, 5, "clock"] == drawn[:3]
    assert [0, 100 * MS] == [slots.take(0), slots.take(100 * MS)]


def test_a_request_is_due_on_time_and_not_before():
    slots = Slots(rate(10, 1))

    assert 0 == slots.take(5)
    assert None is slots.take(6)
    assert 100 * MS == slots.rest(6)
    assert None is slots.take(100 * MS - 1)
    assert 100 * MS == slots.take(100 * MS)


def test_late_requests_keep_their_times_and_none_is_dropped():
    slots = Slots(rate(10, 1))

    assert [i * 100 * MS for i in range(10)] == [slots.take(3 * SECOND) for _ in range(10)]
    assert None is slots.take(3 * SECOND)
    assert None is slots.rest(3 * SECOND)


def test_no_more_are_in_flight_than_may_be():
    slots = Slots(rate(10, 1, concurrency=2))

    assert [0, 100 * MS, None] == [slots.take(SECOND) for _ in range(3)]
    assert FOREVER == slots.rest(SECOND)
    slots.done(0, SECOND)
    assert 200 * MS == slots.take(SECOND)
    assert [2] == slots.driver.most


def test_the_last_phase_lasts_until_its_end():
    slots = Slots(rate(10, 0.15))

    assert [0, 100 * MS] == [slots.take(140 * MS) for _ in range(2)]
    assert (None, 150 * MS) == (slots.take(140 * MS), slots.rest(140 * MS))
    assert (None, None) == (slots.take(150 * MS), slots.rest(150 * MS))


def test_a_phase_begins_when_it_should_have_though_the_last_one_is_late():
    slots = Slots(rate(10, 0.2), rate(20, 0.1))

    assert [0, 100 * MS, 200 * MS, 250 * MS, None] == [slots.take(SECOND) for _ in range(5)]
    assert [0, 200 * MS] == list(slots.times.begins)


def test_a_closed_phase_gives_what_its_slots_ask_for():
    closed = Phase(concurrency=2, duration_ns=SECOND)
    slots = Slots(closed, Phase(concurrency=3, duration_ns=SECOND))

    assert [0, 1, None] == [slots.take(i) for i in range(3)]
    assert SECOND == slots.rest(2)
    slots.done(0, 10)
    assert 10 == slots.take(10)
    assert [SECOND, None] == [slots.take(SECOND) for _ in range(2)], "two of the first phase are still in flight"
    assert [0, SECOND] == list(slots.times.begins)
    assert 2 * SECOND == slots.rest(SECOND)


def test_a_closed_phase_of_so_many_requests_ends_with_the_last():
    slots = Slots(Phase(name=WARMUP, requests=2), Phase(requests=1))

    assert 0 == slots.take(0)
    assert (None, 5 + POLL_NS) == (slots.take(5), slots.rest(5))
    slots.done(0, 10)
    assert 10 == slots.take(10)
    slots.done(10, 20)
    assert 20 == slots.take(20)
    assert [0, 20] == list(slots.times.begins)
    assert (None, None) == (slots.take(30), slots.rest(30))


def test_payloads_are_sent_in_turn_across_phases():
    slots = Slots(Phase(requests=2, concurrency=9), Phase(requests=3, concurrency=9), payloads=2)

    assert [0, 1, 0, 1, 0] == [slots.driver.next(BEGAN + i)[1] for i in range(5)]


def test_a_failure_of_the_warm_up_is_no_example():
    slots = Slots(Phase(name=WARMUP, requests=1), Phase(requests=1, concurrency=2))
    slots.take(0)
    slots.take(7)
    slots.done(0, 9, status=503)

    assert {} == slots.driver.examples
    slots.done(7, 9, status=500)
    assert [(Failure.STATUS, 500)] == list(slots.driver.examples)


def test_stopping_gives_out_no_more():
    slots = Slots(rate(10, 1), rate(10, 1))
    slots.take(0)
    slots.driver.stop()

    assert (None, None) == (slots.take(5 * SECOND), slots.rest(5 * SECOND))
    assert slots.driver.stopped
    assert [0] == list(slots.times.begins)


def test_what_is_due_and_not_over_is_waiting(monkeypatch):
    slots = Slots(rate(10, 10, concurrency=2))
    slots.take(0)
    slots.take(100 * MS)
    monkeypatch.setattr("epkit.engines.phased.time", Clock())

    assert 2 == slots.driver.waiting()
    monkeypatch.setattr(Clock, "perf_counter_ns", lambda _: BEGAN + 1200 * MS)
    assert 12 == slots.driver.waiting()
