"""The data that a display shows during a run."""

import numpy as np

from epkit.core.report.live import SECONDS, Live
from epkit.core.samples.rows import Failure
from support.rows import MS, SECOND, rows, timed


def test_nothing_is_shown_of_nothing():
    view = Live().view()

    assert (0, 0.0, (), (), (), 0.0) == (
        view.done, view.elapsed_s, view.per_s, view.percentiles_ms, view.failures, view.in_flight,
    )  # fmt: skip


def test_a_run_so_far():
    live = Live()
    for block in np.array_split(timed(np.full(250, 10 * MS)), 10):
        live.add(block)
    view = live.view()

    assert (250, 2.5, (99, 100)) == (view.done, view.elapsed_s, view.per_s)
    assert all(9.9 < ms < 10.1 for ms in view.percentiles_ms)
    assert 0.9 < view.in_flight < 1.2


def test_failures_are_counted_by_kind_and_are_no_latencies():
    live = Live()
    live.add(rows(3, failure=[0, Failure.STATUS, Failure.STATUS], start=[0, 0, 0], end=[MS, SECOND, SECOND]))
    live.add(rows(1, failure=Failure.TIMEOUT))
    live.add(rows(0))
    view = live.view()

    assert (("status", 2), ("timeout", 1)) == view.failures
    assert max(view.percentiles_ms) < 1.01


def test_silent_seconds_count_as_zero_and_old_ones_are_forgotten():
    live = Live()
    live.add(rows(1, start=0, end=SECOND // 2))
    live.add(rows(1, start=3 * SECOND, end=3 * SECOND + 1))

    assert (1, 0, 0) == live.view().per_s
    live.add(rows(1, start=0, end=1000 * SECOND))
    assert (0,) * (SECONDS - 1) == live.view().per_s


def test_rows_of_successes_are_counted_where_payloads_tell_them():
    live = Live()
    take = live.restarted([2, 100])
    take(rows(3, payload=[0, 1, 1], failure=[0, 0, Failure.STATUS]))

    assert 102 == live.view().rows
    live.restarted([None])
    assert None is live.view().rows


def test_a_part_of_a_run_has_a_title():
    live = Live()
    live.title = "rows=10 c=4, round 2 of 5"
    live.restarted()

    assert "rows=10 c=4, round 2 of 5" == live.view().title
