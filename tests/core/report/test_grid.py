"""The result of a sweep of batch sizes: the state of a point, the recommended point, and the messages."""

from dataclasses import replace

import numpy as np
import pytest

from epkit.core.load.grid import GridState, PointSpec
from epkit.core.report.assembly import assemble
from epkit.core.report.grid import PointRecord, choose, grid_of, on_front, outcome
from epkit.core.report.report import FailureExample, Grid
from epkit.core.report.slo import parse_all
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from support.reports import point
from support.rows import MS, known, timed

ROWS = 10


def record(*rounds, slos=(), failed=(), **more):
    """Make the record of a point: for each round, the time in ms of each of its 50 sequential requests."""
    made = PointRecord(
        spec=PointSpec(rows=ROWS, concurrency=1), slos=parse_all(slos), summary=Summary(rows_of=[ROWS]), body_bytes=99
    )
    for number, ms in enumerate(rounds):
        block = timed(np.full(50, round(ms * MS), dtype=np.int64))
        if number in failed:
            block["failure"][:3] = Failure.STATUS
        one = Summary(rows_of=[ROWS])
        one.add(block)
        made.summary.add(block)
        made.add(assemble(known(block, **more), one, slos=made.slos))
    return made


def test_rows_per_second_are_those_of_all_rounds_with_the_interval_of_the_rounds():
    made = record(10, 20)

    assert pytest.approx(2 * 50 * ROWS / 1.5) == made.throughput.rows_per_s
    # Of 1,000 and 500 rows/s: a half width of t(0.975, 1) times sd / √2.
    low, high = made.rows_ci95
    assert pytest.approx(12.706 * 250, rel=1e-4) == high - made.throughput.rows_per_s
    assert 0 == low
    assert None is record(10).rows_ci95


def test_rows_of_failed_requests_do_not_count():
    made = record(10, failed=(0,), slos=["failed<50%"])

    assert pytest.approx(47 * ROWS / 0.5) == made.throughput.rows_per_s
    assert GridState.MEASURED is made.standing().state


def test_a_small_sample_has_the_interval_of_its_rounds_for_p99():
    assert (10, 10) == record(10, 10, 10).p99_ci95
    assert None is record(10).p99_ci95


def test_one_failure_is_too_many_unless_an_objective_allows_it():
    standing = record(10, 10, failed=(1,)).standing()

    assert (GridState.FAILED, "3 of 100 requests failed") == (standing.state, standing.words)


def test_a_point_without_a_success_is_out_at_once():
    made = record(10)
    made.summary = Summary(rows_of=[ROWS])
    made.overdue = True

    assert "requests took longer than the time of the point (-t): 0 were over by then" == made.standing().words


def test_an_objective_is_surely_missed_after_two_rounds_that_both_miss_it():
    assert GridState.MEASURED is record(20, slos=["p99<15ms"]).standing().state
    assert GridState.MEASURED is record(20, 10, slos=["p99<15ms"]).standing().state
    standing = record(20, 20, slos=["p99<15ms"]).standing()

    assert (GridState.MISSED, "misses p99<15ms (observed 20)") == (standing.state, standing.words)


def test_an_objective_whose_whole_interval_is_beyond_it_is_surely_missed_at_once():
    block = record(*[20] * 8, slos=["p50<15ms"])
    block.rounds = block.rounds[:1]

    assert GridState.MISSED is block.standing().state


def test_in_the_end_the_estimate_decides_and_so_does_the_run_that_confirms():
    made = record(20, 10, 10, slos=["max<15ms"])

    assert GridState.MEASURED is made.standing().state
    assert GridState.MISSED is made.final().state
    fine = record(10, 10, slos=["max<15ms"])
    fine.confirmation = record(20, slos=["max<15ms"]).rounds[0]
    assert fine.final().words.endswith("in the run that was to confirm it")


def test_a_point_tells_of_its_failures_and_of_rounds_that_it_had_no_time_for():
    example = FailureExample(kind="status", count=2, status=413, detail="too large", advice="send less")
    made = record(10, 10, failed=(0, 1), failures=(example,)).point(None, "the time was up (-t)")

    assert (4, 413) == (made.failure.count, made.failure.status)
    assert "6 of 100 requests failed; 2 rounds of 5: the time was up (-t)" == made.words


def test_points_that_were_never_tried_are_listed():
    specs = [PointSpec(rows=1, concurrency=1), PointSpec(rows=10, concurrency=1)]
    first, second = grid_of({specs[0]: None, specs[1]: record(10)}, {}, {1: 9, 10: 99}, ended="interrupted")

    assert (GridState.UNTRIED, "never tried: interrupted", 9) == (first.state, first.words, first.body_bytes)
    assert second.is_front


def test_the_fastest_that_keeps_the_objectives_is_chosen():
    points = [
        point(1, 1, 500.0, 5.0),
        point(10, 1, 4000.0, 6.0),
        point(100, 1, 9000.0, 60.0, state=GridState.MISSED),
        point(1000, 1, 9500.0, None, state=GridState.FAILED),
    ]

    assert 1 == choose(points)
    assert None is choose(points[2:])


def test_of_points_as_good_as_the_fastest_the_least_is_chosen():
    fastest, near, far = point(1000, 16, 10_000.0, 90.0), point(100, 4, 9600.0, 20.0), point(10, 1, 8900.0, 10.0)

    assert 1 == choose([fastest, near, far])  # the last one is slower by more than 10 %
    assert 0 == choose([fastest, near, far], confirmed=[0, 2])  # a confirmed point that is as good stays
    apart = replace(near, rows_ci95=(9500.0, 9700.0)), replace(fastest, rows_ci95=(9900.0, 10_100.0))
    assert 1 == choose(apart)  # slower by less than 10 %, but certainly
    assert 0 == choose([replace(fastest, rows_ci95=None), near])  # the noise is unknown


def test_points_whose_requests_fail_are_on_no_front():
    points = on_front([point(1, 1, 500.0, 5.0), point(10, 1, 900.0, 1.0, state=GridState.FAILED)])

    assert [True, False] == [one.is_front for one in points]


def test_what_was_found_is_said_in_words():
    points = (point(100, 4, 9600.0, 20.0), point(1000, 16, 10_000.0, 90.0))
    grid = Grid(points=points, chosen=0, command="epkit score")
    said = outcome(grid, parse_all(["p99<500ms"]), confirmed=True, took_s=12.3)

    assert (100.0, "p99<500ms", True) == (said.value, said.expression, said.confirmed)
    assert said.words.startswith("use 100 rows a request and 4 in flight: 9,600 rows/s (95 % interval 8,928 to 10,272)")
    assert said.words.endswith(
        "; as fast as rows=1000 c=16, the fastest of those that keep p99<500ms, within noise and 10%, with fewer requests "
        "in flight or fewer rows (2 points in 12 s)"
    )
    nothing = outcome(replace(grid, chosen=None), parse_all(["p99<1ms"]), confirmed=False, took_s=12.3)
    assert (None, "no point keeps p99<1ms (2 points in 12 s)") == (nothing.value, nothing.words)
    late = outcome(replace(grid, chosen=1), (), confirmed=False, took_s=1)
    assert late.words.endswith("; the fastest; not confirmed: the time was up (2 points in 1 s)")
