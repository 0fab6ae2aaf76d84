"""The index, and its threshold for chance."""

import math

import numpy as np
import pytest

from epkit.core.drift.psi import DRAWS, psi, threshold


def test_the_index_is_the_textbooks_where_every_range_has_rows():
    old, new = np.array([500_000, 300_000, 200_000]), np.array([400_000, 300_000, 300_000])

    # Siddiqi: (0.4 - 0.5) ln(0.4 / 0.5) + 0 + (0.3 - 0.2) ln(0.3 / 0.2)
    assert psi(old, new) == pytest.approx(-0.1 * math.log(0.8) + 0.1 * math.log(1.5), rel=1e-4)


def test_half_a_row_a_range_is_added_as_both_sides_are_distributed():
    old, new = np.array([3, 0]), np.array([1, 4])

    p = np.array([3 + 0.5, 0 + 0.5]) / 4
    q = np.array([1 + 0.5, 4 + 0.5]) / 6
    assert psi(old, new) == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


def test_equal_shares_have_an_index_of_nothing_whatever_the_numbers_of_rows():
    assert psi(np.array([10, 20, 70]), np.array([100, 200, 700])) == pytest.approx(0, abs=1e-15)


def test_the_threshold_depends_on_the_rows():
    rng = np.random.default_rng(1)
    shares = np.full(20, 5)
    few, some, many = (threshold(shares * n, shares * n, 0.0025, rng) for n in (1, 10, 300))

    # 2 / n times the 99.75 % quantile of chi-squared with 19 degrees of freedom, 40.9
    assert 0.5 < few < 0.85
    assert some == pytest.approx(40.9 * 2 / 1000, rel=0.12)
    assert many == pytest.approx(40.9 * 2 / 30_000, rel=0.12)


def test_chance_exceeds_the_threshold_as_rarely_as_was_asked():
    rng = np.random.default_rng(2)
    pooled = np.array([60, 30, 8, 2])
    new = rng.multivariate_hypergeometric(pooled, 40, size=1500)
    above = np.mean([psi(pooled - one, one) > threshold(pooled - one, one, 0.05, rng) for one in new[:300]])

    assert above <= 0.085  # 0.05 and three deviations of 300 trials


def test_a_level_that_takes_more_deals_than_are_drawn_at_once_is_decided_all_the_same():
    level = 0.05 / 1000
    calm, moved = np.array([500, 500]), np.array([520, 480])
    wild = np.array([100, 900])

    assert psi(calm, moved) <= threshold(calm, moved, level, np.random.default_rng(3))
    assert psi(calm, wild) > threshold(calm, wild, level, np.random.default_rng(3))


def test_the_deals_end_as_soon_as_one_decides():
    class Counting:
        """A generator that counts its calls."""

        def __init__(self):
            self.asked = 0
            self._rng = np.random.default_rng(4)

        def multivariate_hypergeometric(self, *arguments, **more):
            self.asked += 1
            return self._rng.multivariate_hypergeometric(*arguments, **more)

    calm, doubtful, wild = Counting(), Counting(), Counting()
    old = np.array([500, 500])
    for counting, new in ((calm, [500, 500]), (doubtful, [410, 590]), (wild, [100, 900])):
        threshold(old, np.array(new), 1e-5, counting)

    assert (1, 1) == (calm.asked, wild.asked)
    assert 1 < doubtful.asked <= math.ceil((1e5 - 1) / DRAWS)
