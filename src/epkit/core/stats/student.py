"""Student's t distribution for any number of degrees of freedom, also fractions: Welch's interval needs it.

scipy has it, but takes 35 MB; here it takes two formulas.
"""

import math
from collections.abc import Sequence
from typing import Final

_TINY: Final = 1e-300
_STEPS: Final = 1000
_EPSILON: Final = 1e-15


def tail(t: float, df: float) -> float:
    """Return the probability that |T| is *t* or more.

    Args:
        t: ≥ 0.
        df: degrees of freedom, > 0.

    Source: Abramowitz & Stegun, 26.7.1: I_x(df / 2, 1 / 2) with x = df / (df + t²).
    """
    return _beta(df / 2, 0.5, df / (df + t * t)) if t > 0 else 1.0


def quantile(both_tails: float, df: float) -> float:
    """Return the t that |T| exceeds with a given probability.

    Args:
        both_tails: in (0, 1): 0.05 for a 95 % interval.
        df: degrees of freedom, > 0.
    """
    low, high = 0.0, 1.0
    while tail(high, df) > both_tails:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, df) > both_tails else (low, middle)
    return high


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of a few independent values; None for fewer than two.

    Source: Law, Simulation Modeling and Analysis (2015), eq. 4.12.
    """
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = quantile(0.05, count - 1) * sd / math.sqrt(count)
    return mean - half, mean + half


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    Source: Abramowitz & Stegun, 26.5.8 (the continued fraction), evaluated as Lentz (1976) does; 26.5.2 (symmetry).
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _STEPS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _off_zero(1 + numerator * d)
            c = _off_zero(1 + numerator / c)
            found *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return math.exp(logs) * found / a


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
