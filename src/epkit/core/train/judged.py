"""All metrics and curves of a model on rows that it was not trained on."""

import numpy as np

from epkit.core.train import intervals
from epkit.core.train.calibration import calibration
from epkit.core.train.curves import confusion, curves
from epkit.core.train.metrics import Metrics, names_of
from epkit.core.train.report import JudgedRows


def judge_rows(rows: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None) -> JudgedRows:
    """Judge a model.

    Args:
        rows: test rows, or out-of-fold rows. A binary task has a threshold: one for all test rows, or one for each
            out-of-fold row.
        folds: for each row, its fold; None for test rows.
        groups: for each row, its group; None if all rows are independent.
    """
    names = names_of(rows.label.task)
    if rows.label.task == "binary":
        names = (*names, "accuracy_at_threshold")
    roc, precision_recall = curves(rows)
    curve, ece = calibration(rows)
    return JudgedRows(
        rows=len(rows.y),
        metrics=intervals.figures(names, rows, folds=folds, groups=groups),
        confusion=confusion(rows),
        roc=roc,
        precision_recall=precision_recall,
        calibration=curve if curve.x else None,
        ece=ece,
    )
