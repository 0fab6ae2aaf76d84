"""The runs from the best to the worst, and which of them cannot be distinguished from the best."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.train import intervals
from epkit.core.train.metrics import GREATER_IS_BETTER, REGRESSION, Metrics, better, canonical
from epkit.core.train.problem import Label
from epkit.core.train.report import RunInfo
from epkit.core.train.tried import Tried
from epkit.core.train.vote import predicted

SHOWN: Final = ("AUC", "AUC_weighted", "accuracy", "average_precision", "log_loss", "norm_macro_recall", "f1", "mcc")
"""Metrics of a classification on the leaderboard."""

UNRANKED: Final = ("accuracy", "log_loss", "norm_macro_recall", "f1", "mcc")
"""Metrics for more than `MOST_RANKED` classes: AUC would sort the rows once for each class and run."""

MOST_RANKED: Final = 20
"""With at most this number of classes, the leaderboard has AUC and average precision."""


def leaderboard(
    tried: Sequence[Tried],
    y: np.ndarray,
    label: Label,
    metric: str,
    folds: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[RunInfo, ...]:
    """Rank the runs by a metric of their out-of-fold predictions.

    Args:
        tried: all runs; a vote in the form of `vote.as_run`.
        y, folds, weight, groups: for each row of the search.
        metric: the metric that chooses.

    Returns:
        The best run first, the earlier one of two equal ones first, failed runs last. The best run was chosen on the
        same rows, so its metric is slightly too good. The differences to it are paired.

    Raises:
        UsageError: no run has succeeded.
    """
    metric = canonical(metric)
    mask = predicted(tried)
    y, folds = y[mask], folds[mask]
    weight, groups = (None if each is None else each[mask] for each in (weight, groups))

    def rows(run: Tried) -> Metrics:
        assert run.margins is not None, "only finished runs are measured"
        return Metrics(y, run.margins[mask], label, weight)

    done = [run for run in tried if run.margins is not None]
    best = done[0]
    top = rows(best).of(metric)[0]
    for run in done[1:]:
        value = rows(run).of(metric)[0]
        if better(metric, value, top):
            best, top = run, value
    leader = rows(best)
    names = dict.fromkeys((metric, *_shown(label)))
    infos = []
    for run in done:
        own = leader if run is best else rows(run)
        behind = None
        if run is not best:
            # Expressed as a loss, so that greater means worse for every metric.
            pair = (leader, own) if GREATER_IS_BETTER[metric] else (own, leader)
            behind = intervals.difference(metric, *pair, folds=folds, groups=groups)
        apart = behind is not None and behind.ci95 is not None and not behind.ci95[0] <= 0 <= behind.ci95[1]
        infos.append(
            RunInfo(
                run=run.candidate.run,
                family=run.candidate.family,
                parameters=run.candidate.parameters,
                state=run.state,
                metrics=intervals.figures(names, own, folds=folds, groups=groups),
                behind=behind,
                distinguishable=apart,
                rounds=run.median,
                cpu_s=run.cpu_s,
                error=run.error,
            )
        )
    return (
        *sorted(infos, key=lambda info: _place(info, metric)),
        *(_failed(run) for run in tried if run.margins is None),
    )


def _shown(label: Label) -> tuple[str, ...]:
    if label.task == "regression":
        return REGRESSION
    if len(label.classes) > MOST_RANKED:
        return UNRANKED
    return tuple(name for name in SHOWN if label.task == "multiclass" or name != "AUC_weighted")


def _place(info: RunInfo, metric: str) -> tuple[float, int]:
    """Return the sort key of a run."""
    figure = info.metrics.get(metric)
    if figure is None:
        return float("inf"), info.run
    return -figure.value if GREATER_IS_BETTER[metric] else figure.value, info.run


def _failed(run: Tried) -> RunInfo:
    return RunInfo(
        run=run.candidate.run,
        family=run.candidate.family,
        parameters=run.candidate.parameters,
        state=run.state,
        metrics={},
        behind=None,
        distinguishable=False,
        rounds=None,
        cpu_s=run.cpu_s,
        error=run.error,
    )
