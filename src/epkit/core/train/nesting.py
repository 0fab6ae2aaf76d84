"""Honest metrics of a choice on out-of-fold predictions: choose on some parts of the rows, judge on the other one."""

from collections.abc import Iterator
from typing import Final

import numpy as np

PARTS: Final = 5
"""Parts of the rows if only one fold was predicted (`--holdout`)."""


def parts(folds: np.ndarray, groups: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split rows into those for a choice and those on which it is judged.

    Args:
        folds: for each row, the fold that predicted it. The parts are the folds. If there is only one fold, its rows
            are dealt to the parts in turn, each group as a whole.
        groups: for each row, its group; None if every row is its own group.

    Yields:
        Masks: the rows to choose on, the rows to judge. Every row is judged once. Yields nothing if there is only one
            unit.
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
