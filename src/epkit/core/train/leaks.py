"""Finds columns that reveal the label: the label in other words, or a value that is known only after the prediction."""

from typing import Final

import numpy as np

from epkit.core.train.metrics import Metrics, Ranking
from epkit.core.train.problem import Examples, Feature, Label

DISGUISE: Final = 0.999
"""From this AUC (R²) of one column alone, the column is the label in other words."""

SUSPECT: Final = 0.8
"""From this AUC (R²), a model is also trained without the column."""

PARTS: Final = 5
"""Parts of the rows. A value is judged by the labels of other parts; else an id would look like a perfect column."""

RANGES: Final = 50
"""Ranges of a number, each with its mean label: finds a relation that is not monotone."""

MOST_CLASSES: Final = 20
"""With many classes, only the most frequent ones are examined."""

_PRIOR: Final = 5.0
"""Each value starts with the mean label of this number of rows, so that a rare value has little influence."""


def suspects(examples: Examples) -> tuple[tuple[str, float], ...]:
    """Return the columns that alone predict better than `SUSPECT`, the worst first, each with its AUC (regression: R²).

    A number is judged by its order, ascending and descending, and by the mean label of its ranges. A category is judged
    by the mean label of its values. A missing value counts as a value.
    """
    found: dict[str, float] = {}
    for place, feature in enumerate(examples.features):
        found[feature.column] = max(found.get(feature.column, 0.0), alone(examples, place, feature))
    strong = [(column, value) for column, value in found.items() if value >= SUSPECT]
    return tuple(sorted(strong, key=lambda pair: -pair[1]))


def alone(examples: Examples, place: int, feature: Feature) -> float:
    """Return how well one column of the matrix predicts: the mean AUC of the classes, or R² (at least 0)."""
    values = examples.matrix[:, place]
    codes = _codes(values, feature)
    part = (examples.hashes % np.uint64(PARTS)).astype(np.int64)
    label = examples.label
    if label.task == "regression":
        return max(_r2(examples.y, _means(codes, examples.y, part), label), _straight(values, examples.y))
    counts = np.bincount(examples.y, minlength=max(2, len(label.classes)))
    classes = [1] if label.task == "binary" else np.argsort(-counts, kind="stable")[:MOST_CLASSES].tolist()
    areas = []
    for k in classes:
        is_class = examples.y == k
        area = _area(_means(codes, is_class.astype(np.float64), part), is_class)
        if not feature.categories:
            ordered = _area(np.where(np.isnan(values), -np.inf, values), is_class)
            area = max(area, ordered, 1 - ordered)
        areas.append(area)
    return float(np.nanmean(areas)) if not np.isnan(areas).all() else 0.0


def _codes(values: np.ndarray, feature: Feature) -> np.ndarray:
    """Return a code for each row: the category, or the range of a number; the last code means a missing value."""
    known = ~np.isnan(values)
    if feature.categories:
        return np.where(known, values, feature.categories).astype(np.int64)
    distinct = np.unique(values[known])
    edges = distinct
    if len(distinct) > RANGES:
        edges = np.unique(np.quantile(values[known], np.arange(1, RANGES) / RANGES))
    return np.where(known, np.searchsorted(edges, values), len(edges) + 1).astype(np.int64)


def _means(codes: np.ndarray, y: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return for each row the mean label of the rows in other parts that have the same code."""
    size = int(codes.max()) + 1
    sums, rows = np.bincount(codes, y, size), np.bincount(codes, minlength=size)
    found = np.empty(len(y))
    for number in range(PARTS):
        own = part == number
        rest = max(1, int((~own).sum()))
        mean = float(y[~own].sum()) / rest
        other_sums = sums - np.bincount(codes[own], y[own], size)
        other_rows = rows - np.bincount(codes[own], minlength=size)
        found[own] = ((other_sums + _PRIOR * mean) / (other_rows + _PRIOR))[codes[own]]
    return found


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    return Ranking(scores, positive, np.ones(len(scores))).auc()[0]


def _r2(y: np.ndarray, predicted: np.ndarray, label: Label) -> float:
    found = Metrics(y, predicted[:, np.newaxis], label).of("r2")[0]
    return 0.0 if np.isnan(found) else max(0.0, found)


def _straight(values: np.ndarray, y: np.ndarray) -> float:
    """Return the R² of a straight line; a row without a value gets the mean."""
    known = ~np.isnan(values)
    x = values[known] - values[known].mean() if known.any() else values[known]
    off = y - y.mean()
    spread = float((x**2).sum()) * float((off**2).sum())
    return float((x * off[known]).sum()) ** 2 / spread if spread > 0 else 0.0
