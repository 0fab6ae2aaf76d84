"""Differences between equal arms are found at the nominal rate, and real differences are found."""

import numpy as np
import pytest

from epkit.core.stats import student
from epkit.core.stats import welch as w

EXAMPLE = (2.0942857142857, 4.9919957556, 0.3388089513)
"""Difference, half-width of the interval, and probability, from the density of t integrated by Simpson's rule."""


def chance(base, new):
    difference, error, df = w.studied(base, new)
    return student.tail(abs(difference) / error, df)


def test_holm_corrects_the_smallest_most_and_never_reorders():
    assert {"a": pytest.approx(0.03), "b": pytest.approx(0.04), "c": pytest.approx(0.04)} == w.holm(
        {"c": 0.03, "a": 0.01, "b": 0.02}
    )
    assert {"a": 1.0} == w.holm({"a": 1.0})
    assert {} == w.holm({})


def test_equal_to_the_last_bit_is_equal_and_else_it_is_not():
    same, other = np.full(3, 2.0), np.full(3, 3.0)

    assert (0.0, 0.0, 1.0) == w.welch(same, same)
    assert (1.0, 0.0, 0.0) == w.welch(same, other)
    assert None is w.welch(same[:1], other)


def test_welch_agrees_with_a_worked_example():
    a = np.array([27.5, 21.0, 19.0, 23.6, 17.0])
    b = np.array([27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8])

    assert pytest.approx(EXAMPLE, rel=1e-6) == w.welch(a, b)


@pytest.mark.parametrize("runs", [3, 5])
def test_equal_arms_differ_as_often_as_they_may(runs):
    """Chance changes all figures of a run together by 3 %, and each figure separately by 1 %."""
    rng = np.random.default_rng(runs)
    trials, alone, any_ = 2000, 0, 0
    for _ in range(trials):
        logs = rng.normal(0, 0.03, (2, runs, 1)) + rng.normal(0, 0.01, (2, runs, 6))
        ps = {str(k): chance(logs[0, :, k], logs[1, :, k]) for k in range(6)}
        alone += ps["0"] < w.ALPHA
        any_ += min(w.holm(ps).values()) < w.ALPHA

    # Nominal is 5 %; three standard errors of 2,000 trials are 1.5 %. With three runs per arm, Welch is slightly
    # conservative.
    assert 0.03 <= alone / trials <= 0.065
    assert any_ / trials <= 0.065


def test_a_real_difference_is_found():
    rng = np.random.default_rng(1)
    found = sum(chance(rng.normal(0, 0.03, 5), rng.normal(np.log(1.1), 0.03, 5)) < w.ALPHA for _ in range(500))

    assert found / 500 > 0.95
