"""Which rows no choice looks at: the test rows, chosen by what a row holds and not by where it is in the table.

A row is a test row if the hash of its content, mixed with the seed, is below *size* of all 64-bit numbers. So it stays
one in every later training with the same seed and size, however many rows were added or taken away, and rows with the
same content are on the same side. The part is therefore *size* only on average. With groups, the hash is the group's.
With an order, chance would be dishonest, as the model predicts later rows from earlier ones: then the latest part is
the test.
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
        hashes: uint64 a row, of its content.
        size: part of the rows, from 0 (none) to below 1.
        groups: int64 a row, where the rows of a group stay together; a group stays on its side in later trainings if
            its number depends on nothing but the group.
        order: float64 a row, where time orders them; rows of one moment stay together.

    Returns:
        bool a row; with *order* there may be none, if all rows are of one moment.
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
    """Return the latest part: from a moment on, or after it where that comes nearer to *size*."""
    wanted = round(len(order) * size)
    if not wanted:
        return np.zeros(len(order), bool)
    moment = np.sort(order)[len(order) - wanted]
    after, from_then = order > moment, order >= moment
    nearer = abs(int(after.sum()) - wanted) < abs(int(from_then.sum()) - wanted)
    return np.asarray(after if nearer or from_then.all() else from_then)
