"""A log-linear histogram of nanoseconds: three significant digits at any size, in 270 KB, whatever the count.

Values below 2048 have a bucket each. Above, each power of two is cut into 1024 equal buckets, so that a
bucket is never wider than 1/1024 of its values. The layout is HdrHistogram's for three digits and a unit of
1.

Source: HdrHistogram (Gil Tene), `countsArrayIndex`.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

import numpy as np

from epkit.core.stats.percentiles import rank

BITS: Final = 43
LIMIT_NS: Final = (1 << BITS) - 1
"""The largest value, 2 h 26 min; 0 is the smallest."""

HALF: Final = 1024
BLUR: Final = 1 / HALF
"""Greatest width of a bucket, as a fraction of its values."""

BUCKETS: Final = (BITS - 10) * HALF + HALF

UPPER: Final = (1023 + 10 - 1) << 10
"""Difference between the upper bits of a double and the bucket: exponent bias and the linear part."""

MOST_COUNT: Final = 1 << 40
"""Greatest count of a bucket from another process: sums of such counts fit an int64."""

CHUNK: Final = 1 << 18
"""Number of squares of 22-bit halves that fit an int64 sum."""


def codes(values_ns: np.ndarray) -> np.ndarray:
    """Return the bucket of each value.

    Args:
        values_ns: int64 in 0 … `LIMIT_NS`.

    Returns:
        int64 in 0 … `BUCKETS` − 1; larger values never have a smaller bucket.
    """
    # A double holds the exponent and then the leading digits: its upper bits are the number of the bucket.
    upper = (values_ns.astype(np.float64).view(np.int64) >> 42) - UPPER
    return np.where(values_ns < HALF, values_ns, upper)


def values(buckets: np.ndarray) -> np.ndarray:
    """Return the largest value of each bucket; it is at most 1/1024 above the other values of the bucket."""
    shift = np.maximum((buckets >> 10) - 1, 0)
    return np.asarray(((buckets - (shift << 10) + 1) << shift) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramState:
    """A histogram on its way to another process: the few buckets that are in use, and the exact sums and extremes."""

    used: np.ndarray
    counts: np.ndarray
    total: int
    squares: int
    clamped: int
    least: int
    most: int


class Histogram:
    """Counts by bucket, and exact values for count, sum, sum of squares and extremes.

    Values outside 0 … `LIMIT_NS` count as the nearest one inside; `clamped` is their number.
    """

    __slots__ = ("clamped", "count", "counts", "max", "min", "squares", "total")

    def __init__(self) -> None:
        self.counts = np.zeros(BUCKETS, dtype=np.int64)
        self.count = self.total = self.squares = self.clamped = 0
        self.min, self.max = LIMIT_NS, 0

    def add(self, values_ns: np.ndarray) -> None:
        """Count values (int64 ns, any order)."""
        for begin in range(0, len(values_ns), CHUNK):
            given = values_ns[begin : begin + CHUNK]
            inside = np.clip(given, 0, LIMIT_NS)
            self.clamped += int(np.count_nonzero(given != inside))
            self.counts += np.bincount(codes(inside), minlength=BUCKETS)
            self.count += len(inside)
            self.total += int(inside.sum())
            # v = 2²² h + l: squares of 43-bit values overflow an int64, those of the halves do not.
            high, low = inside >> 22, inside & ((1 << 22) - 1)
            self.squares += (int(high @ high) << 44) + (int(high @ low) << 23) + int(low @ low)
            self.min = min(self.min, int(inside.min()))
            self.max = max(self.max, int(inside.max()))

    def state(self) -> HistogramState:
        """Return the state to send to another process."""
        used = np.flatnonzero(self.counts)
        return HistogramState(
            used=used,
            counts=self.counts[used],
            total=self.total,
            squares=self.squares,
            clamped=self.clamped,
            least=self.min,
            most=self.max,
        )

    @classmethod
    def restored(cls, state: HistogramState) -> Self:
        """Make the histogram from a state.

        Raises:
            ValueError: no histogram can have such a state.
        """
        made = cls()
        check_counts(state.used, state.counts, BUCKETS)
        made.counts[state.used] = state.counts
        made.count = int(state.counts.sum())
        made.total, made.squares, made.clamped = state.total, state.squares, state.clamped
        made.min, made.max = state.least, state.most
        if not 0 <= made.clamped <= made.count or made.total < 0 or made.squares * made.count < made.total**2:
            raise ValueError("a histogram whose sums are not those of its counts")
        if made.count and not 0 <= made.min <= made.max <= LIMIT_NS:
            raise ValueError("a histogram whose extremes it cannot hold")
        return made

    def merge(self, other: "Histogram") -> None:
        """Add the counts of *other*; the result is as if all values had been added to one histogram."""
        self.counts += other.counts
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.clamped += other.clamped
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)

    @property
    def mean(self) -> float:
        """The mean, in ns, exact to the last bit.

        Raises:
            ZeroDivisionError: there are no values.
        """
        return self.total / self.count

    @property
    def sd(self) -> float:
        """The standard deviation with n − 1, in ns; 0 below two values. Computed from integers, so nothing cancels."""
        n = self.count
        return math.sqrt(Fraction(n * self.squares - self.total**2, n * (n - 1))) if n > 1 else 0.0

    def at(self, place: int) -> int:
        """Return the value with a rank, in ns: the largest value of its bucket; the first and the last value are exact.

        Args:
            place: 1 … `count`.

        Raises:
            ValueError: *place* is out of range.
        """
        if not 1 <= place <= self.count:
            raise ValueError(f"rank {place} of {self.count} values")
        if place == 1:
            return self.min
        bucket = np.searchsorted(np.cumsum(self.counts), place, side="left")
        return min(int(values(np.asarray(bucket))), self.max)

    def percentile(self, p: Fraction) -> int:
        """Return the nearest-rank percentile, in ns, at most 0.1 % above the exact one.

        Args:
            p: exact percent in (0, 100].

        Raises:
            ValueError: there are no values, or *p* is out of range.
        """
        return self.at(rank(self.count, p))


def check_counts(keys: np.ndarray, counts: np.ndarray, buckets: int) -> None:
    """Refuse counts by bucket that no process can have produced.

    Args:
        keys: numbers of buckets, ascending, in 0 … *buckets* − 1.
        counts: number of values in each, int64.

    Raises:
        ValueError: the counts are not valid.
    """
    if len(keys) != len(counts) or (np.diff(keys) <= 0).any():
        raise ValueError("counts that do not belong to buckets")
    if len(keys) and (keys[0] < 0 or keys[-1] >= buckets or counts.min() <= 0 or counts.max() > MOST_COUNT):
        raise ValueError("buckets or counts out of range")
