"""The error tree: a tree of depth three that separates rows with many errors from rows with few."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from epkit.core.train.cohorts import number
from epkit.core.train.decimals import shortest
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Examples
from epkit.core.train.report import ErrorLeaf

DEPTH: Final = 3
LEAST_ROWS: Final = 30
LEAST_PART: Final = 0.01
"""Least fraction of the rows in a leaf: the errors in a leaf with few rows are chance."""

CHANCE: Final = 15.0
"""Least chi-squared of a split: the best of about a hundred splits of random rows rarely reaches it."""

MOST_VALUES: Final = 20
"""Values of a category that the tree can use: the most frequent ones."""

_LEAF: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A column of the tree's input: a number, or whether a category has a certain value."""

    name: str
    value: str | None = None


def error_tree(examples: Examples, rows: Metrics) -> tuple[ErrorLeaf, ...]:
    """Find the groups of rows on which a model is wrong most often.

    Args:
        examples: rows that the model was not trained on.
        rows: the same rows. An error is an answer (at the threshold) that is not the true class; for a regression, the
            absolute error.

    Returns:
        The leaves, the worst first; one leaf without conditions if no column separates the errors.
    """
    from sklearn.tree import DecisionTreeRegressor  # late: it takes a second or two

    if not len(rows.y):
        return ()
    matrix, questions = _asked(examples)
    least = max(LEAST_ROWS, int(LEAST_PART * len(rows.y)))
    if rows.label.task == "regression":
        wrong = np.abs(rows.margins[:, 0] - rows.y)
    else:
        wrong = (rows.answers != rows.y).astype(np.float64)
    if np.ptp(wrong) == 0 or not questions:
        return (ErrorLeaf(path=(), rows=len(wrong), error=float(wrong.mean())),)
    # For zeros and ones, the squared error separates rows like Gini's impurity.
    model = DecisionTreeRegressor(
        max_depth=DEPTH,
        min_samples_leaf=least,
        min_impurity_decrease=CHANCE * float(wrong.var()) / len(wrong),
        random_state=0,
    ).fit(matrix, wrong)
    found: list[ErrorLeaf] = []
    _collect(model.tree_, 0, np.arange(len(wrong)), matrix, wrong, questions, (), found)
    return tuple(sorted(found, key=lambda leaf: (-leaf.error, leaf.path)))


def _asked(examples: Examples) -> tuple[np.ndarray, list[_Question]]:
    """Return float32, rows × questions, and the questions. scikit-learn's trees compare in 32 bits."""
    columns, questions = [], []
    for place, feature in enumerate(examples.features):
        values = examples.matrix[:, place]
        if not feature.categories:
            with np.errstate(over="ignore"):
                columns.append(np.clip(values, -1e38, 1e38).astype(np.float32))
            questions.append(_Question(name=feature.name))
            continue
        card = next(card for card in examples.card_columns if card["name"] == feature.column)
        counts = np.bincount(values[~np.isnan(values)].astype(np.int64), minlength=feature.categories)
        asked = [code for code in np.argsort(-counts, kind="stable")[:MOST_VALUES].tolist() if counts[code]]
        columns += [(values == code).astype(np.float32) for code in asked]
        questions += [_Question(name=feature.name, value=str(card["categories"][code])) for code in asked]
        if np.isnan(values).any():
            columns.append(np.isnan(values).astype(np.float32))
            questions.append(_Question(name=feature.name, value=""))
    return np.column_stack(columns) if columns else np.zeros((len(examples), 0), np.float32), questions


def _collect(
    tree: Any,
    node: int,
    rows: np.ndarray,
    matrix: np.ndarray,
    wrong: np.ndarray,
    questions: list[_Question],
    path: tuple[str, ...],
    found: list[ErrorLeaf],
) -> None:
    """Send the rows down the tree, and record the leaves."""
    if tree.children_left[node] == _LEAF:
        found.append(ErrorLeaf(path=path, rows=len(rows), error=float(wrong[rows].mean())))
        return
    values = matrix[rows, tree.feature[node]]
    missing = np.isnan(values)
    left = np.where(missing, bool(tree.missing_go_to_left[node]), values <= tree.threshold[node])
    question = questions[tree.feature[node]]
    for side, child in ((left, tree.children_left[node]), (~left, tree.children_right[node])):
        condition = _condition(question, values, side, missing, is_left=child == tree.children_left[node])
        longer = (*(each for each in path if not _is_implied(each, condition, question)), condition)
        _collect(tree, child, rows[side], matrix, wrong, questions, longer, found)


def _condition(question: _Question, values: np.ndarray, side: np.ndarray, missing: np.ndarray, *, is_left: bool) -> str:
    """Return the condition of one side of a split as text."""
    if question.value is not None:
        if question.value == "":
            return f"{question.name} is {'not ' if is_left else ''}missing"
        return f"{question.name} is not {question.value}" if is_left else f"{question.name} = {question.value}"
    here, there = values[side & ~missing].astype(np.float64), values[~side & ~missing].astype(np.float64)
    if not len(here):
        return f"{question.name} is missing"
    if not len(there):
        return f"{question.name} is not missing"
    low, high = (here.max(), there.min()) if is_left else (there.max(), here.min())
    # The number with the fewest decimals that separates the rows. It must not be the upper value: `>` would exclude it.
    cut = shortest(float(low), float(np.nextafter(high, low)))
    text = number(cut) if low <= float(number(cut)) < high else repr(cut)
    either = " or missing" if missing[side].any() else ""
    return f"{question.name} {'<=' if is_left else '>'} {text}{either}"


def _is_implied(earlier: str, later: str, question: _Question) -> bool:
    """Tell whether a later, narrower condition on the same column and side replaces an earlier one."""
    ways = [f"{question.name} {way} " for way in ("<=", ">")]
    return question.value is None and any(earlier.startswith(way) and later.startswith(way) for way in ways)
