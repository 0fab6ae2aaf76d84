"""The error tree describes in words the rows for which a model is wrong."""

import numpy as np
import pytest

from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Examples, Label
from epkit.core.train.report import ErrorLeaf
from epkit.learners.errors import DEPTH, error_tree
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER

pytest.importorskip("sklearn")


def rows(table: Examples, wrong: np.ndarray, threshold: float | None = None) -> Metrics:
    """Return rows, some of them with wrong predictions."""
    return Metrics(table.y, np.where((table.y == 1) ^ wrong, 1.0, -1.0)[:, np.newaxis], BINARY, threshold=threshold)


def test_errors_of_a_category_above_a_number_are_found() -> None:
    table = drawn_examples(BINARY, n=4000)
    wrong = (table.matrix[:, 1] == 2) & (table.matrix[:, 0] > 60)
    leaves = error_tree(table, rows(table, wrong))

    assert ErrorLeaf(path=("age > 60.5", "job = student"), rows=int(wrong.sum()), error=1.0) == ErrorLeaf(
        path=tuple(sorted(leaves[0].path)), rows=leaves[0].rows, error=leaves[0].error
    )
    assert 0.0 == leaves[1].error
    assert len(table) == sum(leaf.rows for leaf in leaves)


def test_leaves_hold_the_rows_that_their_conditions_say() -> None:
    table = drawn_examples(BINARY, n=3000)
    table.matrix[::5, 0] = np.nan
    wrong = np.random.default_rng(0).random(3000) < np.where(np.isnan(table.matrix[:, 0]), 0.8, 0.1)
    wrong |= table.matrix[:, 2] > 9
    age, job, month, code = table.matrix.T
    jobs = {name: place for place, name in enumerate(("admin.", "retired", "student"))}

    def holds(condition: str) -> np.ndarray:
        if condition.startswith("job"):
            name = condition.split()[-1]
            return (job != jobs[name]) if " is not " in condition else (job == jobs[name])
        column = {"age": age, "day.month": month, "code": code}[condition.split()[0]]
        if condition.endswith("is missing"):
            return np.isnan(column)
        if condition.endswith("is not missing"):
            return ~np.isnan(column)
        _, way, cut = condition.removesuffix(" or missing").split()
        held = column <= float(cut) if way == "<=" else column > float(cut)
        return held | (np.isnan(column) if condition.endswith(" or missing") else False)

    leaves = error_tree(table, rows(table, wrong))
    assert len(leaves) > 2
    for leaf in leaves:
        inside = np.logical_and.reduce([holds(condition) for condition in leaf.path])

        assert (inside.sum(), wrong[inside].mean()) == (leaf.rows, pytest.approx(leaf.error))
        assert len(leaf.path) <= DEPTH


def test_missing_categories_are_asked_for() -> None:
    table = drawn_examples(BINARY, n=2000)
    table.matrix[::4, 1] = np.nan
    leaves = error_tree(table, rows(table, np.isnan(table.matrix[:, 1])))

    assert (("job is missing",), ("job is not missing",)) == (leaves[0].path, leaves[1].path)


def test_conditions_that_say_the_same_again_are_one() -> None:
    table = drawn_examples(BINARY, n=4000)
    chance = np.select(
        [table.matrix[:, 0] > 90, table.matrix[:, 0] > 60, table.matrix[:, 0] > 30], [0.9, 0.5, 0.2], 0.0
    )
    wrong = np.random.default_rng(0).random(4000) < chance
    leaves = error_tree(table, rows(table, wrong))

    for leaf in leaves:
        assert len({condition.rsplit(" ", 1)[0] for condition in leaf.path}) == len(leaf.path)
    assert [leaf.error for leaf in leaves] == sorted((leaf.error for leaf in leaves), reverse=True)


def test_wrong_is_what_is_answered_at_the_threshold() -> None:
    table = drawn_examples(BINARY)
    (leaf,) = error_tree(table, rows(table, np.zeros(len(table), bool), threshold=0.9))  # all predictions are no

    assert len(table) == leaf.rows
    assert table.y.mean() == pytest.approx(leaf.error)


def test_errors_without_a_pattern_are_one_leaf() -> None:
    for seed in range(10):
        table = drawn_examples(BINARY, seed=seed)
        wrong = np.random.default_rng(seed).random(len(table)) < 0.1

        assert 1 == len(error_tree(table, rows(table, wrong)))


def test_a_model_without_errors_is_one_leaf() -> None:
    table = drawn_examples(BINARY)

    assert (ErrorLeaf(path=(), rows=len(table), error=0.0),) == error_tree(
        table, rows(table, np.zeros(len(table), bool))
    )


@pytest.mark.parametrize("label", [MANY, NUMBER])
def test_other_tasks_have_error_trees_too(label: Label) -> None:
    table = drawn_examples(label)
    margins = np.zeros((len(table), label.outputs))
    if label is NUMBER:
        margins[:, 0] = table.y + np.where(table.matrix[:, 3] == 2, 5.0, 0.1)
    else:
        margins[np.arange(len(table)), table.y] = 1.0
        margins[table.matrix[:, 3] == 2, 0] = 2.0
    leaves = error_tree(table, Metrics(table.y, margins, label))

    assert ("code > 1.5",) == leaves[0].path
    assert (5.0 if label is NUMBER else 0.75) == pytest.approx(leaves[0].error, abs=0.05)


def test_few_rows_and_none_are_no_error() -> None:
    table = drawn_examples(BINARY, n=5)
    none = drawn_examples(BINARY, n=0)

    assert 5 == sum(leaf.rows for leaf in error_tree(table, rows(table, np.array([True, False, False, True, False]))))
    assert () == error_tree(none, rows(none, np.zeros(0, bool)))
