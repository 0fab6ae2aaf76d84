"""The distribution of one series of times, as a report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PERCENTILES: Final = ("50", "66", "75", "80", "90", "95", "98", "99", "99.9", "99.99", "100")
"""The percentiles of every latency; these strings are their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One latency of the successful requests, in ms.

    Args:
        count: number of requests, ≥ 1.
        sd: standard deviation with n − 1; 0 if count is 1.
        percentiles: nearest rank, keyed by `PERCENTILES`.
        ci95: 95 % confidence interval of each percentile (and of `mean`), None if the sample is too small for one. All
            values except the intervals can be infinite in the response view: see --failures-as-infinite.
        effective: sample size after autocorrelation; the interval of the median uses it.
    """

    count: int
    min: float
    mean: float
    sd: float
    median: float
    max: float
    percentiles: Mapping[str, float]
    ci95: Mapping[str, tuple[float, float] | None]
    effective: int
