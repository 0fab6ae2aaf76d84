"""Percentiles and intervals, compared with ab's exact vectors, exact binomial arithmetic and simulated series."""

import functools
import math
from collections.abc import Mapping
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.stats import percentiles
from epkit.core.stats.distribution import PERCENTILES
from support.shared import shared

NS = st.lists(st.integers(0, 3_600_000_000_000), min_size=1, max_size=200)
PERCENT = st.fractions(Fraction(1, 1000), 100, max_denominator=1000)
INNER = PERCENT.filter(lambda p: p < 100)
TRIALS = 300


def lognormal(n: int, rho: float, trials: int, seed: int) -> np.ndarray:
    """Simulate latencies in ns, lognormal around 10 ms, with AR(1) correlation; one row per trial."""
    rng = np.random.default_rng(seed)
    state = rng.standard_normal(trials)
    rows = np.empty((n, trials))
    for i in range(n):
        rows[i] = state
        state = rho * state + math.sqrt(1 - rho * rho) * rng.standard_normal(trials)
    return np.exp(0.5 * rows.T) * 1e7


def truth(key: str) -> float:
    """Return the true value, in ms, of the distribution of `lognormal`."""
    if key == "mean":
        return 10 * math.exp(0.125)
    return 10 * math.exp(0.5 * NormalDist().inv_cdf(float(Fraction(key)) / 100))


@functools.cache
def intervals(n: int, rho: float) -> tuple[Mapping[str, tuple[float, float] | None], ...]:
    """Return the intervals of each of `TRIALS` simulated runs of *n* requests."""
    return tuple(percentiles.distribution(row.astype(np.int64)).ci95 for row in lognormal(n, rho, TRIALS, seed=n))


def coverage(n: int, rho: float, key: str) -> tuple[float, float]:
    """Return the share of the intervals that contain the truth, and the share of the trials that have an interval."""
    stated = [ci[key] for ci in intervals(n, rho) if ci[key]]
    held = sum(low <= truth(key) <= high for low, high in stated)
    return held / max(1, len(stated)), len(stated) / TRIALS


@given(NS, PERCENT)
def test_a_percentile_is_the_smallest_sample_that_covers_so_many(numbers, p):
    value = percentiles.percentile(np.sort(np.array(numbers)), p)

    assert value in numbers
    assert sum(x <= value for x in numbers) * 100 >= p * len(numbers)
    assert sum(x < value for x in numbers) * 100 < p * len(numbers)


def test_the_seventh_percentile_of_a_hundred_is_the_seventh_value():
    assert percentiles.percentile(np.arange(1, 101), Fraction(7)) == 7
    assert math.ceil(7 / 100 * 100) == 8  # the result with a float


def test_the_hundredth_percentile_is_the_maximum():
    assert percentiles.percentile(np.arange(1, 11), Fraction(100)) == 10


@pytest.mark.parametrize(("n", "p"), [(0, 50), (5, 0), (5, -1), (5, 101)])
def test_a_percentile_of_nothing_or_out_of_range_is_refused(n, p):
    with pytest.raises(ValueError, match="percentile"):
        percentiles.percentile(np.arange(n), Fraction(p))


def test_percentiles_agree_with_the_microseconds_of_an_ab_run_of_a_hundred():
    rows = shared("data/ab/n100.csv").read_text().splitlines()[1:]
    # With n = 100, ab's row i is its sorted value number i + 1 (from 0 to 99), and the last value occurs twice.
    ordered = np.array([round(float(row.split(",")[1]) * 1e6) for row in rows])[:100]

    result = percentiles.distribution(ordered)

    assert {key: ordered[math.ceil(float(key)) - 1] / 1e6 for key in PERCENTILES} == dict(result.percentiles)
    assert (ordered[49] + ordered[50]) / 2e6 == result.median


def test_the_median_of_an_ab_run_of_ten_is_the_true_one():
    rows = [float(row.split(",")[1]) for row in shared("data/ab/n10.csv").read_text().splitlines()[1:]]
    # From row 95 on, ab has read past the end of its array.
    ordered = np.array(sorted({round(value * 1e6) for value in rows[:95]}))

    assert len(ordered) == 10
    assert (ordered[4] + ordered[5]) / 2e6 == percentiles.distribution(ordered).median


@pytest.mark.parametrize(("p", "n"), [("50", 6), ("90", 36), ("95", 72), ("99", 368), ("99.9", 3688)])
def test_the_floors_are_those_of_a_two_sided_95_percent_interval(p, n):
    assert n == percentiles.floor(Fraction(p))
    assert percentiles.ranks(n - 1, Fraction(p)) is None
    assert (percentiles.ranks(n, Fraction(p)) or (0, 0))[1] == n


@given(INNER)
def test_the_floor_is_the_first_size_whose_extremes_miss_no_more_than_a_fortieth(p):
    n = percentiles.floor(p)
    q = max(p, 100 - p) / 100

    assert float(q) ** n <= 0.025 * (1 + 1e-9)
    assert float(q) ** (n - 1) > 0.025 * (1 - 1e-9)


@pytest.mark.parametrize("p", ["50", "75", "99"])
def test_the_floor_is_exact_where_a_whole_number_of_samples_misses_just_what_it_may(p):
    q, sizes, least = Fraction(p) / 100, range(1, 200), Fraction(1, 10**600)

    assert list(sizes) == [percentiles.floor(Fraction(p), q**n) for n in sizes]
    assert [n + 1 for n in sizes] == [percentiles.floor(Fraction(p), q**n - least) for n in sizes]


@pytest.mark.parametrize("p", [0, 100, 101])
def test_no_floor_exists_at_the_ends(p):
    with pytest.raises(ValueError, match="percentile"):
        percentiles.floor(Fraction(p))


@settings(max_examples=50)
@given(st.integers(1, 400), st.fractions(1, 99, max_denominator=10))
def test_ranks_are_those_of_exact_binomial_arithmetic(n, p):
    a, b = p.numerator, 100 * p.denominator
    total, cdf = 0, []
    for k in range(n + 1):
        total += math.comb(n, k) * a**k * (b - a) ** (n - k)
        cdf.append(Fraction(total, b**n))
    lower = next(k for k in range(n + 1) if cdf[k] > percentiles.TAIL)
    upper = next(k for k in range(n + 1) if cdf[k] >= 1 - percentiles.TAIL) + 1
    expected = (lower, upper) if lower >= 1 and upper <= n else None

    assert expected == percentiles.ranks(n, p)


def test_ranks_of_two_million_are_exact():
    # scipy 1.x: binom(2_000_000, q).ppf(0.025), .ppf(0.975) + 1
    expected = {
        "50": (998_614, 1_001_387),
        "66": (1_318_687, 1_321_314),
        "90": (1_799_168, 1_800_832),
        "99": (1_979_724, 1_980_276),
        "99.9": (1_997_912, 1_998_088),
        "99.99": (1_999_772, 1_999_828),
    }

    assert expected == {p: percentiles.ranks(2_000_000, Fraction(p)) for p in expected}


def test_an_interval_without_correlation_has_the_binomial_ranks():
    assert percentiles.ranks(1000, Fraction(90)) == percentiles.interval(1000, 1.0, Fraction(90))


@given(st.integers(6, 100_000), st.floats(1, 50), INNER)
def test_an_interval_stays_within_the_sample_and_encloses_its_percentile(n, tau, p):
    found = percentiles.interval(n, tau, p)

    if int(n / tau) < percentiles.floor(p):
        assert found is None
    else:
        assert 1 <= found[0] <= percentiles.rank(n, p) <= found[1] <= n
        assert found[0] < found[1]


def test_the_correlation_time_of_a_constant_series_is_one():
    assert percentiles.correlation_time(np.zeros(100, dtype=bool)) == 1.0


def test_an_alternating_series_is_not_worth_more_than_its_length():
    assert percentiles.correlation_time(np.arange(1000) % 2 == 0) == 1.0


@pytest.mark.parametrize(("n", "rho"), [(100_000, 0.0), (100_000, 0.5), (100_000, 0.9), (400_000, 0.9)])
def test_the_correlation_time_of_an_autoregression_is_the_one_of_theory(n, rho):
    noise = np.random.default_rng(5).standard_normal(n)
    powers = rho ** np.arange(400)  # the complete filter, to 1e-18
    series = np.convolve(noise, powers)[:n]
    # The signs of two normal variables with correlation r have correlation 2/π asin r.
    theory = 1 + 2 * float(np.sum(2 / np.pi * np.arcsin(powers[1:])))

    assert percentiles.correlation_time(series > 0) == pytest.approx(theory, rel=0.1)


def test_nothing_has_no_distribution():
    assert percentiles.distribution(np.array([], dtype=np.int64)) is None


def test_one_value_is_its_own_distribution():
    result = percentiles.distribution(np.array([1_500_000]))

    assert (
        result.count, result.min, result.mean, result.median, result.max, result.sd,
    ) == (1, 1.5, 1.5, 1.5, 1.5, 0.0)  # fmt: skip
    assert set(result.ci95.values()) == {None}
    assert result.effective == 1


@given(NS)
def test_a_distribution_agrees_with_plain_arithmetic(numbers):
    result = percentiles.distribution(np.array(numbers))

    mean = Fraction(sum(numbers), len(numbers))
    square = sum((x - mean) ** 2 for x in numbers) / max(1, len(numbers) - 1)
    assert (len(numbers), min(numbers) / 1e6, max(numbers) / 1e6) == (result.count, result.min, result.max)
    assert float(mean) / 1e6 == pytest.approx(result.mean, rel=1e-12)
    assert math.sqrt(square) / 1e6 == pytest.approx(result.sd, rel=1e-9, abs=1e-12)
    assert float(np.median(numbers)) / 1e6 == pytest.approx(result.median, rel=1e-15)
    assert list(PERCENTILES) == list(result.percentiles)
    assert [*PERCENTILES, "mean"] == list(result.ci95)
    assert all(ci is None or ci[0] <= result.percentiles[k] <= ci[1] for k, ci in result.ci95.items() if k != "mean")
    assert result.ci95["mean"] is None or result.ci95["mean"][0] <= result.mean <= result.ci95["mean"][1]
    assert 1 <= result.effective <= result.count


@given(st.integers(0, 10**13), st.integers(1, 300))
def test_equal_values_have_no_spread_and_their_own_mean(value, n):
    result = percentiles.distribution(np.full(n, value))

    assert (value / 1e6, 0.0) == (result.mean, result.sd)


@pytest.mark.parametrize(("n", "key"), [(5, "50"), (35, "90"), (71, "95"), (367, "99"), (19, "mean")])
def test_below_its_floor_a_percentile_has_no_interval(n, key):
    values = np.random.default_rng(1).permutation(n) + 1

    assert percentiles.distribution(values).ci95[key] is None


@pytest.mark.parametrize(("n", "key"), [(6, "50"), (36, "90"), (72, "95"), (368, "99"), (20, "mean")])
def test_from_its_floor_on_a_percentile_of_independent_samples_has_an_interval(n, key):
    given = [percentiles.distribution(row.astype(np.int64)).ci95[key] for row in lognormal(n, 0.0, 20, seed=n)]

    assert any(given)


def test_the_maximum_has_no_interval_however_many_samples_there_are():
    assert percentiles.distribution(np.arange(50_000)).ci95["100"] is None


def test_percentiles_do_not_depend_on_the_order_but_the_effective_size_does():
    mixed = np.random.default_rng(3).permutation(10_000)

    assert percentiles.distribution(np.sort(mixed)).percentiles == percentiles.distribution(mixed).percentiles
    assert percentiles.distribution(np.sort(mixed)).effective < 50 < 9_000 < percentiles.distribution(mixed).effective


# Nominal 95 %; in 300 trials a true .95 falls below .91 once in a thousand times.
@pytest.mark.parametrize(
    ("n", "rho", "key", "least", "said"),
    [
        (500, 0.0, "99", 0.95, 0.85),
        (2000, 0.0, "50", 0.91, 1.0),
        (2000, 0.0, "99", 0.93, 1.0),
        (2000, 0.5, "50", 0.91, 1.0),
        (2000, 0.5, "99", 0.93, 0.95),
        (200, 0.9, "50", 0.91, 0.65),
        (500, 0.9, "50", 0.91, 0.9),
        (2000, 0.9, "50", 0.91, 1.0),
        (2000, 0.9, "90", 0.91, 0.9),
        (100, 0.0, "mean", 0.88, 0.9),  # of lognormal values: a small sample has too few of the large ones
        (2000, 0.0, "mean", 0.91, 1.0),
        (2000, 0.9, "mean", 0.88, 0.5),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_claim(n, rho, key, least, said):
    hit, given = coverage(n, rho, key)

    assert hit >= least
    assert given >= said


@pytest.mark.parametrize(
    ("n", "rho", "key"),
    [(500, 0.9, "99"), (1000, 0.9, "99"), (2000, 0.9, "99"), (500, 0.9, "95"), (200, 0.9, "mean"), (500, 0.9, "mean")],
)
def test_no_interval_is_given_where_the_dependence_cannot_be_had_from_so_few(n, rho, key):
    _, given = coverage(n, rho, key)

    assert given <= 0.01


def test_an_estimate_of_dependence_is_raised_by_its_error_and_left_alone_where_chance_makes_as_much():
    assert 1.0 == percentiles.prudent(1.0, 100)
    assert 1.9 == percentiles.prudent(1.9, 100)  # 1 + 2 √(22 / 100) = 1.94
    assert 2.0 * (1 + math.sqrt(2 * 21 / 100)) == pytest.approx(percentiles.prudent(2.0, 100))
    assert 2.0 * (1 + math.sqrt(2 * 21 / 1_000_000)) == pytest.approx(percentiles.prudent(2.0, 1_000_000))


@pytest.mark.parametrize("key", ["50", "90", "99"])
def test_intervals_of_independent_samples_are_no_wider_than_they_need_be(key):
    hit, _ = coverage(2000, 0.0, key)

    assert hit <= 0.995


def test_failures_reach_the_percentiles_that_they_are_many_enough_for():
    ordered = np.arange(1, 981) * 1_000_000
    known = percentiles.dependence(np.random.default_rng(1).permutation(ordered), ordered)
    found = percentiles.with_failures(lambda place: int(ordered[place - 1]), 980, 20, known)

    assert (1000, 1.0, 980.0) == (found.count, found.min, found.percentiles["98"])
    assert {math.inf} == {found.percentiles[key] for key in ("99", "99.9", "100")} | {found.mean, found.max}
    assert found.ci95["99"] is None
    assert found.ci95["50"] is not None
