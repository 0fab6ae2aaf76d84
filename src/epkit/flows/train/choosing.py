"""From runs that were tried to the model that is shipped: ranked, chosen, its threshold set, fitted once more."""

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
    """The rows that choices may look at.

    Args:
        places: int64, in *examples*.
        folds: places in *places*.
        metric: what chooses.
    """

    examples: Examples
    places: np.ndarray
    folds: tuple[Fold, ...]
    metric: Metric

    @classmethod
    def of(cls, examples: Examples, places: np.ndarray, folds: tuple[Fold, ...], plan: TrainPlan) -> "SearchRows":
        """Take the metric of the plan, or else of the task."""
        metric = plan.metric or DEFAULT_METRIC[examples.label.task]
        return cls(examples=examples, places=places, folds=folds, metric=metric)

    @property
    def y(self) -> np.ndarray:
        """Return what is to be predicted, a row each."""
        found: np.ndarray = self.examples.y[self.places]
        return found

    @property
    def groups(self) -> np.ndarray | None:
        """Return the group of each row, None without groups."""
        return None if self.examples.groups is None else self.examples.groups[self.places]

    @property
    def fold(self) -> np.ndarray:
        """Return which fold judged each row; -1 for a row that none did."""
        found = np.full(len(self.places), -1)
        for number, (_, valid) in enumerate(self.folds):
            found[valid] = number
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """The model.

    Args:
        ranked: the leaderboard; a vote is its last run by number.
        judged: places among the search's rows of those that were predicted out of fold.
        rows: these, with the nested margins of the choice and the threshold that the other folds gave.
        members: weight, run and fitted model each.
        threshold: None but for a binary task.
    """

    ranked: tuple[RunInfo, ...]
    choice: Choice
    judged: np.ndarray
    rows: Metrics
    threshold: ClassThreshold | None
    members: tuple[tuple[float, Tried, Fitted], ...]

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs, of the fitted model."""
        return cast("np.ndarray", sum(weight * fitted.margins(matrix) for weight, _, fitted in self.members))


def choose(search: SearchRows, tried: Sequence[Tried], plan: TrainPlan) -> Chosen:
    """Choose among the runs, and fit what was chosen on all rows of the search.

    Raises:
        UsageError: no run succeeded.
        LearnerError: what was chosen cannot be fitted once more.
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
