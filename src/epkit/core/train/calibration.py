"""How well probabilities match what happens: the calibration curve and the expected calibration error."""

from typing import Final

import numpy as np

from epkit.core.train.metrics import Metrics
from epkit.core.train.report import Curve

BINS: Final = 10
"""Bins, each with a tenth of the rows. In bins of equal width, one bin of an imbalanced table would hold most rows."""


def calibration(rows: Metrics) -> tuple[Curve, float | None]:
    """Compare predictions with true values in ten bins, in the order of the predictions.

    For two classes, the prediction is the probability of the positive class. For more classes, it is the probability
    of the likeliest class, compared with how often that class is right. For a regression, it is the predicted number.

    Returns:
        The curve: the mean prediction (x) and the mean true value (y) of each bin; rows with equal predictions share a
        bin. And the ECE: the mean distance of both, weighted by rows; None for a regression, which has no fixed scale.

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
