"""The importance of columns: their contributions to each row, and the loss of quality when they are shuffled."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from epkit.core.train.metrics import GREATER_IS_BETTER, Metrics, canonical
from epkit.core.train.problem import Examples, Feature, Label
from epkit.core.train.report import Figure, Importance

Predict = Callable[[np.ndarray], np.ndarray]
"""A function that returns the margins of a matrix: rows × features → rows × outputs."""

MOST_ROWS: Final = 2_000
"""Rows from which explanations are computed."""

REPEATS: Final = 5

MOST_ENGINEERED: Final = 100
"""Engineered features that are reported, the most important ones."""


def sample(rows: int, seed: int, most: int = MOST_ROWS) -> np.ndarray:
    """Draw places of rows, in ascending order; if there are few rows, return all places."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def by_column(
    contributions: np.ndarray, features: Sequence[Feature], permuted: Mapping[str, Figure] | None = None
) -> tuple[Importance, ...]:
    """Return the shares of the table's columns, the greatest first.

    The contributions of all features of a column (the parts of a date) are added before the absolute value is taken:
    contributions that cancel each other are no importance.

    Args:
        contributions: rows × features × outputs.
        permuted: the result of `permutation`.
    """
    columns = list(dict.fromkeys(feature.column for feature in features))
    summed = np.zeros((len(columns), *np.shape(contributions)[::2]))
    for place, feature in enumerate(features):
        summed[columns.index(feature.column)] += contributions[:, place]
    sizes = np.abs(summed).mean(axis=(1, 2))
    found = zip(columns, _shares(sizes), strict=True)
    return _sorted(Importance(name=name, share=share, permutation=(permuted or {}).get(name)) for name, share in found)


def by_feature(contributions: np.ndarray, matrix: np.ndarray, examples: Examples) -> tuple[Importance, ...]:
    """Return the shares of engineered features, the greatest first: numbers, parts of dates, values of categories.

    A learner sees a category as one column. `month = mar` is what this column contributes in the rows of March, so the
    values of a column divide its share among them.

    Args:
        contributions: rows × features × outputs.
        matrix: the same rows, float64.
        examples: describe the features; their rows are not used.
    """
    sizes: dict[str, float] = {}
    categories = {card["name"]: card.get("categories", ()) for card in examples.card_columns}
    for place, feature in enumerate(examples.features):
        by_row = np.abs(contributions[:, place]).mean(axis=1)
        if not feature.categories:
            sizes[feature.name] = float(by_row.mean())
            continue
        texts = [f"{feature.name} = {text}" for text in categories[feature.column]] + [f"{feature.name} is missing"]
        codes = np.where(np.isnan(matrix[:, place]), len(texts) - 1, matrix[:, place]).astype(np.int64)
        sums = np.bincount(codes, by_row, len(texts)) / max(1, len(by_row))
        sizes |= {text: float(size) for text, size in zip(texts, sums, strict=True) if size > 0}
    found = zip(sizes, _shares(np.array(list(sizes.values()))), strict=True)
    return _sorted(Importance(name=name, share=share) for name, share in found)[:MOST_ENGINEERED]


def permutation(
    predict: Predict,
    matrix: np.ndarray,
    y: np.ndarray,
    label: Label,
    metric: str,
    features: Sequence[Feature],
    *,
    seed: int,
    columns: Sequence[str] | None = None,
    repeats: int = REPEATS,
) -> Mapping[str, Figure]:
    """Return how much worse the metric gets when the values of a column are shuffled among the rows.

    All features of the column are shuffled together. Two columns with the same information can replace each other, so
    each of them looks less important than both are.

    Args:
        matrix, y: rows that the model was not trained on; `sample` reduces their number.
        columns: None for all.
        repeats: number of shuffles; *sd* is computed over them.

    Returns:
        By column. A column is left out if the metric is not defined for it.
    """
    metric = canonical(metric)
    base = Metrics(y, predict(matrix), label).of(metric)[0]
    sign = 1 if GREATER_IS_BETTER[metric] else -1
    found = {}
    for number, column in enumerate(columns or dict.fromkeys(feature.column for feature in features)):
        places = [place for place, feature in enumerate(features) if feature.column == column]
        # Each column has its own stream of random numbers: its loss does not depend on the other columns.
        drawn = np.random.default_rng((seed, number, len(y)))
        losses = []
        for _ in range(repeats):
            shuffled = matrix.copy()
            shuffled[:, places] = matrix[drawn.permutation(len(matrix))][:, places]
            losses.append(sign * (base - Metrics(y, predict(shuffled), label).of(metric)[0]))
        if not np.isnan(losses).any():
            sd = float(np.std(losses, ddof=1)) if repeats > 1 else None
            found[column] = Figure(value=float(np.mean(losses)), sd=sd)
    return found


def _shares(sizes: np.ndarray) -> list[float]:
    total = float(sizes.sum())
    return (sizes / total).tolist() if total > 0 else [0.0] * len(sizes)


def _sorted(found: Iterable[Importance]) -> tuple[Importance, ...]:
    return tuple(sorted(found, key=lambda each: -each.share))
