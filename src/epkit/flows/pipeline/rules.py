"""The user's functions that return predictions: they are compared with the trained model, but never deployed."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from epkit.core.shortening import cut
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Label
from epkit.errors import UsageError
from epkit.flows.pipeline.rows import LabelledTable
from epkit.learners import custom

SURE: Final = 1e-15
"""Least distance of a probability from 0 and 1, so that its logarithm is finite."""


def metric_of(given: list[Any], label: Label, metric: str) -> str:
    """Return the metric for a comparison: that of the training, or accuracy if the predictions are only classes."""
    return metric if label.task == "regression" or not _are_answers(given, label) else "accuracy"


def predictions(make: str, where: str, table: LabelledTable, places: np.ndarray) -> list[Any]:
    """Call a function with examples, without the label, and return its predictions.

    Args:
        make: `FILE.py:function`.
        where: its name in messages.

    Raises:
        UsageError: it raises an exception, or does not return one prediction for each row.
    """
    rows = table.frame[table.learned.rows[places]].drop(table.learned.examples.label.name).to_dicts()
    found = custom.built(make, rows)
    given = found.tolist() if hasattr(found, "tolist") else found
    if not isinstance(given, list | tuple) or len(given) != len(rows):
        what = f"{len(given)} values" if isinstance(given, list | tuple) else f"a {type(found).__name__}"
        raise UsageError(f"{where}: returns {what} for {len(rows)} rows: a list with one prediction a row is expected")
    return list(given)


def measured(given: list[Any], where: str, table: LabelledTable, places: np.ndarray) -> Metrics:
    """Turn predictions into margins, ready to be measured.

    Raises:
        UsageError: a prediction is neither an answer of the label nor, for two classes, a probability of the positive
            class.
    """
    examples = table.learned.examples
    label = examples.label
    weight = None if examples.weight is None else examples.weight[places]
    return Metrics(examples.y[places], _margins(given, where, label), label, weight)


def _margins(given: list[Any], where: str, label: Label) -> np.ndarray:
    if label.task != "regression" and _are_answers(given, label):
        if label.task == "binary":
            return np.array([1.0 if each == label.class_of(1) else -1.0 for each in given]).reshape(-1, 1)
        return np.array([[float(each == known) for known in label.classes] for each in given])
    for each in given:
        number = isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        if not number or label.task == "multiclass" or (label.task == "binary" and not 0 <= each <= 1):
            wanted = {
                "binary": "an answer of the label, or everywhere a probability of the positive one",
                "multiclass": "an answer of the label",
                "regression": "a number",
            }[label.task]
            raise UsageError(f"{where}: returns {cut(repr(each), 60)}, which is not {wanted}")
    found = np.array(given, np.float64).reshape(-1, 1)
    if label.task == "regression":
        return found
    found = np.clip(found, SURE, 1 - SURE)
    return np.log(found) - np.log1p(-found)


def _are_answers(given: list[Any], label: Label) -> bool:
    known: Mapping[Any, None] = dict.fromkeys(label.classes)
    return all(isinstance(each, str | int | float | bool) and each in known for each in given)
