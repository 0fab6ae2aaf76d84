"""The data that a dashboard gets of a run: every request once, by phase, status and failure."""

import numpy as np
import pytest

from epkit.core.load.phases import PhaseTimes
from epkit.core.report import outcomes
from epkit.core.report.outcomes import Outcomes
from epkit.core.samples.rows import Failure
from support.rows import MS, SECOND, rows


def seen(snapshot) -> dict[tuple[int, int, Failure], int]:
    return {(s.phase, s.status, s.failure): s.durations.count for s in snapshot.series}


def test_there_is_nothing_before_the_first_request():
    snapshot = Outcomes(PhaseTimes()).snapshot(0)

    assert ((), None, 0, 0.0) == (snapshot.series, snapshot.overflow, snapshot.phase, snapshot.in_flight)


def test_requests_are_counted_by_status_and_failure_and_stay_counted():
    collected = Outcomes(PhaseTimes((0,)))
    collected.add(rows(0))
    collected.add(rows(5))
    collected.snapshot(SECOND)
    collected.add(rows(4, status=[200, 503, 200, 0], failure=[0, Failure.STATUS, Failure.APPLICATION, Failure.CONNECT]))

    assert {
        (0, 200, Failure.NONE): 6, (0, 503, Failure.STATUS): 1, (0, 200, Failure.APPLICATION): 1,
        (0, 0, Failure.CONNECT): 1,
    } == seen(collected.snapshot(2 * SECOND))  # fmt: skip


def test_a_request_is_of_the_phase_in_which_it_was_due():
    times = PhaseTimes((0,))
    collected = Outcomes(times)
    collected.add(rows(2))
    times.enter(SECOND)
    collected.add(rows(3, due=[SECOND - 1, SECOND, SECOND + 1]))

    snapshot = collected.snapshot(SECOND)

    assert {(0, 200, Failure.NONE): 3, (1, 200, Failure.NONE): 2} == seen(snapshot)
    assert 1 == snapshot.phase


def test_a_block_may_be_changed_when_it_was_taken():
    collected = Outcomes(PhaseTimes((0,)))
    block = rows(3)
    collected.add(block)
    block["end"] = 0
    block["start"] = 5

    assert 0.03 == pytest.approx(collected.snapshot(SECOND).series[0].durations.sum_s)


def test_what_is_in_flight_is_the_mean_since_the_last_time():
    collected = Outcomes(PhaseTimes((0,)))
    collected.add(rows(100))  # 10 ms each

    assert (1.0, 0.0) == (collected.snapshot(SECOND).in_flight, collected.snapshot(2 * SECOND).in_flight)


def test_series_beyond_the_limit_are_counted_together(monkeypatch):
    monkeypatch.setattr(outcomes, "MOST_SERIES", 3)
    collected = Outcomes(PhaseTimes((0,)))
    for status in range(400, 410):
        collected.add(rows(1, status=status, failure=Failure.STATUS))
    snapshot = collected.snapshot(SECOND)

    assert 3 == len(snapshot.series)
    assert snapshot.overflow is not None
    assert 7 == snapshot.overflow.count


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(outcomes, "WAITING", 100)
    collected = Outcomes(PhaseTimes((0,)))
    for _ in range(9):
        collected.add(rows(30))
        assert sum(len(part) for parts in collected._waiting.values() for part in parts) < 100

    assert {(0, 200, Failure.NONE): 270} == seen(collected.snapshot(SECOND))


def test_a_status_of_three_digits_beyond_the_known_ones_is_kept():
    collected = Outcomes(PhaseTimes((0,)))
    collected.add(rows(2, status=np.array([999, 65535]), failure=Failure.STATUS, end=[MS, MS]))

    assert {(0, 999, Failure.STATUS): 1, (0, 65535, Failure.STATUS): 1} == seen(collected.snapshot(SECOND))
