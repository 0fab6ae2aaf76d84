"""Exponential histograms as in OpenTelemetry: bucket *i* holds the values in (b^i, b^(i+1)], b = 2^(2^-scale).

Values are counted at the finest scale, `SCALE`. Two neighbouring buckets make exactly one bucket of the next scale. So
a coarser histogram is the same as if its values had been counted at its own scale.

Source: OpenTelemetry, Metrics Data Model, ExponentialHistogram.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

SCALE: Final = 8
"""The finest scale: 256 buckets for each power of two, the maximum in Prometheus' native histograms."""

MOST_BUCKETS: Final = 320
"""Greatest number of buckets that are sent. 160, OpenTelemetry's own default, would double the error."""

LIMIT_NS: Final = 1 << 43
"""The largest value, 2 h 26 min, as in `epkit.core.stats.histogram`."""

_BASE: Final = -30 << SCALE
"""The bucket before that of 1 ns, which is slightly more than 2^-30 s."""

_COUNTED: Final = (14 << SCALE) - _BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialBuckets:
    """The counts of a histogram, ready to be sent. Values are seconds.

    Args:
        count: number of all values.
        zeros: number of values that are 0.
        min_s, max_s: the extremes; 0 if there is no value.
        offset: index of the first bucket.
        counts: int64, of the buckets from *offset*; empty if all values are zeros.
    """

    count: int
    zeros: int
    sum_s: float
    min_s: float
    max_s: float
    scale: int
    offset: int
    counts: np.ndarray


class ExponentialHistogram:
    """Counts of nanoseconds by bucket; count, sum and extremes are exact. Takes 90 KB, whatever the count."""

    __slots__ = ("_counts", "_max", "_min", "_total", "_zeros", "count")

    def __init__(self) -> None:
        self._counts = np.zeros(_COUNTED, dtype=np.int64)
        self.count = self._zeros = self._total = self._max = 0
        self._min = LIMIT_NS

    def add(self, values_ns: np.ndarray) -> None:
        """Count values (int64 ns, any order, at least one). One outside 0 … `LIMIT_NS` counts as the nearest inside."""
        inside = np.clip(values_ns, 0, LIMIT_NS)
        least = int(inside.min())
        positive = inside if least else inside[inside > 0]
        # Computed from seconds, not from the logarithm of ns: then a power of two is exact, and is the end of its
        # bucket.
        indices = np.ceil(np.log2(positive / 1e9) * (1 << SCALE)).astype(np.int64) - (1 + _BASE)
        self._counts += np.bincount(indices, minlength=_COUNTED)
        self.count += len(inside)
        self._zeros += len(inside) - len(positive)
        self._total += int(inside.sum())
        self._min = min(self._min, least)
        self._max = max(self._max, int(inside.max()))

    def buckets(self) -> ExponentialBuckets:
        """Return a copy of the counts so far, at the finest scale."""
        used = np.flatnonzero(self._counts)
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (-_BASE, -_BASE)
        return ExponentialBuckets(
            count=self.count,
            zeros=self._zeros,
            sum_s=self._total / 1e9,
            min_s=self._min / 1e9 if self.count else 0.0,
            max_s=self._max / 1e9,
            scale=SCALE,
            offset=first + _BASE,
            counts=self._counts[first:end].copy(),
        )


def coarsened(buckets: ExponentialBuckets, most: int = MOST_BUCKETS) -> tuple[int, int, np.ndarray]:
    """Return scale, offset and counts at the finest scale that needs no more than *most* buckets.

    Args:
        most: ≥ 2.
    """
    scale, first, counts = buckets.scale, buckets.offset, buckets.counts
    last = first + len(counts) - 1
    halvings = 0
    while (last >> halvings) - (first >> halvings) >= most:
        halvings += 1
    if not halvings:
        return scale, first, counts
    offset = first >> halvings
    places = (np.arange(first, last + 1) >> halvings) - offset
    made = np.zeros(int(places[-1]) + 1, dtype=np.int64)
    np.add.at(made, places, counts)
    return scale - halvings, offset, made
