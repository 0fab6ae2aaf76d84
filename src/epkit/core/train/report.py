"""The result of a training: a tree of frozen values. Reporters render it, and `train.json` has the same fields.

Metrics are fractions, never percentages. Intervals are 95 % intervals. A field without a value is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.display import Displayed

FORMAT: Final = "epkit.train/1"

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric with its uncertainty.

    Args:
        value: computed from all rows together.
        sd: standard deviation over the folds; None for one fold.
        ci95: interval for the choice of the rows (or groups); None if it cannot be computed.
    """

    value: float
    sd: float | None = None
    ci95: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """A column of the table."""

    name: str
    kind: str  # number, category, date; or the reason why it is left out: id, dropped, constant, empty
    missing: int
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInfo:
    """The table.

    Args:
        rows: number of rows with a label. The *unlabelled* rows have none, and are left out.
        classes: number of rows of each class, in the order of the classes; empty for a regression.
    """

    path: str
    sha256: str
    rows: int
    unlabelled: int
    test_rows: int
    duplicates: int
    label: str
    task: str
    positive: str | None
    classes: Mapping[str, int]
    columns: tuple[ColumnInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A column whose values may be known only after the prediction is needed.

    Args:
        alone: AUC of the column alone (R² for a regression).
        without: the metric of a model without the column; None if no such model was trained.
        disguise: whether the column is the label in other words (AUC alone above 0.999).
    """

    column: str
    alone: float
    without: Figure | None
    disguise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run of the search, on the leaderboard.

    Args:
        metrics: computed from the out-of-fold predictions.
        behind: how much worse than the best run it is, by the metric that chooses, with the interval of the paired
            difference; None for the best run and for failed runs.
        distinguishable: whether that interval excludes 0; None if Azure gives no interval.
        rounds: number of boosting rounds, the median over the folds; None for a model without rounds.
        cpu_s: None if Azure does not report it.
    """

    run: int
    family: str
    parameters: Mapping[str, Any]
    state: str  # done, failed
    metrics: Mapping[str, Figure]
    behind: Figure | None
    distinguishable: bool | None
    rounds: int | None
    cpu_s: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteMember:
    """A run that is part of the model, and the weight of its margins."""

    run: int
    family: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The model that was chosen.

    Args:
        kind: `run`, `vote` or `custom`.
        validation: its metrics on out-of-fold predictions. For a vote they are nested: the vote is chosen on four folds
            and judged on the fifth.
        optimism: how much too good the metric is because the same rows chose the model; positive means too good.
    """

    kind: str
    members: tuple[VoteMember, ...]
    validation: Mapping[str, Figure]
    optimism: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points of a line."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of rows: one row for each true class, one column for each answer, in the order of at most 20 classes."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRows:
    """The quality of the model on rows that it was not trained on: test rows, or out-of-fold rows.

    Args:
        rows: number of rows.
        metrics: `accuracy` is that of the likeliest class; `accuracy_at_threshold`, `f1` and others use the threshold.
        roc, precision_recall: by class: the positive class, or each class against the others (at most ten).
        calibration: the prediction (x) and the true value (y), in ten bins of rows.
        ece: expected calibration error.
    """

    rows: int
    metrics: Mapping[str, Figure]
    confusion: Confusion | None
    roc: Mapping[str, Curve]
    precision_recall: Mapping[str, Curve]
    calibration: Curve | None
    ece: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassThreshold:
    """The probability from which a binary answer is positive.

    Args:
        value: the threshold, chosen on out-of-fold predictions.
        f1, f1_at_half: given if a class has under 20 % of the rows: F1 inside the folds with `--threshold f1`, and at
            0.5.
    """

    rule: str
    value: float
    f1: float | None
    f1_at_half: float | None
    f1_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """The importance of a column, or of an engineered feature.

    Args:
        share: fraction of all mean absolute contributions (exact TreeSHAP; features of a column are added first).
        permutation: loss of the metric when the column is shuffled; None for engineered features.
    """

    name: str
    share: float
    permutation: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The mean answer for each value of a column: a number has ranges, a category has values.

    Args:
        labels: names of the values. *x* are the middles of the ranges; None for a category.
        predicted: mean prediction if every row had this value (partial dependence).
        observed: mean label of the rows that have this value.
        rows: number of these rows.
    """

    column: str
    labels: tuple[str, ...]
    x: tuple[float, ...] | None
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The rows with one value or range of a column, or of two columns.

    Args:
        where: `job = admin.` or `age in [17, 32)`; two columns are joined by ` and `.
        columns: the one or two columns.
        value: the value or range without the name of the column, as in the gate `cohort(job=admin.)`.
        positive: fraction of the positive class; None if there is no positive class.
        metrics: accuracy, AUC and recall if they are defined (regression: rmse, mae).
    """

    where: str
    columns: tuple[str, ...]
    value: str
    rows: int
    positive: float | None
    metrics: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLeaf:
    """A leaf of the error tree: the fraction of wrong answers in a group of rows.

    Args:
        path: the conditions from the root to the leaf, such as `duration > 492`.
        error: fraction of wrong answers (regression: mean absolute error).
    """

    path: tuple[str, ...]
    rows: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate and its verdict.

    Args:
        state: `passed`, `missed` or `not judged`.
        observed: None if it cannot be judged.
        reason: why the gate is missed or not judged.
    """

    expression: str
    state: str
    observed: float | None
    ci95: Interval | None
    wanted: float | None
    rows: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The model in use, compared with the new one on rows that neither was trained on."""

    path: str
    rows: int
    metrics: Mapping[str, Figure]
    differences: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """The files of the model: size and SHA-256 of each."""

    path: str
    sha256: Mapping[str, str]
    bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """The job of Azure AutoML that trained the model.

    Args:
        child: the trial whose model was taken.
        registered: name and version of the model in the workspace, `bank:3`; None if it could not be registered.
        page: URL of the job in Azure's studio.
        runs_here: whether this environment has the packages that the model needs.
    """

    name: str
    workspace: str
    child: str
    registered: str | None
    page: str | None
    runs_here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport(Displayed):
    """The whole result of a training.

    Args:
        job: None for a local training. Azure's metrics have no intervals, and come from the rows that Azure validated
            on.
    """

    version: str
    started_at: str
    duration_s: float
    partial: bool
    data: DataInfo
    plan: Mapping[str, Any]
    metric: str
    runs: tuple[RunInfo, ...]
    best: Best
    threshold: ClassThreshold | None
    test: JudgedRows | None
    out_of_fold: JudgedRows
    leaks: tuple[Leak, ...]
    importance: tuple[Importance, ...]
    engineered: tuple[Importance, ...]
    effects: tuple[Effect, ...]
    cohorts: tuple[Cohort, ...]
    errors: tuple[ErrorLeaf, ...]
    base: Base | None
    gates: tuple[Gate, ...]
    artefact: Artefact | None
    warnings: tuple[str, ...]
    job: TrainingJob | None = None

    @property
    def passed(self) -> bool:
        """Tell whether every gate passed."""
        return all(gate.state == "passed" for gate in self.gates)
