"""Exponential histograms: OpenTelemetry's buckets, coarsened exactly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.stats.exponential import LIMIT_NS, SCALE, ExponentialHistogram, coarsened

SECOND = 1_000_000_000


def counted(*values_ns: int) -> ExponentialHistogram:
    made = ExponentialHistogram()
    made.add(np.array(values_ns, dtype=np.int64))
    return made


@pytest.mark.parametrize("power", range(-9, 13))
def test_a_power_of_two_is_in_the_bucket_that_it_ends(power):
    buckets = counted(SECOND << power if power >= 0 else SECOND >> -power).buckets()

    assert ((power << SCALE) - 1, [1]) == (buckets.offset, buckets.counts.tolist())


def test_what_is_more_than_a_power_of_two_is_in_the_next_bucket():
    assert 0 == counted(SECOND + 1).buckets().offset


def test_count_sum_and_extremes_are_exact():
    buckets = counted(0, 0, 3, 5 * SECOND).buckets()

    assert (4, 2, 5.000000003, 0.0, 5.0, 2) == (
        buckets.count, buckets.zeros, buckets.sum_s, buckets.min_s, buckets.max_s, int(buckets.counts.sum()),
    )  # fmt: skip


def test_what_is_out_of_range_counts_as_the_nearest_value():
    assert counted(0, LIMIT_NS, LIMIT_NS).buckets().max_s == counted(-5, LIMIT_NS + 1, 2**62).buckets().max_s
    assert 1 == counted(-5, 1).buckets().zeros


def test_nothing_is_sent_of_nothing():
    scale, _, counts = coarsened(ExponentialHistogram().buckets())

    assert (SCALE, []) == (scale, counts.tolist())


def test_zeros_alone_have_no_bucket():
    assert (2, []) == (counted(0, 0).buckets().zeros, coarsened(counted(0, 0).buckets())[2].tolist())


@given(st.lists(st.integers(1, LIMIT_NS), min_size=1, max_size=50), st.integers(2, 400))
def test_each_value_is_within_the_bounds_of_its_bucket_at_the_scale_that_is_sent(values, most):
    scale, offset, counts = coarsened(counted(*values).buckets(), most)
    base_log = 2.0**-scale

    assert len(counts) <= most
    assert len(values) == counts.sum()
    assert counts[0]
    assert counts[-1]
    for value in (min(values), max(values)):
        index = offset if value == min(values) else offset + len(counts) - 1
        # Logarithms of doubles: correct except for the last digits.
        assert index * base_log - 1e-9 < math.log2(value / 1e9) < (index + 1) * base_log + 1e-9


@given(st.lists(st.integers(1, LIMIT_NS), min_size=1, max_size=50))
def test_a_coarse_histogram_is_that_of_values_counted_at_its_scale(values):
    scale, offset, counts = coarsened(counted(*values).buckets(), 8)
    direct = np.ceil(np.log2(np.array(values) / 1e9) * 2.0**SCALE).astype(np.int64) - 1 >> (SCALE - scale)

    assert {offset + i: n for i, n in enumerate(counts.tolist()) if n} == dict(
        zip(*(part.tolist() for part in np.unique(direct, return_counts=True)), strict=True)
    )


def test_it_is_not_made_finer_than_the_values_allow():
    scale, _, counts = coarsened(counted(SECOND, 2 * SECOND).buckets(), 257)

    assert (SCALE, 257) == (scale, len(counts))
    assert SCALE - 1 == coarsened(counted(SECOND, 2 * SECOND).buckets(), 256)[0]


def test_the_buckets_are_those_of_opentelemetrys_own_sdk():
    mapping = pytest.importorskip("opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.logarithm_mapping")
    reference = mapping.LogarithmMapping(SCALE)
    values = np.random.default_rng(1).lognormal(16, 3, 2000).astype(np.int64) + 1

    assert [reference.map_to_index(value / 1e9) for value in values.tolist()] == [
        counted(value).buckets().offset for value in values.tolist()
    ]
