"""The population stability index, and how large it can be by chance.

PSI is the sum of (q - p) ln(q / p) over all ranges; p and q are the fractions of the old and the new rows. Its size
without any drift depends on the number of rows: with twenty ranges, 0.2 is no sign of drift for 100 rows on one side,
but 0.01 is a clear one for 30,000 rows on both. So it is compared with its values when the same rows are dealt to the
two sides at random. A deal keeps the total of each range. The new side is then a draw without replacement from all
rows: the multivariate hypergeometric distribution. It is that of all permutations of the rows, and needs only counts.

PSI would be infinite if one side had no row in a range. So half a row for each range is added to each side. It is
distributed like both sides together: a rare value adds little, and equal sides stay equal.

Source: Siddiqi (2006), Credit Risk Scorecards, for the index and its rule of thumb (0.1, 0.25); Phipson & Smyth (2010),
Permutation P-values Should Never Be Zero, for ranks among random permutations.
"""

import math
from typing import Final

import numpy as np

DRAWS: Final = 3999
"""Deals from which a threshold is computed; if more are needed, this number is drawn at a time."""

CLEAR: Final = 3.0
"""No more deals are drawn if the index is this number of times the largest of `DRAWS` deals: even the tail of
chi-squared with one degree of freedom is below 1e-9 there."""

MOST_ROWS: Final = 500_000_000
"""Greatest number of rows of a sample; numpy's generator takes 10^9 in both samples together."""


def psi(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the index, computed over the last axis.

    Args:
        old, new: int64, rows in each range; no range is empty on both sides, and each side has at least one row.
    """
    pooled = old + new
    added = pooled / pooled.sum(axis=-1, keepdims=True) * (pooled.shape[-1] / 2)
    p, q = old + added, new + added
    p = p / p.sum(axis=-1, keepdims=True)
    q = q / q.sum(axis=-1, keepdims=True)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def threshold(old: np.ndarray, new: np.ndarray, level: float, rng: np.random.Generator) -> float:
    """Return a value that the index exceeds by chance with a probability of at most *level*.

    Each of N deals and the observed index is equally likely to be the largest. If *level* is so small that more than
    `DRAWS` deals are needed, they are drawn until one reaches the observed index. This gives the same decision as
    drawing all of them; the threshold is then the largest index so far.

    Args:
        old, new: as `psi` takes them.
    """
    observed, hand = float(psi(old, new)), int(new.sum())
    kth = math.floor(level * (DRAWS + 1))
    drawn = _dealt(old + new, hand, rng)
    if kth:
        return float(np.partition(drawn, -kth)[-kth])
    largest, left = float(drawn.max()), math.ceil(1 / level) - 1 - DRAWS
    while left > 0 and largest < observed <= CLEAR * largest:
        largest = max(largest, float(_dealt(old + new, hand, rng).max()))
        left -= DRAWS
    return largest


def _dealt(pooled: np.ndarray, hand: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of random deals."""
    new = rng.multivariate_hypergeometric(pooled, hand, size=DRAWS, method="marginals")
    return psi(pooled - new, new)
