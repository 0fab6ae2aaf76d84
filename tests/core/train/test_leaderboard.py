"""The order of runs, and the runs that the rows cannot distinguish."""

import numpy as np
import pytest

from epkit.core.train import metrics
from epkit.core.train.leaderboard import leaderboard
from epkit.core.train.problem import Label
from support.margins import BINARY, FOLDS, NUMBER, N, answered, binary, run


def test_the_best_is_first_and_failed_runs_are_last() -> None:
    y, margins = binary([5.0, 1.0, 2.0])
    board = leaderboard(
        [run(1, margins[0]), run(2, None, error="no memory"), run(3, margins[1]), run(4, margins[2])],
        y,
        BINARY,
        "AUC",
        FOLDS,
    )

    assert [3, 4, 1, 2] == [info.run for info in board]
    assert [None, "no memory"] == [board[0].error, board[-1].error]
    assert metrics.value("AUC", y, margins[1].astype(np.float32), BINARY) == board[0].metrics["AUC"].value
    assert {"AUC", "accuracy", "average_precision", "log_loss", "norm_macro_recall", "f1", "mcc"} == set(
        board[0].metrics
    )


@pytest.mark.parametrize("metric", ["AUC", "log_loss"])
def test_what_is_behind_is_positive_and_only_what_is_clearly_behind_is_distinguishable(metric: str) -> None:
    y, margins = binary([0.0, 0.02, 4.0])
    board = leaderboard([run(k + 1, each) for k, each in enumerate(margins)], y, BINARY, metric, FOLDS)
    best, close, far = sorted(board, key=lambda info: info.run) if board[0].run == 1 else board

    assert (None, False) == (best.behind, best.distinguishable)
    assert (False, True) == (close.distinguishable, far.distinguishable)
    assert close.behind is not None
    assert far.behind is not None
    assert far.behind.value > close.behind.value >= 0


def test_of_equal_runs_the_earlier_is_first() -> None:
    y, margins = binary([1.0])

    assert [1, 2] == [
        info.run for info in leaderboard([run(1, margins[0]), run(2, margins[0])], y, BINARY, "AUC", FOLDS)
    ]


def test_a_run_that_does_not_define_the_metric_is_behind_all_that_do() -> None:
    g = np.random.default_rng(0)
    truth = g.normal(size=(N, 1))
    board = leaderboard(
        [run(1, np.zeros((N, 1)), "naive"), run(2, truth)], answered(truth, NUMBER, g), NUMBER, "spearman", FOLDS
    )

    assert [2, 1] == [info.run for info in board]
    assert "spearman" not in board[1].metrics


def test_a_thousand_classes_are_not_ranked_one_by_one() -> None:
    label = Label(name="y", task="multiclass", classes=tuple(range(1000)))
    g = np.random.default_rng(0)
    (info,) = leaderboard([run(1, g.normal(size=(N, 1000)))], g.integers(0, 1000, N), label, "accuracy", FOLDS)

    assert {"accuracy", "log_loss", "norm_macro_recall", "f1", "mcc"} == set(info.metrics)
