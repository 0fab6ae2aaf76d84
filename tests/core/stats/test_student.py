"""Student's t, compared with printed tables and exact cases."""

import math

import pytest

from epkit.core.stats.percentiles import STUDENT
from epkit.core.stats.student import quantile, tail


@pytest.mark.parametrize(
    ("df", "t"),
    [(1, 12.7062047364), (2, 4.3026527297), (4, 2.7764451052), (8, 2.3060041352), (19, STUDENT), (1000, 1.9623390808)],
)
def test_the_quantiles_are_those_of_the_tables(df, t):
    assert t == pytest.approx(quantile(0.05, df), rel=1e-9)


@pytest.mark.parametrize("t", [0.1, 1.0, 3.0, 40.0])
def test_one_degree_of_freedom_is_cauchy_and_two_are_a_root(t):
    assert 1 - 2 / math.pi * math.atan(t) == pytest.approx(tail(t, 1), rel=1e-9)
    assert 1 - t / math.sqrt(2 + t * t) == pytest.approx(tail(t, 2), rel=1e-9)


def test_degrees_of_freedom_need_not_be_whole():
    between = quantile(0.05, 5.5)

    assert quantile(0.05, 6) < between < quantile(0.05, 5)
    assert 0.05 == pytest.approx(tail(between, 5.5))


def test_no_difference_is_no_surprise():
    assert 1.0 == tail(0.0, 3)
