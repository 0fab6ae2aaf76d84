"""Tables that are small, constant, empty or without one of the classes: every figure is computed without a warning."""

import numpy as np
import pytest

from epkit.core.train import cohorts, effects, gates, importance, leaks, threshold, vote
from epkit.core.train.judged import judge_rows
from epkit.core.train.leaderboard import leaderboard
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Examples, Label
from epkit.core.train.report import Figure
from epkit.learners.errors import error_tree
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER, run

pytest.importorskip("sklearn")

EXPRESSIONS = ("ece<0.5", "cohort(job).accuracy>=0.1", "cohort.min(accuracy)>=0.1", "AUC>=base-0.1", "log_loss<9")


def figures_of(found: object) -> list[Figure]:
    """Collect the figures in a tree of values."""
    if isinstance(found, Figure):
        return [found]
    if isinstance(found, (list, tuple)):
        return [figure for each in found for figure in figures_of(each)]
    if isinstance(found, dict):
        return figures_of(list(found.values()))
    if hasattr(found, "__dataclass_fields__"):
        return [figure for name in found.__dataclass_fields__ for figure in figures_of(getattr(found, name))]
    return []


def everything(table: Examples, metric: str, kind: str) -> list[object]:
    """Compute every figure that a training computes of a table."""
    g = np.random.default_rng(0)
    label = table.label
    shape = (len(table), label.outputs)
    margins = [{"noise": g.normal(size=shape), "constant": np.zeros(shape), "sure": 1e9 * g.normal(size=shape)}[kind]]
    margins += [g.normal(size=shape), np.zeros(shape)]
    folds = np.arange(len(table)) % 3
    tried = [*(run(k + 1, each) for k, each in enumerate(margins)), run(4, None, error="no memory")]
    chosen = vote.choose(tried, table.y, label, metric, folds)
    rows = Metrics(table.y, chosen.nested, label)
    if label.task == "binary":
        for text in ("f1", "balanced", "recall>=0.8", "cost:fn=5,fp=1", "0.5"):
            settled = threshold.settle(threshold.parse(text), rows, folds)
            assert 0 <= settled.threshold.value <= 1
            rows = Metrics(table.y, chosen.nested, label, threshold=settled.by_row)
    judged = judge_rows(rows, folds=folds)
    cuts = cohorts.cuts(table, pairs=[("job", "age")])
    evidence = gates.Evidence(rows=rows, ece=judged.ece, cuts=cuts, shared=(rows, rows))

    def predict(matrix: np.ndarray) -> np.ndarray:
        return np.repeat(np.nan_to_num(matrix[:, :1]), label.outputs, axis=1)

    known = "rmse<9" if label.task == "regression" else "accuracy>0.1"
    expressions = (known,) if label.task == "regression" else (known, *EXPRESSIONS)
    return [
        leaderboard(tried, table.y, label, metric, folds),
        judged,
        cohorts.cohorts(rows, cuts),
        [gates.judge(gates.parse(text), evidence) for text in expressions],
        leaks.suspects(table),
        error_tree(table, rows),
        effects.effects(predict, table, ["age", "job", "day", "code"], seed=0),
        importance.permutation(predict, table.matrix, table.y, label, metric, table.features, seed=0, repeats=2),
    ]


CASES = [(BINARY, "AUC"), (BINARY, "f1"), (MANY, "AUC"), (MANY, "log_loss"), (NUMBER, "rmse"), (NUMBER, "spearman")]


@pytest.mark.parametrize(("label", "metric"), CASES)
@pytest.mark.parametrize("kind", ["noise", "constant", "sure"])
@pytest.mark.parametrize("n", [3, 40])
def test_small_tables(label: Label, metric: str, kind: str, n: int) -> None:
    found = everything(drawn_examples(label, n=n), metric, kind)

    for figure in figures_of(found):
        assert not np.isnan(figure.value)
        assert figure.sd is None or figure.sd >= 0
        assert figure.ci95 is None or figure.ci95[0] <= figure.value + 1e-9 <= figure.ci95[1] + 2e-9


@pytest.mark.parametrize(("label", "metric"), CASES)
def test_one_value_of_the_label_alone(label: Label, metric: str) -> None:
    table = drawn_examples(label, n=40)
    table.y[:] = 1

    assert everything(table, metric, "noise")


@pytest.mark.parametrize("label", [BINARY, MANY, NUMBER])
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_a_column_without_a_value(label: Label, missing: int) -> None:
    table = drawn_examples(label, n=60)
    table.matrix[:, missing] = np.nan

    assert everything(table, CASES[0][1] if label is not NUMBER else "rmse", "noise")
