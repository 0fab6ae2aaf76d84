"""The curve of percentiles: it equals the report's figures, is monotonic, and ends at the last supported percentile."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from epkit.core.stats.distribution import Distribution
from epkit.core.stats.histogram import Histogram
from epkit.core.stats.percentile_curve import nines, percentile_curve
from epkit.core.stats.percentiles import distribution, floor, rank


def sample(count: int, seed: int = 0) -> tuple[Histogram, Distribution, np.ndarray]:
    """Make independent latencies: as a histogram, as in a report, and sorted."""
    values = (np.random.default_rng(seed).lognormal(0, 0.5, count) * 1e7).astype(np.int64)
    histogram = Histogram()
    histogram.add(values)
    times = distribution(values)
    assert times is not None
    return histogram, times, np.sort(values)


def test_it_has_the_figures_of_the_report_and_those_of_the_sample_between_them() -> None:
    histogram, times, ordered = sample(20_000)
    found = {point.p: point for point in percentile_curve(histogram, times)}

    for key in ("50", "66", "75", "80", "90", "95", "98", "99", "99.9"):
        point = found[Fraction(key)]
        assert (times.percentiles[key], times.ci95[key]) == (point.at_ms, (point.low_ms, point.high_ms))
    for p in (Fraction(97), Fraction("99.5"), Fraction("99.88")):
        assert found[p].at_ms == pytest.approx(ordered[rank(len(ordered), p) - 1] / 1e6, rel=0.001)


@pytest.mark.parametrize("count", [6, 40, 368, 3_688, 50_000])
def test_it_ends_with_the_last_percentile_that_the_sample_supports(count: int) -> None:
    histogram, times, _ = sample(count)
    found = percentile_curve(histogram, times)
    ps = [point.p for point in found]

    assert Fraction(50) == ps[0]
    assert sorted(set(ps)) == ps
    assert all(floor(p) <= count for p in ps)
    last = [Fraction(key) for key, sure in times.ci95.items() if key not in ("mean", "100") and sure is not None][-1]
    assert ps[-1] >= last


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_and_intervals_rise(seed: int) -> None:
    histogram, times, _ = sample(5_000, seed)
    found = percentile_curve(histogram, times)

    for name in ("at_ms", "low_ms", "high_ms"):
        values = [getattr(point, name) for point in found]
        assert sorted(values) == values
    assert all(point.low_ms <= point.at_ms <= point.high_ms for point in found)


def test_intervals_between_those_of_the_report_hold_the_truth_as_often_as_they_say() -> None:
    p, truth = Fraction("99.5"), 10 * math.exp(0.5 * 2.5758293)
    points = [{point.p: point for point in percentile_curve(*sample(4_000, seed)[:2])}[p] for seed in range(100)]

    assert 91 <= sum(point.low_ms <= truth <= point.high_ms for point in points)


def test_a_sample_that_supports_no_median_has_no_curve() -> None:
    histogram, times, _ = sample(5)

    assert () == percentile_curve(histogram, times)


def test_a_curve_ends_where_failures_make_it_infinite() -> None:
    histogram, times, _ = sample(1_000)
    # 30 infinitely slow failures: p98 and above are infinite
    infinite = {key: math.inf if float(key) > 97 else value for key, value in times.percentiles.items()}
    sure = {key: None if key in ("98", "99", "99.9", "99.99", "100") else ends for key, ends in times.ci95.items()}
    found = percentile_curve(histogram, replace(times, count=1_030, percentiles=infinite, ci95=sure))

    assert Fraction(95) <= found[-1].p < Fraction(98)
    assert all(math.isfinite(point.high_ms) for point in found)


def test_each_nine_is_as_wide_as_the_last() -> None:
    assert [1.0, 2.0, 3.0, 4.0] == [pytest.approx(nines(Fraction(p))) for p in ("90", "99", "99.9", "99.99")]
