"""Splits the rows of a search into folds. Random splits are made by scikit-learn."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples
from epkit.errors import UsageError

Fold = tuple[np.ndarray, np.ndarray]
"""Places of the rows to fit and of the rows to judge: int64, ascending, among the rows of the search."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folds:
    """The folds of a search.

    Args:
        pairs: at least one; no row is judged twice. With an order in time, or a holdout, some rows are never judged.
        warning: one line for the user; None if there is nothing to report.
    """

    pairs: tuple[Fold, ...]
    warning: str | None = None


def folds(examples: Examples, rows: np.ndarray, plan: TrainPlan) -> Folds:
    """Split rows as the plan requires: stratified by class, by group, in the order of time, or once (holdout).

    Args:
        rows: int64, the places in *examples* of the rows that the search sees; folds are places in *rows*.

    Raises:
        UsageError: there are too few rows, groups or moments, or no split fits the plan; the message is one line.
    """
    y = examples.y[rows]
    groups = None if examples.groups is None else examples.groups[rows]
    order = None if examples.order is None else examples.order[rows]
    if groups is not None and order is not None:
        raise UsageError("--group and --time contradict each other: name one of them")
    if len(rows) < 2:
        raise UsageError(f"{len(rows)} rows with a label are left to learn from: give more, or a smaller --test-size")
    classes = None if examples.label.task == "regression" else np.bincount(y, minlength=len(examples.label.classes))
    if order is not None:
        return Folds(pairs=tuple(_in_time(order, plan)))
    if plan.holdout is not None:
        return _held_once(y, groups, classes, plan, plan.holdout)
    return _crossed(y, groups, classes, plan)


def _crossed(y: np.ndarray, groups: np.ndarray | None, classes: np.ndarray | None, plan: TrainPlan) -> Folds:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    units, unit = (len(y), "row") if groups is None else (len(np.unique(groups)), "group")
    count = min(plan.folds, units)
    if count < 2:
        apart = " (test rows have theirs)" if groups is not None and plan.test_size else ""
        raise UsageError(f"--folds {plan.folds}: there is one {unit} only{apart}, and each fold needs one of its own")
    warning = (
        None if count == plan.folds else f"{units} {unit}s are fewer than the {plan.folds} folds: {count} are made"
    )
    rarest = count if classes is None else int(classes[classes > 0].min())
    stratified = classes is not None and int(classes.max()) >= count
    if warning is None and rarest < count:
        warning = (
            f"the rarest class has {rarest} row{'s' * (rarest != 1)}, fewer than the {count} folds: "
            "some folds judge a class that they did not learn, or do not judge it"
        )
    splitter: Any
    if groups is not None:
        splitter = (
            StratifiedGroupKFold(count, shuffle=True, random_state=_state(plan)) if stratified else GroupKFold(count)
        )
    else:
        splitter = (StratifiedKFold if stratified else KFold)(count, shuffle=True, random_state=_state(plan))
    return Folds(pairs=_split(splitter, y, groups), warning=warning)


def _held_once(
    y: np.ndarray, groups: np.ndarray | None, classes: np.ndarray | None, plan: TrainPlan, part: float
) -> Folds:
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

    if groups is not None and len(np.unique(groups)) < 2:
        raise UsageError(f"--holdout {part:g}: there is one group only, and each side needs one of its own")
    judged = min(max(round(len(y) * part), 1), len(y) - 1)
    present = 0 if classes is None else int((classes > 0).sum())
    stratified = classes is not None and classes[classes > 0].min() >= 2 and present <= min(judged, len(y) - judged)
    splitter: Any
    if groups is not None:
        splitter = GroupShuffleSplit(1, test_size=part, random_state=_state(plan))
    else:
        splitter = (StratifiedShuffleSplit if stratified else ShuffleSplit)(
            1, test_size=judged, random_state=_state(plan)
        )
    rare = classes is not None and groups is None and not stratified
    warning = f"--holdout {part:g}: a class has too few rows to be on both sides" if rare else None
    return Folds(pairs=_split(splitter, y, groups), warning=warning)


def _split(splitter: Any, y: np.ndarray, groups: np.ndarray | None) -> tuple[Fold, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes with fewer rows than folds: epkit has its own warning
        pairs = list(splitter.split(np.zeros((len(y), 1)), y, groups))
    return tuple((np.sort(train), np.sort(valid)) for train, valid in pairs if len(train) and len(valid))


def _in_time(order: np.ndarray, plan: TrainPlan) -> Iterator[Fold]:
    """Judge each part of the time by a model of the earlier parts. Rows of one moment stay together."""
    by_time = np.argsort(order, kind="stable")
    moments = order[by_time]
    begins = np.flatnonzero(np.diff(moments)) + 1  # places where a new moment begins
    if not len(begins):
        raise UsageError("--time: all rows are of one moment, so none is later than the others")
    if plan.holdout is None:
        wanted = np.arange(1, plan.folds + 1) * len(order) / (plan.folds + 1)
    else:
        wanted = np.array([len(order) * (1.0 - plan.holdout)])
    cuts = np.unique(begins[np.abs(begins[:, np.newaxis] - wanted).argmin(axis=0)]).tolist()
    for start, end in zip(cuts, [*cuts[1:], len(order)], strict=True):
        yield np.sort(by_time[:start]), np.sort(by_time[start:end])


def _state(plan: TrainPlan) -> int:
    """Return the plan's seed in the form that scikit-learn accepts."""
    return plan.seed % (1 << 32)
