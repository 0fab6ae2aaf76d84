"""The learning problem: the columns, the label, and the rows as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

Task = Literal["binary", "multiclass", "regression"]

MOST_CATEGORIES: Final = 254
"""Categories of one column that the model distinguishes: the most frequent ones. All others count as unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the model predicts.

    Args:
        name: name of the column.
        task: kind of answer.
        classes: the answers of a classification in sorted order, as a reply has them; empty for a regression.
        positive: place of the positive class of a binary task, otherwise None.
    """

    name: str
    task: Task
    classes: tuple[str | int | float | bool, ...] = ()
    positive: int | None = None

    @property
    def outputs(self) -> int:
        """Return the number of margins for each row: 1, or with more than two classes one for each class."""
        return len(self.classes) if self.task == "multiclass" else 1

    def class_of(self, k: int) -> str | int | float | bool:
        """Return the class that is *k* in `Examples.y`: in a binary task 1 is the positive class."""
        return self.classes[1 - k if self.task == "binary" and self.positive == 0 else k]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of the matrix that the learners see.

    Args:
        name: `age`, `job`, or `day.month` for a part of a date.
        column: the column of the table from which it is made.
        categories: number of codes; 0 for a number.
    """

    name: str
    column: str
    categories: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The rows with a label, as numbers.

    Args:
        label: the column to predict.
        card_columns: the model's columns in the order of the table, in the form of the card (`columns` of the card).
        features: one for each column of *matrix*.
        matrix: float64, rows × features; NaN where a value is missing or unseen.
        y: values to predict: int64 places of classes (1 is the positive class of a binary task), or float64.
        weight: float64, one for each row; None if all are 1.
        groups: int64, one for each row; None without `--group`. Rows of one group are never on both sides of a split.
        order: float64, one for each row; None without `--time`. Later rows are predicted from earlier ones.
        hashes: uint64, one for each row, computed from its values. Random splits depend only on it and on the seed.
        texts: the values of categories and dates as the table has them, by column, as polars Series; used for cohorts.
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
        """Return the rows without the features of one column of the table."""
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
            rows: int64, places of the rows.
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
    """Turn margins into probabilities, or into predictions of a regression.

    Args:
        margins: rows × outputs: log-odds of the positive class, a margin for each class (softmax), or the prediction.

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
