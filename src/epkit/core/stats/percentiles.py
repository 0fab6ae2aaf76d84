"""Statistics of one series of latencies: percentiles, and how reliable each of them is.

A percentile's interval comes from order statistics: of n independent values the number below the true
percentile is binomial, so two ranks enclose it with the wanted probability, whatever the distribution.
Requests of one run are not independent (a slow moment slows its neighbours), so n is replaced by the
*effective* sample size n / τ, where τ is the integrated autocorrelation time of the indicator "slower than
the percentile".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from epkit.core.stats.distribution import PERCENTILES, Distribution

TAIL: Final = Fraction(1, 40)
"""Probability that a two-sided 95 % interval misses on one side."""

BATCHES: Final = 20
"""Batches for the interval of the mean, so also its least sample. Source: Schmeiser (1982): 10 to 30."""

STUDENT: Final = 2.0930240544
"""The 97.5 % quantile of Student's t with `BATCHES` − 1 degrees of freedom."""

EVENTS: Final = 20
"""Number of independent values above a percentile from which they alone show how such values cluster."""

MEMORIES: Final = 5
"""Batches must be this number of correlation times longer than one; otherwise their means are not independent."""

LONGEST: Final = 1 << 13
"""A longer series is summed into at most this many batches before its autocovariance is taken: the error of τ is then a
few percent, and the report of a long run takes no longer than that of a short one."""

PS: Final = {key: Fraction(key) for key in PERCENTILES}
"""The report's percentiles, exact, by their key."""


def rank(n: int, p: Fraction) -> int:
    """Return the nearest rank of a percentile: how many of *n* values cover *p* percent, 1-based.

    Args:
        n: sample size, ≥ 1.
        p: exact percent in (0, 100]. Not a float: ceil(7 / 100 * 100) is 8.

    Raises:
        ValueError: *n* or *p* is out of range.

    Source: Hyndman & Fan (1996), definition 1.
    """
    if n < 1 or not 0 < p <= 100:
        raise ValueError(f"percentile {p} of {n} values: wants 0 < p <= 100 and a value at least")
    return math.ceil(p * n / 100)


def percentile(ordered: np.ndarray, p: Fraction) -> int:
    """Return the nearest-rank percentile: the smallest sample that covers *p* percent.

    Args:
        ordered: n ≥ 1 integers, ascending, any one unit.
        p: exact percent in (0, 100].

    Returns:
        One of the samples; never an interpolation.

    Raises:
        ValueError: *ordered* is empty or *p* out of range.

    Source: Hyndman & Fan (1996), definition 1.
    """
    return int(ordered[rank(len(ordered), p) - 1])


def floor(p: Fraction, tail: Fraction = TAIL) -> int:
    """Return the smallest sample whose extremes enclose a percentile with 2.5 % to miss on either side.

    Args:
        p: exact percent in (0, 100); the maximum (100) has no interval, however large the sample is.
        tail: probability of a miss on one side, if not 2.5 %.

    Returns:
        The smallest n with max(q, 1 − q)ⁿ ≤ 2.5 %, q = p / 100: 6 for p50, 368 for p99.

    Raises:
        ValueError: *p* is out of range.

    Source: David & Nagaraja, Order Statistics (2003), § 7.1.
    """
    if not 0 < p < 100:
        raise ValueError(f"percentile {p}: wants 0 < p < 100")
    rare = min(p, 100 - p) / 100
    size = math.log(tail) / math.log1p(-rare)
    nearest = round(size)
    # Logarithms are right to about 1e-15 of their size: powers of fractions are needed only near a whole number.
    if nearest and abs(size - nearest) < 1e-9 * size:
        return nearest if (1 - rare) ** nearest <= tail else nearest + 1
    return max(1, math.ceil(size))


def ranks(n: int, p: Fraction, tail: Fraction = TAIL) -> tuple[int, int] | None:
    """Return the ranks of the order statistics that enclose a percentile with at least 95 % confidence.

    Args:
        n: number of independent samples, ≥ 0.
        p: exact percent in (0, 100).
        tail: probability of a miss on one side, if not 2.5 %.

    Returns:
        (l, u), 1-based: l the largest with P(B < l) ≤ 2.5 %, u the smallest with P(B ≥ u) ≤ 2.5 %, B binomial
        (n, p / 100); None where *n* is below `floor`.

    Source: David & Nagaraja, Order Statistics (2003), § 7.1.
    """
    if n < floor(p, tail):
        return None
    q = p / 100
    mode = math.floor((n + 1) * q)
    # All but 1e-30 of the mass lies within 12 standard deviations (the constant is for the Poisson-like
    # ends), so the ratios of neighbours, normalised, give the distribution without a single factorial.
    reach = 40 + int(12 * math.sqrt(n * q * (1 - q)))
    low, high = max(mode - reach, 0), min(mode + reach, n)
    k = np.arange(low, high, dtype=np.float64)
    logs = np.concatenate(([0.0], np.cumsum(np.log((n - k) / (k + 1) * float(q / (1 - q))))))
    mass = np.exp(logs - logs.max())
    below = np.cumsum(mass) / mass.sum()
    lower = low + int(np.searchsorted(below, float(tail), side="right"))
    upper = low + int(np.searchsorted(below, float(1 - tail), side="left")) + 1
    return lower, upper


def interval(n: int, tau: float, p: Fraction, tail: Fraction = TAIL) -> tuple[int, int] | None:
    """Return the ranks, among *n* correlated samples, that enclose a percentile with 95 % confidence.

    Args:
        n: number of samples, ≥ 0.
        tau: integrated autocorrelation time, ≥ 1; the sample is worth n / tau independent ones.
        p: exact percent in (0, 100).
        tail: probability of a miss on one side, if not 2.5 %.

    Returns:
        `ranks` of the effective sample, scaled to the n samples; None if it is too small.
    """
    effective = int(n / tau)
    found = ranks(effective, p, tail)
    if found is None:
        return None
    lower, upper = (Fraction(r * (n + 1), effective + 1) for r in found)
    return max(1, math.floor(lower)), min(n, math.ceil(upper))


def correlation_time(hits: np.ndarray) -> float:
    """Estimate how many consecutive samples count as one independent sample: τ = 1 + 2 Σ ρ(k).

    Args:
        hits: n ≥ 1 booleans, in order of time.

    Returns:
        τ ≥ 1: a negative correlation does not count as an advantage. 1 if the series is constant.

    Source: Sokal (1997), Monte Carlo Methods in Statistical Mechanics, § 3: the sum ends at the first lag
    M ≥ 5 τ(M). Bias of the mean's subtraction: Wolff (2004), Monte Carlo errors with less errors, eq. 49.
    """
    batch = -(-len(hits) // LONGEST)
    count = len(hits) // batch
    used = hits[: count * batch]
    share = int(np.count_nonzero(used)) / len(used)
    spread = share * (1 - share)
    if spread == 0:
        return 1.0
    # Summing batches leaves the long-run variance as it is and bounds the transform.
    sums = np.count_nonzero(used.reshape(count, batch), axis=1)
    centred = sums - sums.mean()
    spectrum = np.fft.rfft(centred, 1 << (2 * count - 1).bit_length())
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[:count]
    # γ(0) + 2 Σ γ(k) up to each lag. Up to the last lag it is 0, because deviations from a mean add up to 0; so
    # the rule below always finds a window.
    summed = 2 * np.cumsum(covariance) - covariance[0]
    window = int(np.argmax(np.arange(count) * covariance[0] >= 5 * summed))
    tau = summed[window] / (len(used) * spread) * (1 + (2 * window + 1) / count)
    return max(1.0, float(tau))


def prudent(tau: float, n: int) -> float:
    """Return an estimate of an autocorrelation time, increased by its own standard error.

    Intervals use this value. An estimate from few samples can be too low by chance. Just then the sample seems large
    enough for an interval, and the interval would be too narrow.

    Args:
        tau: from `correlation_time`. A value that independent samples can have by chance is not changed.
        n: number of samples, ≥ 1.
    """
    return tau + _error(tau, n) if _is_dependent(tau, n) else tau


def _error(tau: float, n: int) -> float:
    """Return the standard error of an autocorrelation time. Source: Wolff (2004), eq. 42, with a window of 5 τ."""
    return tau * math.sqrt(2 * (10 * tau + 1) / n)


def _is_dependent(tau: float, n: int) -> bool:
    """Tell whether an estimate is further from 1 than independent samples would give by chance."""
    return tau > 1 + 2 * _error(1, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """The dependence of the samples of a series, as far as intervals need it.

    Args:
        taus: integrated autocorrelation time of "slower than this percentile" (`prudent`), by the percentile's key. A
            percentile is left out if the sample is too small for it even with independent samples.
        wobble: 95 % half width of the mean times √n, in ns; None for fewer than `BATCHES` samples, and if a batch is no
            longer than the correlation of the samples.
    """

    taus: Mapping[str, float]
    wobble: float | None


def sort(values_ns: np.ndarray) -> np.ndarray:
    """Return n ≥ 1 integers in ascending order; times under four seconds as integers of 32 bits, which sort faster."""
    fits = values_ns.min() >= 0 and values_ns.max() < 1 << 32
    return np.sort(values_ns.astype(np.uint32) if fits else values_ns)


def dependence(values_ns: np.ndarray, ordered: np.ndarray) -> Dependence:
    """Measure the dependence of a series.

    Args:
        values_ns: n ≥ 1 integers, in order of completion.
        ordered: the same, ascending.

    Source: for the mean, batch means: Law, Simulation Modeling and Analysis (2015), § 9.5.3.
    """
    n = len(values_ns)
    taus: dict[str, float] = {}
    for key, p in PS.items():
        if p == 100 or n < floor(p):
            continue
        place = rank(n, p)
        tau = correlation_time(values_ns > int(ordered[place - 1]))
        if (n - place) / tau < EVENTS:
            # A value that is exceeded a few times cannot show clusters; the median is exceeded often.
            tau = max(tau, taus.get("50", 1.0))
        taus[key] = prudent(tau, n)
    memory = taus.get("50", 1.0)
    if n < BATCHES or (_is_dependent(memory, n) and n < MEMORIES * BATCHES * memory):
        return Dependence(taus=taus, wobble=None)
    means = [batch.mean() for batch in np.array_split(values_ns, BATCHES)]
    half = STUDENT * float(np.std(means, ddof=1)) / math.sqrt(BATCHES)
    return Dependence(taus=taus, wobble=half * math.sqrt(n))


def describe(
    at: Callable[[int], float],
    count: int,
    mean_ns: float,
    sd_ns: float,
    known: Dependence,
    blur: float = 0.0,
) -> Distribution:
    """Make a distribution, from exact samples or from a histogram.

    Args:
        at: returns the value of a rank, in ns; ranks are 1 … *count*.
        count: number of samples, ≥ 1.
        mean_ns: their mean.
        sd_ns: their standard deviation with n − 1.
        known: dependence of these samples, or of the first ones that were kept.
        blur: by what fraction *at* may exceed the true value; the lower ends of intervals are reduced by it.
    """

    def bounds(key: str) -> tuple[float, float] | None:
        found = interval(count, known.taus[key], PS[key]) if key in known.taus else None
        if found is None:
            return None
        low, high = found
        return max(at(1), at(low) * (1 - blur)) / 1e6, at(high) / 1e6

    ci95 = {key: bounds(key) for key in PERCENTILES}
    half_ns = None if known.wobble is None else known.wobble / math.sqrt(count)
    ci95["mean"] = None if half_ns is None else ((mean_ns - half_ns) / 1e6, (mean_ns + half_ns) / 1e6)
    return Distribution(
        count=count,
        min=at(1) / 1e6,
        mean=mean_ns / 1e6,
        sd=sd_ns / 1e6,
        median=(at((count + 1) // 2) + at(count // 2 + 1)) / 2e6,
        max=at(count) / 1e6,
        percentiles={key: at(rank(count, p)) / 1e6 for key, p in PS.items()},
        ci95=ci95,
        effective=int(count / known.taus.get("50", 1.0)),
    )


def with_failures(at: Callable[[int], int], ok: int, failed: int, known: Dependence, blur: float = 0.0) -> Distribution:
    """Describe latencies in which each failure is infinite, as a user sees them who waits for an answer.

    Args:
        at: returns the value of a rank among the successes, in ns; ranks are 1 … *ok*.
        failed: number of failures, ≥ 1.
        known: dependence of the successes.
        blur: as for `describe`.

    Returns:
        A distribution whose mean, spread and longest are infinite, and so are the percentiles that failures reach. An
        interval that would end at infinity is left out.
    """

    def infinite(place: int) -> float:
        return at(place) if place <= ok else math.inf

    found = describe(infinite, ok + failed, math.inf, math.inf, replace(known, wobble=None), blur)
    sure = {key: None if bounds is None or math.isinf(bounds[1]) else bounds for key, bounds in found.ci95.items()}
    return replace(found, ci95=sure)


def distribution(values_ns: np.ndarray) -> Distribution | None:
    """Describe a series of latencies.

    Args:
        values_ns: integers, in order of completion: the order shows how much they depend on each other.

    Returns:
        The distribution, in ms; None if there are no values.
    """
    if not len(values_ns):
        return None
    ordered = sort(values_ns)
    # Differences from the smallest value are added, so that equal values have exactly their own mean, and no spread.
    above = np.subtract(values_ns, ordered[0], dtype=np.float64)
    mean = float(above.mean())
    above -= mean
    count = len(ordered)
    sd_ns = math.sqrt(float(above @ above) / (count - 1)) if count > 1 else 0.0
    del above  # 16 MB for two million values
    return describe(
        at=lambda r: int(ordered[r - 1]),
        count=count,
        mean_ns=int(ordered[0]) + mean,
        sd_ns=sd_ns,
        known=dependence(values_ns, ordered),
    )
