"""Metrics equal scikit-learn's, and their derivatives equal the effect of a small change of a weight."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.train import metrics
from epkit.core.train.problem import Label, probabilities
from support.margins import BINARY, MANY, NUMBER, drawn

sk = pytest.importorskip("sklearn.metrics")

WEIGHTED = pytest.mark.parametrize("weighted", [False, True])


def expected(name: str, label: Label, y, margins, w) -> float:
    """Return scikit-learn's value."""
    p = probabilities(margins, label.task)
    if label.task == "regression":
        width = y.max() - y.min()
        return {
            "rmse": lambda: sk.root_mean_squared_error(y, p, sample_weight=w),
            "mae": lambda: sk.mean_absolute_error(y, p, sample_weight=w),
            "normalised_rmse": lambda: sk.root_mean_squared_error(y, p, sample_weight=w) / width,
            "normalised_mae": lambda: sk.mean_absolute_error(y, p, sample_weight=w) / width,
            "r2": lambda: sk.r2_score(y, p, sample_weight=w),
        }[name]()
    binary = label.task == "binary"
    said = (p[:, 1] >= 0.5).astype(int) if binary else p.argmax(axis=1)
    hot = np.eye(len(label.classes))[y]
    scores = p[:, 1] if binary else p
    own = {"average": "binary" if binary else "macro", "sample_weight": w, "zero_division": 0.0}
    chance = 1 / len(label.classes)
    return {
        "AUC": lambda: sk.roc_auc_score(y, scores, multi_class="ovr", sample_weight=w),
        "AUC_weighted": lambda: sk.roc_auc_score(y, scores, multi_class="ovr", average="weighted", sample_weight=w),
        "accuracy": lambda: sk.accuracy_score(y, said, sample_weight=w),
        "average_precision": lambda: sk.average_precision_score(y if binary else hot, scores, sample_weight=w),
        "average_precision_macro": lambda: sk.average_precision_score(hot, p, sample_weight=w),
        "average_precision_weighted": lambda: sk.average_precision_score(hot, p, average="weighted", sample_weight=w),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(y, said, sample_weight=w),
        "f1": lambda: sk.f1_score(y, said, **own),
        "f1_macro": lambda: sk.f1_score(y, said, average="macro", sample_weight=w),
        "f1_weighted": lambda: sk.f1_score(y, said, average="weighted", sample_weight=w),
        "log_loss": lambda: sk.log_loss(y, p, sample_weight=w),
        "mcc": lambda: sk.matthews_corrcoef(y, said, sample_weight=w),
        "norm_macro_recall": lambda: (
            (sk.recall_score(y, said, average="macro", sample_weight=w) - chance) / (1 - chance)
        ),
        "precision": lambda: sk.precision_score(y, said, **own),
        "recall": lambda: sk.recall_score(y, said, **own),
    }[name]()


CASES = [(label, name) for label in (BINARY, MANY, NUMBER) for name in metrics.names_of(label.task)]
EACH = pytest.mark.parametrize(("label", "name"), CASES, ids=[f"{case[0].task}-{case[1]}" for case in CASES])


@WEIGHTED
@pytest.mark.parametrize(("label", "name"), [case for case in CASES if case[1] != "spearman"])
def test_metrics_equal_those_of_scikit_learn(label: Label, name: str, weighted: bool) -> None:
    y, margins, weight = drawn(label)
    w = weight if weighted else None

    assert expected(name, label, y, margins, w) == pytest.approx(
        metrics.value(name, y, margins, label, w), rel=1e-12, abs=1e-13
    )


def test_spearman_equals_that_of_scipy_and_a_weight_of_two_is_a_row_twice() -> None:
    from scipy.stats import spearmanr

    y, margins, _ = drawn(NUMBER, digits=1)
    twice = np.random.default_rng(1).integers(0, 3, len(y))

    assert spearmanr(margins[:, 0], y).statistic == pytest.approx(
        metrics.value("spearman", y, margins, NUMBER), rel=1e-12
    )
    assert metrics.value("spearman", np.repeat(y, twice), np.repeat(margins, twice, axis=0), NUMBER) == pytest.approx(
        metrics.value("spearman", y, margins, NUMBER, twice), rel=1e-12
    )


@EACH
def test_the_derivative_is_what_a_small_change_of_a_weight_does(label: Label, name: str) -> None:
    y, margins, weight = drawn(label, n=60, digits=1)
    _, slope = metrics.Metrics(y, margins, label, weight, 0.4).of(name)
    step = 1e-5

    def moved(row: int, by: float) -> float:
        changed = weight.copy()
        changed[row] += by
        return metrics.value(name, y, margins, label, changed, 0.4)

    assert [(moved(row, step) - moved(row, -step)) / (2 * step) for row in range(len(y))] == pytest.approx(
        slope, rel=1e-5, abs=1e-8
    )


@EACH
def test_scaled_weights_change_nothing(label: Label, name: str) -> None:
    y, margins, weight = drawn(label)
    _, slope = metrics.Metrics(y, margins, label, weight).of(name)

    assert metrics.value(name, y, margins, label, weight) == pytest.approx(
        metrics.value(name, y, margins, label, 7 * weight), rel=1e-12
    )
    assert 0 == pytest.approx(weight @ slope, abs=1e-12)


def test_a_hand_made_binary_case() -> None:
    y = np.array([1, 0, 1, 0])
    margins = np.log(np.array([[0.8 / 0.2], [0.7 / 0.3], [0.4 / 0.6], [0.1 / 0.9]]))

    def of(name: str, threshold: float | None = None) -> float:
        return metrics.value(name, y, margins, BINARY, threshold=threshold)

    assert 0.75 == of("AUC")
    assert 0.5 == of("accuracy")
    assert 0.75 == of("accuracy_at_threshold", 0.3)
    assert 0.5 == of("accuracy", 0.3)
    assert pytest.approx((1 + 2 / 3) / 2) == of("average_precision")
    assert pytest.approx(0.8) == of("f1", 0.3)
    assert 1.0 == of("recall", 0.3)
    assert pytest.approx(2 / 3) == of("precision", 0.3)
    assert pytest.approx(-np.log(0.8 * 0.3 * 0.4 * 0.9) / 4) == of("log_loss")


def test_rows_without_weight_are_as_if_they_were_not_there() -> None:
    for label, name in CASES:
        y, margins, weight = drawn(label)
        weight[::3] = 0
        kept = weight > 0

        assert metrics.value(name, y[kept], margins[kept], label, weight[kept]) == pytest.approx(
            metrics.value(name, y, margins, label, weight), rel=1e-12
        ), name


@pytest.mark.parametrize("name", ["AUC", "AUC_weighted", "average_precision", "recall"])
def test_what_needs_a_positive_row_is_nan_without_one(name: str) -> None:
    assert np.isnan(metrics.value(name, np.zeros(3, np.int64), np.zeros((3, 1)), BINARY))


def test_a_class_that_no_row_has_is_left_out_of_the_mean() -> None:
    y, margins, _ = drawn(MANY)
    kept = y != 3
    y, margins = y[kept], margins[kept]
    p = probabilities(margins, "multiclass")

    assert np.mean([sk.roc_auc_score(y == k, p[:, k]) for k in range(3)]) == pytest.approx(
        metrics.value("AUC", y, margins, MANY), rel=1e-12
    )


@pytest.mark.parametrize("name", ["r2", "spearman", "normalised_rmse", "normalised_mae"])
def test_what_needs_a_spread_is_nan_for_a_constant_label(name: str) -> None:
    assert np.isnan(metrics.value(name, np.ones(4), np.arange(4.0)[:, None], NUMBER))


def test_no_rows_are_nan() -> None:
    assert np.isnan(metrics.value("AUC", np.zeros(0, np.int64), np.zeros((0, 1)), BINARY))
    assert np.isnan(metrics.value("rmse", np.zeros(0), np.zeros((0, 1)), NUMBER))


def test_a_row_that_was_sure_and_wrong_loses_no_more_than_the_worst_loss() -> None:
    assert metrics.WORST_LOSS == metrics.value("log_loss", np.array([1]), np.array([[-1e9]]), BINARY)


def test_azures_names_are_taken() -> None:
    y, margins, _ = drawn(BINARY)

    for azure, own in metrics.ALIASES.items():
        assert metrics.GREATER_IS_BETTER[own] is (own not in {"rmse", "mae", "normalised_rmse", "normalised_mae"})
        if own in metrics.CLASSIFICATION:
            assert metrics.value(own, y, margins, BINARY) == metrics.value(azure, y, margins, BINARY)


def test_better_knows_which_way_and_that_nan_is_worst() -> None:
    assert metrics.better("AUC", 0.9, 0.8)
    assert metrics.better("log_loss", 0.1, 0.2)
    assert metrics.better("rmse", 3.0, float("nan"))
    assert not metrics.better("AUC", float("nan"), 0.1)
    assert not metrics.better("AUC", float("nan"), float("nan"))


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3), st.integers(1, 4)), min_size=2, max_size=30))
def test_auc_is_how_often_a_positive_row_is_before_a_negative_one(triples: list[tuple[bool, int, int]]) -> None:
    y = np.array([int(positive) for positive, _, _ in triples])
    margins = np.array([[float(margin)] for _, margin, _ in triples])
    weight = np.array([float(w) for _, _, w in triples])
    pairs = [
        (wa * wb, 1.0 if a > b else 0.5 if a == b else 0.0)
        for positive, a, wa in triples
        for other, b, wb in triples
        if positive and not other
    ]
    found = metrics.value("AUC", y, margins, BINARY, weight)

    if pairs:
        assert sum(w * k for w, k in pairs) / sum(w for w, _ in pairs) == pytest.approx(found, abs=1e-12)
    else:
        assert np.isnan(found)


def test_nothing_warns_at_extreme_margins() -> None:
    margins = np.array([[1e30], [-1e30], [0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {name: metrics.value(name, np.array([1, 0, 1]), margins, BINARY) for name in metrics.CLASSIFICATION}

    assert all(np.isfinite(list(found.values())))
    assert (1.0, 1.0) == (found["AUC"], found["average_precision"])  # the zeros are above the lowest margin
    assert np.log(2) / 3 == pytest.approx(found["log_loss"], abs=1e-9)
