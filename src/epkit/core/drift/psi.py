"""The population stability index, and what of it is chance.

PSI is the sum of (q - p) ln(q / p) over ranges, p and q the shares of the old and the new rows. How large it gets
without any drift depends on the rows: with twenty ranges and 100 rows on one side 0.2 is nothing, with 30,000 on both
0.01 is a lot. So it is held against what it is when the same rows are dealt to the two sides by chance. A deal leaves
the total of each range as it is, and the new side is then a hand from the urn that both make together: the multivariate
hypergeometric distribution is that of all permutations of the rows, and needs the counts alone.

A range that one side has no row of would make PSI infinite. Each side therefore has half a row a range added, dealt out
as both sides together are distributed: a rare value adds little, and equal sides stay equal.

Source: Siddiqi (2006), Credit Risk Scorecards, for the index and its rule of thumb (0.1, 0.25); Phipson & Smyth (2010),
Permutation P-values Should Never Be Zero, for ranks among random permutations.
"""

import math
from typing import Final

import numpy as np

DRAWS: Final = 3999
"""Deals that a threshold is made of, and how many are drawn at once where it takes more."""

CLEAR: Final = 3.0
"""Times the largest of `DRAWS` deals, above which no more are drawn: even the tail of chi-squared with one degree of
freedom is below 1e-9 there."""

MOST_ROWS: Final = 500_000_000
"""Of a sample; numpy's generator takes a thousand million in both together."""


def psi(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the index, over the last axis.

    Args:
        old, new: int64, rows in each range; no range is empty on both sides, and no side has no row.
    """
    pooled = old + new
    added = pooled / pooled.sum(axis=-1, keepdims=True) * (pooled.shape[-1] / 2)
    p, q = old + added, new + added
    p = p / p.sum(axis=-1, keepdims=True)
    q = q / q.sum(axis=-1, keepdims=True)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def threshold(old: np.ndarray, new: np.ndarray, level: float, rng: np.random.Generator) -> float:
    """Return what chance exceeds with a probability of at most *level*.

    Among the indices of N deals and the one that was observed, each is as likely the largest. Where *level* is so small
    that it takes more than `DRAWS` deals, these are drawn until one reaches what was observed: that decides as all of
    them would, and the threshold is then the largest so far.

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
    """Return the indices of deals."""
    new = rng.multivariate_hypergeometric(pooled, hand, size=DRAWS, method="marginals")
    return psi(pooled - new, new)
