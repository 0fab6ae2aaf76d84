"""From the tried runs to the final model: ranks and chooses, sets the threshold, and fits the choice on all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from epkit.core.train import threshold, vote
from epkit.core.train.leaderboard import leaderboard
from epkit.core.train.metrics import Metrics
from epkit.core.train.plan import DEFAULT_METRIC, Metric, TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.report import ClassThreshold, RunInfo
from epkit.core.train.tried import Tried
from epkit.core.train.vote import Choice
from epkit.flows.train.search import refit
from epkit.learners.base import Fitted
from epkit.learners.folds import Fold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchRows:
    """The rows that choices may use.

    Args:
        places: int64, places in *examples*.
        folds: places in *places*.
        metric: the metric that chooses.
    """

    examples: Examples
    places: np.ndarray
    folds: tuple[Fold, ...]
    metric: Metric

    @classmethod
    def of(cls, examples: Examples, places: np.ndarray, folds: tuple[Fold, ...], plan: TrainPlan) -> "SearchRows":
        """Use the plan's metric, or the default of the task."""
        metric = plan.metric or DEFAULT_METRIC[examples.label.task]
        return cls(examples=examples, places=places, folds=folds, metric=metric)

    @property
    def y(self) -> np.ndarray:
        """Return the value to predict for each row."""
        found: np.ndarray = self.examples.y[self.places]
        return found

    @property
    def groups(self) -> np.ndarray | None:
        """Return the group of each row, None if there are no groups."""
        return None if self.examples.groups is None else self.examples.groups[self.places]

    @property
    def fold(self) -> np.ndarray:
        """Return the fold that judged each row; -1 if none did."""
        found = np.full(len(self.places), -1)
        for number, (_, valid) in enumerate(self.folds):
            found[valid] = number
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """The chosen model.

    Args:
        ranked: the leaderboard; a vote has the last number.
        judged: places, among the rows of the search, of the rows with out-of-fold predictions.
        rows: these rows, with the nested margins of the choice and the thresholds of the other folds.
        members: weight, run and fitted model of each.
        threshold: None unless the task is binary.
    """

    ranked: tuple[RunInfo, ...]
    choice: Choice
    judged: np.ndarray
    rows: Metrics
    threshold: ClassThreshold | None
    members: tuple[tuple[float, Tried, Fitted], ...]

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return the margins of the fitted model, float64, rows × outputs."""
        return cast("np.ndarray", sum(weight * fitted.margins(matrix) for weight, _, fitted in self.members))


def choose(search: SearchRows, tried: Sequence[Tried], plan: TrainPlan) -> Chosen:
    """Choose among the runs, and fit the choice on all rows of the search.

    Raises:
        UsageError: no run has succeeded.
        LearnerError: the choice cannot be fitted again.
    """
    label, fold, groups = search.examples.label, search.fold, search.groups
    choice = vote.choose(tried, search.y, label, search.metric, fold, groups=groups)
    by_run: Mapping[int, Tried] = {run.candidate.run: run for run in tried}
    shown = list(tried)
    if choice.kind == "vote":
        shown.append(vote.as_run(choice, max(by_run) + 1))
    judged = np.flatnonzero(~np.isnan(choice.nested).any(axis=1))
    rows = Metrics(search.y[judged], choice.nested[judged], label)
    settled = None
    if label.task == "binary":
        settled = threshold.settle(plan.threshold, rows, fold[judged], None if groups is None else groups[judged])
        rows = Metrics(rows.y, rows.margins, label, threshold=settled.by_row)
    members = tuple(
        (member.weight, by_run[member.run], _fitted(by_run[member.run], search, plan)) for member in choice.members
    )
    return Chosen(
        ranked=leaderboard(shown, search.y, label, search.metric, fold, groups=groups),
        choice=choice,
        judged=judged,
        rows=rows,
        threshold=None if settled is None else settled.threshold,
        members=members,
    )


def _fitted(run: Tried, search: SearchRows, plan: TrainPlan) -> Fitted:
    return refit(run.candidate, search.examples, search.places, run.median, plan)
