"""The plan of a training: all its settings, checked before anything is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from epkit.core.train.problem import Task

Family = Literal["naive", "linear", "gbdt", "extra", "forest", "dart", "custom", "vote"]
Metric = str
"""Name of a metric in `core.train.metrics`."""

Rule = Literal["0.5", "f1", "balanced", "recall", "cost"]

DEFAULT_METRIC: Final[Mapping[Task, Metric]] = {"binary": "AUC", "multiclass": "AUC", "regression": "rmse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """How the threshold of a binary task is chosen.

    Args:
        text: the rule as the user wrote it: `0.5`, `f1`, `balanced`, `recall>=0.8`, `cost:fn=5,fp=1`.
        fixed: the number of a rule such as `0.5`; between 0 and 1.
        recall: the least recall of `recall>=`.
        cost_fn, cost_fp: the costs of `cost:`.
    """

    text: str = "0.5"
    rule: Rule = "0.5"
    fixed: float = 0.5
    recall: float | None = None
    cost_fn: float | None = None
    cost_fp: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How a model is searched for.

    Args:
        label: the column to predict.
        task: None: infer it from the label.
        drop: columns that the model does not see.
        ids: columns that identify a row; the model does not see them.
        positive: the positive class of a binary task; None: the rarer one.
        metric: the metric that chooses; None: the task's default.
        runs: greatest number of runs, without the vote.
        time_limit_s: no run starts after this time.
        seed: seed of all random choices.
        folds: number of folds of the cross-validation.
        holdout: the fraction of the rows to judge on in place of folds, as Azure does; None: use folds.
        group: column whose equal values stay on one side of a split.
        time: column that orders the rows: later rows are predicted from earlier ones.
        test_size: fraction of the rows that no choice uses; 0: none.
        threshold: rule for a binary task.
        balanced: whether all classes have the same weight.
        workers: number of processes that try runs in parallel.
        custom: each is `FILE.py:make`.
        cohorts: columns whose groups are reported; None: all.
        pairs: pairs of columns whose groups are reported.
        gates: as the user wrote them.
    """

    label: str
    task: Literal["classification", "regression"] | None = None
    drop: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    positive: str | None = None
    metric: Metric | None = None
    runs: int = 85
    time_limit_s: float | None = None
    seed: int = 0
    folds: int = 5
    holdout: float | None = None
    group: str | None = None
    time: str | None = None
    test_size: float = 0.2
    threshold: ThresholdRule = field(default_factory=ThresholdRule)
    balanced: bool = False
    workers: int = 1
    custom: tuple[str, ...] = ()
    cohorts: tuple[str, ...] | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One run of the search.

    Args:
        run: its number, from 1. The candidate depends only on it and on the seed.
        family: kind of learner.
        parameters: of the learner, under its own names.
    """

    run: int
    family: Family
    parameters: Mapping[str, float | int | str | bool]
