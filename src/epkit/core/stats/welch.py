"""Compares two means, and corrects for many such comparisons at once."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from epkit.core.stats import student

ALPHA: Final = 0.05
"""Probability of a false difference between equals."""


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """Correct probabilities for their number, so that the chance of any false alarm is that of one test.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    found: dict[str, float] = {}
    least = 0.0
    for rank, (name, p) in enumerate(sorted(ps.items(), key=lambda pair: pair[1])):
        least = max(least, min(1.0, (len(ps) - rank) * p))
        found[name] = least
    return found


def welch(base: np.ndarray, new: np.ndarray) -> tuple[float, float, float] | None:
    """Compare two means.

    Args:
        base, new: one number for each run.

    Returns:
        (difference, half of its 95 % interval, probability of such a difference between equals); None with fewer than
        two
        runs an arm: then the variation between runs is not known.
    """
    if len(base) < 2 or len(new) < 2:
        return None
    difference, error, df = studied(base, new)
    if not error:
        return difference, 0.0, float(difference == 0)
    return difference, student.quantile(ALPHA, df) * error, student.tail(abs(difference) / error, df)


def studied(base: np.ndarray, new: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of two means, its standard error and degrees of freedom.

    Args:
        base, new: at least two numbers each.

    Source: Welch (1947), degrees of freedom after Satterthwaite (1946).
    """
    shares = [float(np.var(arm, ddof=1)) / len(arm) for arm in (base, new)]
    difference = float(new.mean() - base.mean())
    spread = sum(shares)
    # Values that are equal to the last bit are pure counts: they have no variation to measure.
    if spread <= (1e-12 * max(abs(float(base.mean())), abs(float(new.mean())), 1e-300)) ** 2:
        return difference, 0.0, 1.0
    df = spread**2 / sum(share**2 / (len(arm) - 1) for share, arm in zip(shares, (base, new), strict=True))
    return difference, math.sqrt(spread), df
