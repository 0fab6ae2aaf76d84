"""Chooses the test rows, which no other choice uses. The choice depends on the values of a row, not on its place.

A row is a test row if the hash of its values, mixed with the seed, is below the fraction *size* of all 64-bit numbers.
So it stays a test row in every later training with the same seed and size, however many rows are added or removed. And
rows with the same values are always on the same side. The fraction of test rows is *size* only on average. With groups,
the hash is that of the group. With an order in time, a random choice would be misleading, because the model predicts
later rows from earlier ones. Then the latest rows are the test rows.
"""

from typing import Final

import numpy as np

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT: Final = 31
_BITS: Final = (1 << 64) - 1


def held_out(
    hashes: np.ndarray,
    seed: int,
    size: float,
    *,
    groups: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """Choose the test rows.

    Args:
        hashes: uint64, one for each row, computed from its values.
        size: fraction of the rows, from 0 (none) to below 1.
        groups: int64, one for each row, if groups must stay together. A group stays on its side in later trainings if
            its number depends only on the group.
        order: float64, one for each row, if time orders them. Rows of one moment stay together.

    Returns:
        bool, one for each row. With *order* there may be no test row, if all rows are of one moment.
    """
    if size <= 0.0:
        return np.zeros(len(hashes), bool)
    if order is not None:
        return _latest(order, size)
    keys = hashes if groups is None else groups
    return _mixed(keys.astype(np.int64).view(np.uint64), seed) < np.uint64(min(int(size * 2.0**64), _BITS))


def _mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Mix 64-bit numbers with a seed.

    Source: Steele, Lea, Flood (2014), SplitMix64.
    """
    mixed = keys + np.uint64(((seed + 1) * _GOLDEN) & _BITS)
    for shift, factor in _MIX:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(_LAST_SHIFT)))


def _latest(order: np.ndarray, size: float) -> np.ndarray:
    """Return the latest rows: from a moment on, or after it, whichever is nearer to *size*."""
    wanted = round(len(order) * size)
    if not wanted:
        return np.zeros(len(order), bool)
    moment = np.sort(order)[len(order) - wanted]
    after, from_then = order > moment, order >= moment
    nearer = abs(int(after.sum()) - wanted) < abs(int(from_then.sum()) - wanted)
    return np.asarray(after if nearer or from_then.all() else from_then)
