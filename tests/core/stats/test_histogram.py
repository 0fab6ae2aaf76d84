"""The histogram, compared with exact sorting, exact integer arithmetic, and with merged parts of itself."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.stats import histogram, percentiles
from epkit.core.stats.histogram import BUCKETS, LIMIT_NS, Histogram

NS = st.one_of(st.integers(0, 5000), st.integers(0, LIMIT_NS))
MANY = st.lists(NS, min_size=1, max_size=100)


def filled(numbers: list[int]) -> Histogram:
    result = Histogram()
    result.add(np.array(numbers, dtype=np.int64))
    return result


def state(h: Histogram) -> tuple[object, ...]:
    return (h.counts.tolist(), h.count, h.total, h.squares, h.clamped, h.min, h.max)


@given(NS)
def test_a_bucket_is_no_wider_than_a_thousandth_of_its_values(value):
    top = int(histogram.values(histogram.codes(np.array([value])))[0])

    assert value <= top <= value + value / 1024


def test_buckets_are_dense_ordered_and_end_at_the_limit():
    every = np.arange(BUCKETS)

    assert np.array_equal(every, histogram.codes(histogram.values(every)))
    assert histogram.values(every)[-1] == LIMIT_NS
    assert (np.diff(histogram.values(every)) > 0).all()


@given(MANY, st.fractions(Fraction(1, 100), 100, max_denominator=100))
def test_a_percentile_is_right_to_a_thousandth(numbers, p):
    exact = percentiles.percentile(np.sort(np.array(numbers)), p)
    found = filled(numbers).percentile(p)

    assert exact <= found <= exact * (1 + Fraction(1, 1000))


@given(MANY)
def test_extremes_mean_and_spread_are_exact(numbers):
    h = filled(numbers)
    mean = Fraction(sum(numbers), len(numbers))
    square = sum((x - mean) ** 2 for x in numbers) / max(1, len(numbers) - 1)

    assert (min(numbers), max(numbers)) == (h.min, h.max) == (h.at(1), h.at(len(numbers)))
    assert float(mean) == h.mean
    assert math.sqrt(square) == pytest.approx(h.sd, rel=1e-14)


@given(MANY, st.integers(0, 100))
def test_merged_parts_are_the_whole(numbers, cut):
    whole, left = filled(numbers), filled(numbers[:cut])
    left.merge(filled(numbers[cut:]))

    assert state(whole) == state(left)


def test_no_sum_overflows_at_the_limit():
    many = np.full(600_000, LIMIT_NS)
    h = Histogram()
    h.add(many)

    assert h.total == LIMIT_NS * 600_000
    assert h.squares == LIMIT_NS**2 * 600_000
    assert h.sd == 0.0


def test_a_tiny_spread_around_a_large_value_does_not_cancel():
    hour = 3_600_000_000_000

    assert filled([hour - 1, hour, hour + 1]).sd == 1.0


def test_values_out_of_range_are_counted_at_the_limit_and_reported():
    h = filled([-5, 0, 7, LIMIT_NS, LIMIT_NS + 1, 2**62])

    assert (h.clamped, h.count, h.min, h.max) == (3, 6, 0, LIMIT_NS)


def test_one_value_has_no_spread():
    assert filled([42]).sd == 0.0


@pytest.mark.parametrize("place", [0, 3])
def test_a_rank_that_does_not_exist_is_refused(place):
    with pytest.raises(ValueError, match="rank"):
        filled([1, 2]).at(place)


def test_an_empty_histogram_has_no_percentile():
    with pytest.raises(ValueError, match="percentile"):
        Histogram().percentile(Fraction(50))


def test_a_histogram_that_travels_arrives_as_it_was():
    sent = Histogram()
    sent.add(np.array([0, 5, 5, 70_000, LIMIT_NS + 9]))
    came = Histogram.restored(sent.state())

    assert state(sent) == state(came)
