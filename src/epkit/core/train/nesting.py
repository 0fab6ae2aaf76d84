"""Honest figures of what is chosen on out-of-fold predictions: chosen on some parts, judged on the one left."""

from collections.abc import Iterator
from typing import Final

import numpy as np

PARTS: Final = 5
"""Of the rows, where one fold alone was predicted (`--holdout`)."""


def parts(folds: np.ndarray, groups: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split rows into those on which something is chosen, and those on which it is judged.

    Args:
        folds: a row: which fold predicted it. The parts are the folds; where there is one fold, its rows are split
            in turn, groups as a whole.
        groups: a row, None where every row is its own.

    Yields:
        Masks: the rows to choose on, the rows to judge. Every row is judged once. Nothing where there is one unit only.
    """
    place = folds
    if len(np.unique(folds)) < 2:
        place = (np.arange(len(folds)) if groups is None else np.unique(groups, return_inverse=True)[1]) % PARTS
    numbers = np.unique(place)
    if len(numbers) < 2:
        return
    for number in numbers:
        judged = place == number
        yield ~judged, judged
