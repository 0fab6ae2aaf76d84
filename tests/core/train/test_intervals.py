"""Intervals contain the truth in 95 of 100 samples, and are as wide as a bootstrap's."""

import numpy as np
import pytest

from epkit.core.train import intervals, metrics
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Label
from support.margins import BINARY, MANY, NUMBER, answered, drawn

CASES = [(label, name) for label in (BINARY, MANY, NUMBER) for name in metrics.names_of(label.task)]
EACH = pytest.mark.parametrize(("label", "name"), CASES, ids=[f"{case[0].task}-{case[1]}" for case in CASES])
BY_RANGE = {"normalised_rmse", "normalised_mae"}  # a bootstrap changes the range, which is fixed here


def error_of(figure: intervals.Figure | None) -> float:
    """Return the standard error from which the interval of a difference is computed."""
    assert figure is not None
    assert figure.ci95 is not None
    return (figure.ci95[1] - figure.ci95[0]) / 2 / intervals.Z95


@pytest.mark.parametrize(("label", "name"), [case for case in CASES if case[1] not in BY_RANGE])
def test_the_error_of_a_difference_is_that_of_a_paired_bootstrap(label: Label, name: str) -> None:
    g = np.random.default_rng(5)
    y, margins, _ = drawn(label, n=500)
    other = margins + g.normal(size=margins.shape)
    counts = [np.bincount(g.integers(0, len(y), len(y)), minlength=len(y)) for _ in range(400)]
    apart = [
        metrics.value(name, y, margins, label, count) - metrics.value(name, y, other, label, count) for count in counts
    ]
    found = intervals.difference(name, Metrics(y, margins, label), Metrics(y, other, label))

    assert np.std(apart) == pytest.approx(error_of(found), rel=0.15)


COVERED = [(BINARY, name) for name in ("AUC", "accuracy", "average_precision", "f1", "log_loss", "mcc")]
COVERED += [(MANY, name) for name in ("AUC", "norm_macro_recall", "f1_macro")]
COVERED += [(NUMBER, name) for name in ("rmse", "mae", "r2", "spearman")]


@pytest.mark.parametrize(("label", "name"), COVERED, ids=[f"{label.task}-{name}" for label, name in COVERED])
def test_intervals_cover_the_truth_in_95_of_100_samples(label: Label, name: str) -> None:
    def sample(n: int, g: np.random.Generator) -> Metrics:
        margins = g.normal(size=(n, label.outputs)) * 2 - (2 if label.task == "binary" else 0)
        return Metrics(answered(margins, label, g), margins, label)

    truth = sample(100_000, np.random.default_rng(1)).of(name)[0]
    found = [intervals.figure(name, sample(400, np.random.default_rng([2, k]))) for k in range(400)]
    covered = [each.ci95[0] <= truth <= each.ci95[1] for each in found if each and each.ci95]

    assert 400 == len(covered)
    assert 0.925 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("n", [30, 60])
def test_intervals_of_few_rows_of_a_good_model_cover_too(n: int) -> None:
    def sample(n: int, g: np.random.Generator) -> Metrics:
        y = (g.random(n) < 0.3).astype(np.int64)
        return Metrics(y, (g.normal(size=n) + 3 * y - 1.5)[:, None], BINARY)

    truth = sample(100_000, np.random.default_rng(1)).of("AUC")[0]
    found = [intervals.figure("AUC", sample(n, np.random.default_rng([3, k]))) for k in range(400)]

    assert truth > 0.98
    assert 0.92 <= np.mean([each.ci95[0] <= truth <= each.ci95[1] for each in found if each and each.ci95])


def test_rows_of_a_group_count_as_one_observation() -> None:
    def sample(groups: int, g: np.random.Generator) -> tuple[Metrics, np.ndarray]:
        place = np.repeat(np.arange(groups), 20)
        margins = np.where(g.random(groups) < 0.8, 1.0, -1.0)[place][:, None]  # all of a group are right or wrong
        return Metrics(np.ones(len(place), np.int64), margins, BINARY), place

    covered = {"rows": 0, "groups": 0}
    for k in range(300):
        rows, place = sample(40, np.random.default_rng([4, k]))
        for kind, groups in (("rows", None), ("groups", place)):
            found = intervals.figure("accuracy", rows, groups=groups)
            assert found is not None
            assert found.ci95 is not None
            covered[kind] += found.ci95[0] <= 0.8 <= found.ci95[1]

    assert covered["rows"] < 0.5 * 300
    assert 0.92 * 300 <= covered["groups"] <= 0.985 * 300


def test_accuracy_has_wilsons_interval() -> None:
    y = np.array([1] * 8 + [0] * 2)
    found = intervals.figure("accuracy", Metrics(y, np.ones((10, 1)), BINARY))

    assert found is not None
    assert (0.8, (0.4901625, 0.9433178)) == (found.value, pytest.approx(found.ci95, abs=1e-6))  # R: prop.test, binom


def test_what_is_perfect_has_an_interval_with_a_width() -> None:
    y = np.array([1, 0] * 10)
    found = intervals.figures(("accuracy", "AUC", "mcc"), Metrics(y, (y * 2.0 - 1)[:, None], BINARY))

    assert {"accuracy", "AUC", "mcc"} == set(found)
    for each in found.values():
        assert each.ci95 is not None
        assert (1.0, 1.0) == (pytest.approx(each.value), pytest.approx(each.ci95[1]))
        assert each.ci95[0] < 0.9


@EACH
def test_intervals_hold_the_value_and_stay_in_the_range(label: Label, name: str) -> None:
    for seed in range(20):
        y, margins, weight = drawn(label, n=25, seed=seed, digits=0)
        found = intervals.figure(name, Metrics(y, margins, label, weight))
        if found is None or found.ci95 is None:
            continue

        assert found.ci95[0] <= found.value + 1e-12
        assert found.value - 1e-12 <= found.ci95[1]
        if metrics.GREATER_IS_BETTER[name]:
            assert found.ci95[1] <= 1 + 1e-12


def test_the_sd_is_that_of_the_folds() -> None:
    y, margins, _ = drawn(BINARY)
    folds = np.arange(len(y)) % 5
    each = [metrics.value("AUC", y[folds == k], margins[folds == k], BINARY) for k in range(5)]
    found = intervals.figure("AUC", Metrics(y, margins, BINARY), folds=folds)

    assert found is not None
    assert np.std(each, ddof=1) == pytest.approx(found.sd)
    assert metrics.value("AUC", y, margins, BINARY) == found.value


def test_a_model_does_not_differ_from_itself() -> None:
    y, margins, _ = drawn(BINARY)
    rows = Metrics(y, margins, BINARY)

    assert intervals.Figure(value=0.0, sd=0.0, ci95=(0.0, 0.0)) == intervals.difference(
        "AUC", rows, rows, folds=np.arange(len(y)) % 5
    )


def test_a_threshold_a_row_goes_with_its_row() -> None:
    y, margins, _ = drawn(BINARY)
    folds = np.arange(len(y)) % 2
    thresholds = np.where(folds == 0, 0.2, 0.7)
    rows = Metrics(y, margins, BINARY, threshold=thresholds)

    assert (
        metrics.value("f1", y[folds == 1], margins[folds == 1], BINARY, threshold=0.7) == (rows[folds == 1].of("f1")[0])
    )


def test_what_the_rows_do_not_define_is_none() -> None:
    rows = Metrics(np.zeros(3, np.int64), np.zeros((3, 1)), BINARY)

    assert intervals.figure("AUC", rows) is None
    assert intervals.difference("AUC", rows, rows) is None
    assert {"accuracy"} == set(intervals.figures(("AUC", "accuracy"), rows))


def test_one_row_has_no_interval() -> None:
    found = intervals.figure("accuracy", Metrics(np.ones(1, np.int64), np.ones((1, 1)), BINARY))

    assert intervals.Figure(value=1.0) == found


def test_differences_leave_out_what_is_not_defined() -> None:
    rows = Metrics(np.zeros(3, np.int64), np.zeros((3, 1)), BINARY)

    assert {"accuracy": 0.0} == {
        name: figure.value for name, figure in intervals.differences(("AUC_macro", "accuracy"), rows, rows).items()
    }


def test_a_perfect_regression_has_no_interval() -> None:
    y = np.arange(5.0)
    found = intervals.figures(("rmse", "r2"), Metrics(y, y[:, np.newaxis], NUMBER))

    assert {"rmse": intervals.Figure(value=0.0), "r2": intervals.Figure(value=1.0)} == found
