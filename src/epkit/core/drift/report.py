"""The result of a search for drift: the columns, the label, the rows as a whole, and changes of the schema."""

from dataclasses import dataclass
from typing import Final

FORMAT: Final = "epkit.drift/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSample:
    """One of the two samples that are compared.

    Args:
        name: as the user gave it.
        kind: `card` if only the counts of a model's card are known, otherwise `table`.
    """

    name: str
    kind: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """How the distribution of a column changed.

    Args:
        column: name of the column.
        part: for a date, the part that is compared: `weekday`, `days`; otherwise None.
        kind: `number`, `category` or `date`.
        psi: population stability index of the two distributions.
        threshold: a value that chance alone exceeds with a low, known probability.
        found: whether *psi* is above the threshold.
        ranges: names of the ranges or values.
        old, new: rows in each range.
    """

    column: str
    part: str | None
    kind: str
    psi: float
    threshold: float
    found: bool
    ranges: tuple[str, ...]
    old: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesClassifier:
    """How well a classifier distinguishes the rows of the two samples.

    Args:
        auc: mean over the folds; 0.5 is a random guess.
        threshold: a value that chance alone exceeds with a low, known probability.
        found: whether *auc* is above the threshold.
        old_rows, new_rows: number of rows that the classifier used.
    """

    auc: float
    threshold: float
    found: bool
    old_rows: int
    new_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """The whole result of a search for drift.

    Args:
        old, new: the two samples.
        seed: seed of the random draws.
        level: probability that any test is above its threshold if nothing drifted.
        tests: number of tests that share *level*: one for each column, the label, the classifier.
        found: whether a column, the label or the classifier is above its threshold.
        columns: the columns that were compared, the worst first.
        label: None if it is not known on both sides.
        classifier: None if it was not used.
        schema: changes of the columns themselves, one sentence each.
        remarks: other notes, one sentence each; they do not influence *found*.
    """

    old: DriftSample
    new: DriftSample
    seed: int
    level: float
    tests: int
    found: bool
    columns: tuple[ColumnDrift, ...]
    label: ColumnDrift | None
    classifier: SamplesClassifier | None
    schema: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no drift and the schema is the same."""
        return not self.found and not self.schema
