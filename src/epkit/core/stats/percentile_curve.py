"""The percentiles of a latency as a curve with intervals, from the median to the last one that the sample supports.

At the report's percentiles, the values and intervals are those of the report. Between them, the values come from a
histogram, and the intervals use the effective sample size at the median. Both are kept between those of the neighbours
in the report, as the true percentiles are.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from epkit.core.stats.distribution import Distribution
from epkit.core.stats.histogram import BLUR, Histogram
from epkit.core.stats.percentiles import PS, interval, rank

KEYS: Final = {p: key for key, p in PS.items() if p < 100}
"""The report's percentiles, ascending."""

GRID: Final = tuple(
    sorted(
        {
            *KEYS,
            *(
                100 - Fraction(share, 10**nines)
                for nines in range(6)
                for share in (50, 40, 30, 25, 20, 15, 12, 10, 8, 6)
            ),
        }
    )
)
"""Percentiles of a curve: ten to each nine, to six nines."""

LEAST_BEYOND: Final = 3.6
"""If the mean number of independent samples beyond a percentile is smaller, none supports it: e^-3.69 is 2.5 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentilePoint:
    """A percentile and its 95 % confidence interval.

    Args:
        p: exact percent, 50 or more.
        at_ms: the percentile.
        low_ms, high_ms: its interval.
    """

    p: Fraction
    at_ms: float
    low_ms: float
    high_ms: float


def percentile_curve(histogram: Histogram, times: Distribution) -> tuple[PercentilePoint, ...]:
    """Return the points of a curve, ascending.

    Args:
        histogram: of the latency; without the failures that *times* may count as infinite.
        times: the report's distribution of the same latency.

    Returns:
        Empty if the sample does not support the median. The curve ends before the first percentile of the report that
        has no interval or is infinite.
    """
    known = _known(times)
    found: list[PercentilePoint] = []
    for p in GRID:
        if p in known:
            found.append(known[p])
        elif p in KEYS:
            break
        elif point := _between(p, histogram, times):
            found.append(_kept(point, known))
    return tuple(found)


def nines(p: Fraction) -> float:
    """Return the place of a percentile on an axis with equal width for each nine: 0.3 for p50, 1 for p90, 2 for p99."""
    return -math.log10(float(1 - p / 100))


def _known(times: Distribution) -> dict[Fraction, PercentilePoint]:
    """Return the report's percentiles, up to the first one that it does not have."""
    found = {}
    for p, key in KEYS.items():
        sure = times.ci95.get(key)
        if sure is None or not math.isfinite(times.percentiles[key]):
            break
        found[p] = PercentilePoint(p=p, at_ms=times.percentiles[key], low_ms=sure[0], high_ms=sure[1])
    return found


def _between(p: Fraction, histogram: Histogram, times: Distribution) -> PercentilePoint | None:
    """Return a percentile that the report does not have; None if the sample is too small for it."""
    if times.effective * (1 - p / 100) < LEAST_BEYOND:
        return None  # checked first: the exact computation is slow for a percentile that is far out of reach
    sure = interval(times.count, times.count / max(1, times.effective), p)
    if sure is None or sure[1] > histogram.count:
        return None
    low, at, high = (histogram.at(place) / 1e6 for place in (sure[0], rank(times.count, p), sure[1]))
    return PercentilePoint(p=p, at_ms=at, low_ms=max(histogram.min / 1e6, low * (1 - BLUR)), high_ms=high)


def _kept(point: PercentilePoint, known: dict[Fraction, PercentilePoint]) -> PercentilePoint:
    """Keep a point between its neighbours in the report."""
    ps = list(known)
    place = bisect_left(ps, point.p)
    below = [known[p] for p in ps[:place][-1:]]
    above = [known[p] for p in ps[place : place + 1]]

    def within(name: str) -> float:
        value: float = getattr(point, name)
        value = max([value, *(getattr(other, name) for other in below)])
        return float(min([value, *(getattr(other, name) for other in above)]))

    return PercentilePoint(p=point.p, at_ms=within("at_ms"), low_ms=within("low_ms"), high_ms=within("high_ms"))
