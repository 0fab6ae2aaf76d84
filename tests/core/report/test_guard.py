"""An objective is given up only if no later result can meet it."""

import numpy as np
import pytest

from epkit.core.report.guard import Guard
from epkit.core.report.slo import parse
from support.rows import MS, SECOND, rows, timed


def lost(text, block, requests=100, duration_ns=None):
    guard = Guard([parse(text), parse("failed<=100%")], requests=requests, duration_ns=duration_ns)
    guard.add(block)
    return guard.lost()


def slow(n, ms=300):
    return timed(np.full(n, ms * MS))


@pytest.mark.parametrize(
    ("text", "fine", "gone"),
    [
        ("p90<250ms", 10, 11),
        ("p90<=300ms", 50, None),
        ("p99<300ms", 1, 2),
        ("median<250ms", 50, 51),
        ("max<250ms", 0, 1),
        ("mean<30ms", 10, 11),
        ("service.p50<250ms", 50, 51),
        ("p99>1s", 100, None),
        ("ok_per_s>1000000", 100, None),
    ],
)
def test_so_many_slow_ones_of_a_hundred_are_too_many(text, fine, gone):
    if fine:
        assert None is lost(text, slow(fine))
    if gone is not None:
        assert text == lost(text, slow(gone))


@pytest.mark.parametrize(
    ("text", "fine", "gone"), [("failed<10%", 9, 10), ("failed<=10%", 10, 11), ("failed<3", 2, 3), ("failed==0", 0, 1)]
)
def test_so_many_failures_of_a_hundred_are_too_many(text, fine, gone):
    def judge(n):
        guard = Guard([parse(text)], requests=100, duration_ns=None)
        guard.add(rows(max(n, 1), failure=5 if n else 0))
        return guard.lost()

    assert None is judge(fine)
    assert text == judge(gone)


def test_without_an_objective_on_failures_the_first_one_is_too_many():
    guard = Guard([parse("p99<1s")], requests=100, duration_ns=None)
    guard.add(rows(1, failure=5))

    assert "failed==0" == guard.lost()


def test_a_timed_run_may_become_twice_as_fast():
    # 10 in the first second of ten: at most 200 in total, of which 20 may exceed a p90.
    block = timed(np.full(10, SECOND // 10))

    assert None is lost("p90<1ms", block, requests=None, duration_ns=10 * SECOND)
    # 30 in three seconds: still at most 200, and 30 exceed it.
    assert "p90<1ms" == lost("p90<1ms", timed(np.full(30, SECOND // 10)), requests=None, duration_ns=10 * SECOND)


def test_nothing_is_lost_before_the_first_request_or_without_a_bound():
    assert None is Guard([parse("p99<1ms")], requests=10, duration_ns=None).lost()
    assert None is lost("p99<1ms", slow(9), requests=None)
