"""Predictions of a user's function, prepared for measurement."""

import numpy as np
import polars as pl
import pytest

from epkit.core.train.columns import learn
from epkit.core.train.plan import TrainPlan
from epkit.errors import UsageError
from epkit.flows.pipeline.rows import LabelledTable
from epkit.flows.pipeline.rules import measured, metric_of


def table(y, **plan):
    frame = pl.DataFrame({"x": list(range(len(y))), "y": y})
    learned = learn(frame, TrainPlan(label="y", **plan), "t")
    return LabelledTable(name="t", frame=frame, learned=learned, test=np.arange(len(y)))


BINARY = ["a", "b", "b", "b"] * 20
MANY = ["a", "b", "c", "a"] * 20


@pytest.mark.parametrize("positive", ["a", "b"])
def test_answers_of_two_classes_are_right_whichever_is_the_positive_one(positive):
    found = table(BINARY, positive=positive)
    label = found.learned.examples.label

    assert "accuracy" == metric_of(BINARY, label, "AUC")
    assert 1.0 == measured(BINARY, "r", found, found.test).of("accuracy")[0]
    turned = [{"a": "b", "b": "a"}[each] for each in BINARY]
    assert 0.0 == measured(turned, "r", found, found.test).of("accuracy")[0]
    chances = [1.0 if each == positive else 0.0 for each in BINARY]
    assert "AUC" == metric_of(chances, label, "AUC")
    assert 1.0 == measured(chances, "r", found, found.test).of("AUC")[0]


def test_answers_of_many_classes_and_numbers_are_measured():
    found = table(MANY)
    assert 1.0 == measured(MANY, "r", found, found.test).of("accuracy")[0]
    numbers = [float(place) * 1.5 for place in range(80)]
    line = table(numbers)
    assert "rmse" == metric_of(numbers, line.learned.examples.label, "rmse")
    assert 0.0 == measured(numbers, "r", line, line.test).of("rmse")[0]


@pytest.mark.parametrize(
    ("y", "wrong"),
    [(BINARY, 1.5), (BINARY, "c"), (BINARY, True), (BINARY, None), (MANY, 0.5), (BINARY, float("nan")), (BINARY, [])],
)
def test_what_is_no_prediction_is_refused_in_one_line(y, wrong):
    found = table(y)

    with pytest.raises(UsageError, match=r"^r: returns .*, which is not an answer of the label") as refused:
        measured([wrong] * 80, "r", found, found.test)
    assert "\n" not in str(refused.value)
