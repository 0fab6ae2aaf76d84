"""Rates refer to the time of sending: hanging replies do not reduce the throughput of the other requests."""

from dataclasses import replace

import numpy as np
import pytest

from epkit.core.load.plan import Phase
from epkit.core.report.assembly import LoadOutcome
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from support.rows import MS, PLAN, SECOND, report, rows


def straggling(n: int = 40, per_s: int = 20, hanging: int = 4, seconds: int = 8) -> np.ndarray:
    """Make an open loop in which the last request of each tenth hangs."""
    start = np.arange(n) * SECOND // per_s
    late = np.arange(n) % (n // hanging) == n // hanging - 1
    end = start + np.where(late, seconds * SECOND, 10 * MS)
    order = np.argsort(end)
    return rows(n, start=start[order], end=end[order], received=100)


def test_the_wait_for_stragglers_is_no_part_of_the_rates():
    found = report(straggling(), outcome=LoadOutcome(sending_ns=2 * SECOND)).throughput

    assert (18.0, 18.0, 1800.0, 2.0) == (
        found.requests_per_s, found.ok_per_s, found.bytes_in_per_s, found.sending_s,
    )  # fmt: skip


@pytest.mark.parametrize("sending_ns", [None, 0, 10 * SECOND, 20 * SECOND])
def test_where_the_time_of_sending_is_not_known_or_is_all_rates_are_over_the_whole_run(sending_ns):
    found = report(straggling(), outcome=LoadOutcome(sending_ns=sending_ns)).throughput

    assert 40 / 9.95 == pytest.approx(found.requests_per_s)
    assert None is found.sending_s


def test_a_run_of_which_less_than_half_is_over_when_all_is_sent_is_rated_as_a_whole():
    block = rows(10, start=0, end=np.arange(1, 11) * 10 * MS)  # -n 10 -c 10
    found = report(block, outcome=LoadOutcome(sending_ns=1 * MS)).throughput

    assert (100.0, None) == (found.requests_per_s, found.sending_s)


def test_half_of_the_replies_at_the_end_of_sending_are_enough():
    block = rows(10)
    found = report(block, outcome=LoadOutcome(sending_ns=50 * MS)).throughput

    assert (100.0, 0.05) == (found.requests_per_s, found.sending_s)


def test_failures_are_no_successes_and_those_without_a_reply_are_not_completed():
    kinds = [0, Failure.STATUS, 0, 0, Failure.TIMEOUT, 0, 0, 0, Failure.STATUS, Failure.TIMEOUT]
    found = report(rows(10, failure=kinds), outcome=LoadOutcome(sending_ns=80 * MS)).throughput

    assert (7 / 0.08, 6 / 0.08) == pytest.approx((found.requests_per_s, found.ok_per_s))


def test_requests_in_flight_count_as_far_as_they_lie_in_the_time_of_sending():
    pace = _summary(rows(4, start=0, end=[SECOND, 2 * SECOND, 3 * SECOND, 9 * SECOND])).pace(4 * SECOND, 9 * SECOND)

    assert (1 + 2 + 3 + 4) * SECOND == pace.in_flight_ns


def test_a_closed_loop_with_a_straggler_keeps_to_littles_law_while_it_sends():
    end = np.repeat(np.arange(1, 1001) * 10 * MS, 2)
    start = end - 10 * MS
    end[-1] += 8 * SECOND
    block = rows(2000, start=start, end=end)
    plan = replace(PLAN, concurrency=2)

    assert not report(block, plan=plan).validity.valid
    assert report(block, plan=plan, outcome=LoadOutcome(sending_ns=990 * 10 * MS)).validity.valid


def test_windows_of_mere_waiting_do_not_make_a_run_unsteady():
    block = rows(3000)
    hanging = rows(1, start=29 * SECOND, end=60 * SECOND)
    late = np.concatenate([block, hanging])

    assert ["unsteady"] == [caveat.kind.value for caveat in report(late).warnings if "steady" in caveat.text]
    assert [] == [c for c in report(late, outcome=LoadOutcome(sending_ns=30 * SECOND)).warnings if "steady" in c.text]


@pytest.mark.parametrize("exact", [0, 20, 2_000_000])
def test_rows_that_were_not_kept_count_by_the_time_series(exact):
    block = rows(3999)  # 40 s
    hanging = rows(40, start=39 * SECOND, end=70 * SECOND, received=0)
    summary = _summary(np.concatenate([block, hanging]), exact)
    pace = summary.pace(40 * SECOND, 70 * SECOND)

    assert (3999, 3999, False) == (pace.completed, pace.ok, pace.whole)
    assert pace.in_flight_ns == pytest.approx(40 * SECOND + 40 * SECOND, rel=0.3)


def test_a_phase_has_rates_of_its_own_time_of_sending():
    summary = _summary(straggling())
    phase = Phase(name="stage 1", model="open", concurrency=100, rate=20.0, duration_ns=2 * SECOND)
    info = summary.phase(phase, begin_ns=0, duration_ns=10 * SECOND, most=4, measured=True, sending_ns=2 * SECOND)

    assert (18.0, 18.0, 2.0) == (info.requests_per_s, info.successes_per_s, info.sending_s)
    assert 4.0 == replace(info, ok_per_s=None, sending_s=None).successes_per_s  # as an older epkit saved it


def _summary(block: np.ndarray, exact: int = 2_000_000) -> Summary:
    summary = Summary(exact=exact)
    summary.add(block)
    return summary
