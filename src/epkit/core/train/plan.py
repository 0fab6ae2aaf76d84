"""What a training is to do, said once, checked before anything is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from epkit.core.train.problem import Task

Family = Literal["naive", "linear", "gbdt", "extra", "forest", "dart", "custom", "vote"]
Metric = str
"""A name of `core.train.metrics`."""

Rule = Literal["0.5", "f1", "balanced", "recall", "cost"]

DEFAULT_METRIC: Final[Mapping[Task, Metric]] = {"binary": "AUC", "multiclass": "AUC", "regression": "rmse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """How the threshold of a binary task is chosen.

    Args:
        text: as it was given: `0.5`, `f1`, `balanced`, `recall>=0.8`, `cost:fn=5,fp=1`.
        fixed: of the rule `0.5`, which may be another number between 0 and 1.
        recall: the least recall that `recall>=` asks for.
        cost_fn, cost_fp: of `cost:`.
    """

    text: str = "0.5"
    rule: Rule = "0.5"
    fixed: float = 0.5
    recall: float | None = None
    cost_fn: float | None = None
    cost_fp: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """How a model is looked for.

    Args:
        label: the column to predict.
        task: None to infer it.
        drop: columns that the model must not see.
        ids: columns that are carried along and not used.
        positive: the positive class of a binary task, None for the rarer one.
        metric: what chooses; None for the task's default.
        runs: how many at most, the vote not counted.
        time_limit_s: after which no run begins.
        seed: of everything that is drawn.
        folds: of the cross-validation.
        holdout: this part of the rows in place of folds, as Azure does; None for folds.
        group: column whose values stay on one side of a split.
        time: column that orders the rows: later ones are predicted from earlier ones.
        test_size: part of the rows that no choice looks at; 0 for none.
        threshold: of a binary task.
        balanced: whether classes weigh alike.
        workers: processes that try runs side by side.
        custom: `FILE.py:make` each.
        cohorts: columns whose groups are looked at; None for all.
        pairs: pairs of columns whose groups are looked at together.
        gates: as they were given.
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
        run: its number, from 1; it depends on nothing else but the seed.
        family: which learner.
        parameters: of the learner, by its own names.
    """

    run: int
    family: Family
    parameters: Mapping[str, float | int | str | bool]
