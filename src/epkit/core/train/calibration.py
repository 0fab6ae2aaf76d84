"""Whether probabilities come true: the calibration curve and the expected calibration error."""

from typing import Final

import numpy as np

from epkit.core.train.metrics import Metrics
from epkit.core.train.report import Curve

BINS: Final = 10
"""Tenths of the rows: with ranges of equal width most rows of an imbalanced table would be in one."""


def calibration(rows: Metrics) -> tuple[Curve, float | None]:
    """Compare what was predicted with what came true, in tenths of the rows by the prediction.

    A binary task is judged by the probability of the positive class, one of many classes by the probability of the
    likeliest class and how often it is right, a regression by the prediction.

    Returns:
        The curve: mean prediction (x) and mean truth (y) of each tenth; equal predictions are in one. And the mean
        distance of both, weighted by rows (ECE); None for a regression, which has no scale of its own.

    Source: Naeini, Cooper & Hauskrecht (2015) for the ECE; Nguyen & O'Connor (2015) for bins of equal size.
    """
    task = rows.label.task
    if task == "binary":
        said, true = rows.probabilities[:, 1], (rows.y == 1).astype(np.float64)
    elif task == "multiclass":
        said = rows.probabilities.max(axis=1)
        true = (rows.likeliest == rows.y).astype(np.float64)
    else:
        said, true = rows.margins[:, 0], rows.y.astype(np.float64)
    if not len(said):
        return Curve(x=(), y=()), None
    edges = np.unique(np.quantile(said, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, said)
    weights = np.bincount(place, rows.weight)
    filled = weights > 0
    x = np.bincount(place, rows.weight * said)[filled] / weights[filled]
    y = np.bincount(place, rows.weight * true)[filled] / weights[filled]
    error = float((weights[filled] * np.abs(x - y)).sum() / weights.sum()) if filled.any() else None
    return Curve(x=tuple(x.tolist()), y=tuple(y.tolist())), None if task == "regression" else error
