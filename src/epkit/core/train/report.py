"""What a training found: a frozen tree of values, which reporters render and `train.json` mirrors.

Metrics are fractions, never percentages. An interval is of 95 %. A field that has no value is None.
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
        value: on all rows together.
        sd: over the folds, None for one fold.
        ci95: by resampling rows (or groups), None where it cannot be had.
    """

    value: float
    sd: float | None = None
    ci95: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """A column as it was read."""

    name: str
    kind: str  # number, category, date, or what it is left out for: id, dropped, constant, empty
    missing: int
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInfo:
    """The table.

    Args:
        rows: with a label; *unlabelled* had none and were left out.
        classes: rows of each class, in the order of the classes; empty for regression.
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
    """A column that may be known only after the prediction is asked for.

    Args:
        alone: AUC of the column alone (R² for regression).
        without: the metric of a model that does not see it; None where it was not tried.
        disguise: whether it is the label in other words (AUC alone above 0.999).
    """

    column: str
    alone: float
    without: Figure | None
    disguise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run of the search, on the leaderboard.

    Args:
        metrics: on the out-of-fold predictions.
        behind: how much worse than the best run it is, by the metric that chooses, with the interval of the paired
            difference; None for the best itself and for what failed.
        distinguishable: whether that interval leaves out 0; None where Azure gives no interval.
        rounds: of boosting, the median over the folds; None where there are none.
        cpu_s: None where Azure does not say.
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
    """A run in the model, and what its margins weigh."""

    run: int
    family: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The model that was chosen.

    Args:
        kind: `run`, `vote` or `custom`.
        validation: its metrics on out-of-fold predictions, of a vote those of the nested choice: what is chosen on
            four folds and judged on the fifth.
        optimism: what the metric that chooses gains by being judged on the rows that chose; positive is too good.
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
    """Counts: a row a true class, a column an answer, in the order of the classes (of 20 classes at most)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRows:
    """How the model does on rows that it was not trained on: test rows, or out-of-fold ones.

    Args:
        rows: how many.
        metrics: accuracy is argmax; `accuracy_at_threshold`, `f1` and so on are at the threshold.
        roc, precision_recall: of the positive class, or of each class against the others, by class (at most ten).
        calibration: of what was predicted (x) what came true (y), in tenths of the rows.
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
    """Where a binary answer turns positive.

    Args:
        value: chosen on out-of-fold predictions.
        f1, f1_at_half: inside the folds, where a class is under 20 %: what `--threshold f1` would change.
    """

    rule: str
    value: float
    f1: float | None
    f1_at_half: float | None
    f1_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What a column, or an engineered feature, adds.

    Args:
        share: of all mean absolute contributions (exact TreeSHAP; children are summed before the absolute value).
        permutation: how much worse the metric gets when the column is shuffled; None for engineered features.
    """

    name: str
    share: float
    permutation: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The mean answer where a column has a value: of a number in ranges, of a category by value.

    Args:
        labels: of the values; *x* are their middles, None for a category.
        predicted: the mean prediction when every row is given the value (partial dependence).
        observed: the mean label of the rows that have it.
        rows: that have it.
    """

    column: str
    labels: tuple[str, ...]
    x: tuple[float, ...] | None
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The rows of one value or range of a column, or of two columns at once.

    Args:
        where: `job = admin.`, `age in [17, 32)`, of two columns joined by ` and `.
        columns: that it is made of.
        value: the value or range without the column's name, as `cohort(job=admin.)` of a gate may name it.
        positive: part of the positive class, None without one.
        metrics: accuracy, AUC and recall where they can be had (regression: rmse, mae).
    """

    where: str
    columns: tuple[str, ...]
    value: str
    rows: int
    positive: float | None
    metrics: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLeaf:
    """A leaf of the error tree: where the model is wrong how often.

    Args:
        path: the conditions from the root down, `duration > 492`.
        error: part of the rows that are wrong (regression: mean absolute error).
    """

    path: tuple[str, ...]
    rows: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate and its verdict.

    Args:
        state: `passed`, `missed` or `not judged`.
        observed: None where it cannot be judged.
        reason: in words, why it is not judged or what was missed.
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
    """The model that is in use, against the new one, on rows that neither was trained on."""

    path: str
    rows: int
    metrics: Mapping[str, Figure]
    differences: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """The files that were written: bytes and SHA-256 of each."""

    path: str
    sha256: Mapping[str, str]
    bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """The job of Azure AutoML that trained.

    Args:
        child: the trial whose model it is.
        registered: name and version of the model in the workspace, `bank:3`; None where it could not be registered.
        page: in Azure's studio.
        runs_here: whether this environment has the packages that the model is opened with.
    """

    name: str
    workspace: str
    child: str
    registered: str | None
    page: str | None
    runs_here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport(Displayed):
    """Everything that a training found.

    Args:
        job: of a training at Azure, whose figures are Azure's own: without intervals, on the rows that it validated on.
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
