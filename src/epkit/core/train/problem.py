"""What is to be learned: the columns, the label, and the rows as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

Task = Literal["binary", "multiclass", "regression"]

MOST_CATEGORIES: Final = 254
"""Of one column that the model tells apart: the most frequent ones; the others count as unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the model predicts.

    Args:
        name: of the column.
        task: what kind of answer it is.
        classes: the answers of a classification, as the reply writes them, in their sorted order; empty for regression.
        positive: place of the positive class of a binary task, else None.
    """

    name: str
    task: Task
    classes: tuple[str | int | float | bool, ...] = ()
    positive: int | None = None

    @property
    def outputs(self) -> int:
        """Return how many margins a model gives for a row: 1, and for many classes one each."""
        return len(self.classes) if self.task == "multiclass" else 1

    def class_of(self, k: int) -> str | int | float | bool:
        """Return the class that *k* in `Examples.y` means: 1 is the positive one of a binary task."""
        return self.classes[1 - k if self.task == "binary" and self.positive == 0 else k]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the matrix that the learners see.

    Args:
        name: `age`, `job`, or for a part of a date `day.month`.
        column: the column of the table that it is made of.
        categories: how many codes it has; 0 for a number.
    """

    name: str
    column: str
    categories: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The rows with a label, as numbers.

    Args:
        label: what is predicted.
        card_columns: the columns of the model in the table's order, as the card holds them (`columns` of the card).
        features: of the columns of *matrix*.
        matrix: float64, rows × features; NaN where a value is missing or unseen.
        y: what is to be predicted: int64 places in the classes (1 is the positive class of a binary task), or float64.
        weight: float64 a row, None where all count 1.
        groups: int64 a row, None without `--group`: rows of one group are never on both sides of a split.
        order: float64 a row, None without `--time`: later rows are predicted from earlier ones.
        hashes: uint64 a row, of its content: where a row goes to by chance depends on it and the seed alone.
        texts: of the columns that are categories or dates, what the table has, by column, a polars Series: for cohorts.
    """

    label: Label
    card_columns: tuple[Mapping[str, Any], ...]
    features: tuple[Feature, ...]
    matrix: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    order: np.ndarray | None = None
    hashes: np.ndarray
    texts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.y)

    def without(self, column: str) -> "Examples":
        """Return the rows without what is made of a column of the table."""
        kept = [place for place, feature in enumerate(self.features) if feature.column != column]
        return replace(
            self,
            card_columns=tuple(card for card in self.card_columns if card["name"] != column),
            features=tuple(self.features[place] for place in kept),
            matrix=self.matrix[:, kept],
            texts={name: texts for name, texts in self.texts.items() if name != column},
        )

    def take(self, rows: np.ndarray) -> "Examples":
        """Return some of the rows.

        Args:
            rows: int64, their places.
        """
        return replace(
            self,
            matrix=self.matrix[rows],
            y=self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            groups=None if self.groups is None else self.groups[rows],
            order=None if self.order is None else self.order[rows],
            hashes=self.hashes[rows],
            texts={name: texts[rows] for name, texts in self.texts.items()},
        )


def probabilities(margins: np.ndarray, task: Task) -> np.ndarray:
    """Turn margins into probabilities, or predictions.

    Args:
        margins: rows × outputs: the log-odds of the positive class, a margin a class (softmax), or the prediction.

    Returns:
        rows × classes for a classification (two columns for a binary task, the positive class second), rows × 1
        for a regression.
    """
    margins = np.asarray(margins, np.float64)
    match task:
        case "binary":
            positive = 1.0 / (1.0 + np.exp(-np.clip(margins[:, 0], -700.0, 700.0)))
            return np.column_stack((1.0 - positive, positive))
        case "multiclass":
            shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        case _:
            return margins
