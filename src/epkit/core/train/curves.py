"""ROC and precision-recall curves, with few enough points for a page, and the confusion matrix."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from epkit.core.train.metrics import Metrics, Ranking
from epkit.core.train.report import Confusion, Curve

MOST_POINTS: Final = 200
"""Points of a curve: more cannot be seen on a page."""

MOST_CURVES: Final = 10
"""Curves for a task with many classes: those of the most frequent classes."""

MOST_CLASSES: Final = 20
"""Classes of a confusion matrix: a larger one cannot be read."""


def curves(rows: Metrics) -> tuple[Mapping[str, Curve], Mapping[str, Curve]]:
    """Return ROC curves (x: false positive rate, y: true positive rate) and precision-recall curves (x: recall).

    Returns:
        Both by class: the positive class of a binary task, else the ten most frequent classes in their order. A class
        that no row or every row has is left out. Both are empty for a regression.
    """
    roc, precision_recall = {}, {}
    if rows.label.task == "binary":
        wanted = [1]
    elif rows.label.task == "multiclass":
        wanted = sorted(np.argsort(-rows.counts.true, kind="stable")[:MOST_CURVES].tolist())
    else:
        wanted = []
    for k in wanted:
        ranking = rows.ranking if rows.label.task == "binary" else Ranking(rows.scores(k), rows.y == k, rows.weight)
        if ranking.p > 0 and ranking.n > 0:
            name = name_of(rows.label.classes[_place(rows, k)])
            roc[name], precision_recall[name] = _roc(ranking), _precision_recall(ranking)
    return roc, precision_recall


def confusion(rows: Metrics) -> Confusion | None:
    """Count rows by true class and answer, at the threshold; None for a regression, and for more than 20 classes."""
    classes = rows.label.classes
    if not classes or len(classes) > MOST_CLASSES:
        return None
    size = len(classes)
    counts = np.bincount(rows.y * size + rows.answers, minlength=size * size).reshape(size, size)
    order = [_place(rows, k) for k in range(size)]
    placed = np.empty_like(counts)
    placed[np.ix_(order, order)] = counts
    return Confusion(classes=tuple(map(name_of, classes)), counts=tuple(map(tuple, placed.tolist())))


def name_of(value: str | float | bool) -> str:
    """Format a class as text: `yes`, `3`, `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place(rows: Metrics, k: int) -> int:
    """Return the place in `Label.classes` of the class that is *k* in `y`: in a binary task 1 is the positive class."""
    if rows.label.task == "binary" and rows.label.positive == 0:
        return 1 - k
    return k


def _roc(ranking: Ranking) -> Curve:
    x = np.concatenate(([0.0], ranking.false_positives / ranking.n))
    y = np.concatenate(([0.0], ranking.true_positives / ranking.p))
    return _thinned(x, y)


def _precision_recall(ranking: Ranking) -> Curve:
    taken = ranking.true_positives + ranking.false_positives
    seen = taken > 0
    precision = ranking.true_positives[seen] / taken[seen]
    recall = ranking.true_positives[seen] / ranking.p
    # If no row is positive, recall is 0; the precision is that of the first rows.
    return _thinned(np.concatenate(([0.0], recall)), np.concatenate((precision[:1], precision)))


def _thinned(x: np.ndarray, y: np.ndarray) -> Curve:
    """Keep points at equal distances along the curve, including the first and the last."""
    if len(x) > MOST_POINTS:
        along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
        kept = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], MOST_POINTS)).clip(max=len(x) - 1))
        x, y = x[kept], y[kept]
    return Curve(x=tuple(x.tolist()), y=tuple(y.tolist()))
