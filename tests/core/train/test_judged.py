"""Curves, confusion matrix, calibration, and all of them together."""

import numpy as np
import pytest

from epkit.core.train import calibration, curves, judged, metrics
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Label, probabilities
from support.margins import BINARY, FOLDS, MANY, NUMBER, N, answered, binary, drawn

sk = pytest.importorskip("sklearn.metrics")
sk_calibration = pytest.importorskip("sklearn.calibration")


def test_curves_of_few_rows_equal_those_of_scikit_learn() -> None:
    y, margins, weight = drawn(BINARY, n=80, digits=1)
    roc, precision_recall = curves.curves(Metrics(y, margins, BINARY, weight))
    fpr, tpr, _ = sk.roc_curve(y, margins[:, 0], sample_weight=weight, drop_intermediate=False)
    precision, recall, _ = sk.precision_recall_curve(y, margins[:, 0], sample_weight=weight)

    assert (fpr, tpr) == (pytest.approx(roc["yes"].x), pytest.approx(roc["yes"].y))
    assert recall[::-1] == pytest.approx(precision_recall["yes"].x)
    assert precision[-2::-1] == pytest.approx(precision_recall["yes"].y[1:])


def area(curve):
    """Compute the area with trapezoids."""
    x, y = np.asarray(curve.x), np.asarray(curve.y)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def test_a_thinned_curve_has_the_area_of_the_whole() -> None:
    y, (margins,) = binary([1.0])
    roc, precision_recall = curves.curves(Metrics(y, margins, BINARY))

    assert len(roc["yes"].x) <= curves.MOST_POINTS
    assert len(precision_recall["yes"].x) <= curves.MOST_POINTS
    assert (0.0, 0.0, 1.0, 1.0) == (roc["yes"].x[0], roc["yes"].y[0], roc["yes"].x[-1], roc["yes"].y[-1])
    assert metrics.value("AUC", y, margins, BINARY) == pytest.approx(area(roc["yes"]), abs=2e-3)
    assert metrics.value("average_precision", y, margins, BINARY) == pytest.approx(
        area(precision_recall["yes"]), abs=5e-3
    )


def test_many_classes_have_a_curve_each_up_to_ten() -> None:
    label = Label(name="y", task="multiclass", classes=tuple(range(30)))
    g = np.random.default_rng(0)
    y = np.minimum(g.integers(0, 60, 3000), 29)  # the last class is the most frequent one
    roc, _ = curves.curves(Metrics(y, g.normal(size=(3000, 30)), label))

    assert curves.MOST_CURVES == len(roc)
    assert "29" in roc
    assert {"a", "b", "c", "d"} == set(curves.curves(Metrics(*drawn(MANY)[:2], MANY))[0])


def test_the_confusion_is_in_the_order_of_the_classes_wherever_the_positive_one_is() -> None:
    y = np.array([1, 1, 1, 0, 0])  # 1 is the positive class
    margins = np.array([[1.0], [1.0], [-1.0], [-1.0], [1.0]])
    for classes, positive, expected in (
        (("no", "yes"), 1, ((1, 1), (1, 2))),
        (("no", "yes"), 0, ((2, 1), (1, 1))),
    ):
        label = Label(name="y", task="binary", classes=classes, positive=positive)
        found = curves.confusion(Metrics(y, margins, label))

        assert found is not None
        assert (classes, expected) == (found.classes, found.counts)
        assert {classes[positive]} == set(curves.curves(Metrics(y, margins, label))[0])


def test_the_confusion_is_at_the_threshold() -> None:
    y, margins, _ = drawn(BINARY)
    said = probabilities(margins, "binary")[:, 1] >= 0.2
    found = curves.confusion(Metrics(y, margins, BINARY, threshold=0.2))

    assert found is not None
    assert tuple(map(tuple, sk.confusion_matrix(y, said).tolist())) == found.counts


def test_regression_and_21_classes_have_no_confusion() -> None:
    label = Label(name="y", task="multiclass", classes=tuple(range(21)))

    assert curves.confusion(Metrics(np.zeros(3), np.zeros((3, 1)), NUMBER)) is None
    assert curves.confusion(Metrics(np.zeros(3, np.int64), np.zeros((3, 21)), label)) is None
    assert ({}, {}) == curves.curves(Metrics(np.zeros(3), np.zeros((3, 1)), NUMBER))


def test_calibration_equals_that_of_scikit_learn() -> None:
    y, (margins,) = binary([1.0])
    own = Metrics(y, margins, BINARY)
    curve, ece = calibration.calibration(own)
    true, said = sk_calibration.calibration_curve(y, own.probabilities[:, 1], n_bins=10, strategy="quantile")

    assert (said, true) == (pytest.approx(curve.x, abs=1e-3), pytest.approx(curve.y, abs=5e-3))
    assert np.mean(np.abs(said - true)) == pytest.approx(ece, abs=1e-3)


def test_what_is_right_on_average_is_calibrated_and_what_is_too_sure_is_not() -> None:
    g = np.random.default_rng(0)
    truth = g.normal(size=(20_000, 1)) * 2
    y = answered(truth, BINARY, g)
    _, good = calibration.calibration(Metrics(y, truth, BINARY))
    _, sure = calibration.calibration(Metrics(y, 3 * truth, BINARY))

    assert good is not None
    assert sure is not None
    assert good < 0.01 < 0.05 < sure


def test_equal_predictions_are_one_point() -> None:
    curve, ece = calibration.calibration(Metrics(np.array([1, 0, 0, 0]), np.full((4, 1), np.log(1 / 3)), BINARY))

    assert ((0.25,), (0.25,)) == (pytest.approx(curve.x), curve.y)
    assert 0.0 == pytest.approx(ece)


def test_many_classes_are_judged_by_the_likeliest_and_a_regression_has_no_ece() -> None:
    g = np.random.default_rng(0)
    truth = g.normal(size=(20_000, 4))
    _, many = calibration.calibration(Metrics(answered(truth, MANY, g), truth, MANY))
    curve, number = calibration.calibration(Metrics(truth[:, 0] + g.normal(size=20_000), truth[:, :1], NUMBER))

    assert many is not None
    assert many < 0.015
    assert number is None
    assert curve.x == pytest.approx(curve.y, abs=0.1)


@pytest.mark.parametrize("label", [BINARY, MANY, NUMBER])
def test_everything_is_said_of_every_task(label: Label) -> None:
    y, margins, _ = drawn(label)
    found = judged.judge_rows(Metrics(y, margins, label, threshold=0.3 if label is BINARY else None))
    extra = {"accuracy_at_threshold"} if label is BINARY else set()

    assert len(y) == found.rows
    assert {*metrics.names_of(label.task), *extra} == set(found.metrics)


def test_accuracy_is_argmax_and_at_the_threshold() -> None:
    y, (margins,) = binary([1.0])
    found = judged.judge_rows(Metrics(y, margins, BINARY, threshold=np.full(N, 0.2)), folds=FOLDS)
    said = probabilities(margins, "binary")[:, 1]

    assert np.mean((said >= 0.5) == y) == found.metrics["accuracy"].value
    assert np.mean((said >= 0.2) == y) == found.metrics["accuracy_at_threshold"].value
    assert found.metrics["accuracy"].sd is not None


def test_one_class_or_no_row_is_said_without_what_needs_two() -> None:
    one = judged.judge_rows(Metrics(np.zeros(5, np.int64), np.ones((5, 1)), BINARY))
    none = judged.judge_rows(Metrics(np.zeros(0, np.int64), np.ones((0, 1)), BINARY))

    assert "AUC" not in one.metrics
    assert ({}, {}) == (one.roc, none.precision_recall)
    assert (0, {}, None, None) == (none.rows, none.metrics, none.calibration, none.ece)
