"""The bank-marketing model as plain arrays: gradient-boosted trees that need numpy alone to score.

All trees stand in one set of arrays, a node an entry. A leaf's children are the leaf itself, so that walking
every tree for as many steps as the deepest one has levels ends on a leaf in each; rows and trees are walked
together.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

HERE: Final = Path(__file__).parent
CLASSES: Final = ("no", "yes")
COLUMNS: Final[Mapping[str, type]] = {
    "age": int,
    "job": str,
    "marital": str,
    "education": str,
    "default": str,
    "housing": str,
    "loan": str,
    "contact": str,
    "month": str,
    "day_of_week": str,
    "duration": int,
    "campaign": int,
    "pdays": int,
    "previous": int,
    "poutcome": str,
    "emp.var.rate": float,
    "cons.price.idx": float,
    "cons.conf.idx": float,
    "euribor3m": float,
    "nr.employed": float,
}
"""The columns the model knows, in the data set's order, and the type of each."""

_BLOCK_ROWS: Final = 2048  # rows walked at once: keeps the rows × trees arrays within the processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class BankModel:
    """The model and what it takes to read its verdicts.

    Args:
        categories: values of each text column; a value's code is its place.
        threshold: probability of `yes` from which the answer is `yes`.
        baseline: log-odds before the first tree.
        roots: index of each tree's first node.
        depth: levels of the deepest tree.
        feature: column that a node looks at.
        split: a value goes left where it is ≤ this.
        missing_left: whether a missing value goes left.
        left, right: indices of a node's children; a leaf is its own child.
        value: log-odds that a leaf adds.
    """

    categories: Mapping[str, Sequence[str]]
    threshold: float
    baseline: float
    roots: np.ndarray
    depth: int
    feature: np.ndarray
    split: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    @classmethod
    def load(cls, directory: Path = HERE) -> Self:
        """Read `model.npz` and its card, `model.json`.

        Raises:
            OSError: one of them cannot be read.
        """
        card: dict[str, Any] = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        with np.load(directory / "model.npz", allow_pickle=False) as arrays:
            stored: dict[str, Any] = {**arrays, "baseline": float(arrays["baseline"]), "depth": int(arrays["depth"])}
        return cls(categories=card["categories"], threshold=card["threshold"], **stored)

    def probability(self, table: Mapping[str, Sequence[Any] | np.ndarray]) -> np.ndarray:
        """Return the probability of `yes`, a row each.

        Args:
            table: the values of every column of `COLUMNS`, all of one length.

        Raises:
            KeyError: a column is missing.
        """
        matrix = encode(table, self.categories)
        blocks = range(0, len(matrix), _BLOCK_ROWS)
        log_odds = [self._log_odds(matrix[start : start + _BLOCK_ROWS]) for start in blocks]
        return 1.0 / (1.0 + np.exp(-np.concatenate(log_odds))) if log_odds else np.empty(0)

    def _log_odds(self, matrix: np.ndarray) -> np.ndarray:
        rows = np.arange(len(matrix))[:, None]
        missing = np.isnan(matrix)
        any_missing = missing.any()
        node = np.broadcast_to(self.roots, (len(matrix), len(self.roots)))
        for _ in range(self.depth):
            column = self.feature[node]
            goes_left = matrix[rows, column] <= self.split[node]
            if any_missing:
                goes_left |= missing[rows, column] & self.missing_left[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        leaves: np.ndarray = self.value[node].sum(axis=1)
        return leaves + self.baseline


def encode(table: Mapping[str, Sequence[Any] | np.ndarray], categories: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Make the matrix that the trees look at.

    Args:
        table: the values of every column of `COLUMNS`, all of one length.
        categories: values of each text column; one that is not among them counts as missing.

    Returns:
        float64, a row a row, the columns as in `COLUMNS`; NaN where a value is missing.

    Raises:
        KeyError: a column is missing.
    """
    encoded: list[np.ndarray] = []
    for name, kind in COLUMNS.items():
        if kind is str:
            codes = {value: code for code, value in enumerate(categories[name])}
            encoded.append(np.array([codes.get(value, math.nan) for value in table[name]], dtype=np.float64))
        else:
            # The data set writes 92.893 as 92.89299999999999.
            encoded.append(np.round(np.asarray(table[name], dtype=np.float64), 6))
    return np.column_stack(encoded)
