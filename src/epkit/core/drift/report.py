"""What a look for drift found: per column, of the label, of the whole rows, and what changed in the schema."""

from dataclasses import dataclass
from typing import Final

FORMAT: Final = "epkit.drift/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSample:
    """One of the two sides.

    Args:
        name: as it was given.
        kind: `card` where only a model's counts are known, else `table`.
    """

    name: str
    kind: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """How the values of a column moved.

    Args:
        column: its name.
        part: of a date that is looked at: `weekday`, `days`; None for other columns.
        kind: `number`, `category` or `date`.
        psi: population stability index of the two distributions.
        threshold: what chance alone exceeds rarely enough.
        found: whether *psi* is above it.
        ranges: ranges or values, in words.
        old, new: rows in each of them.
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
    """How well a classifier tells the rows of the two samples apart.

    Args:
        auc: mean over the folds; 0.5 is chance.
        threshold: what chance alone exceeds rarely enough.
        found: whether *auc* is above it.
        old_rows, new_rows: that it was shown.
    """

    auc: float
    threshold: float
    found: bool
    old_rows: int
    new_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Everything that a look for drift found.

    Args:
        old, new: the two samples.
        seed: of what was drawn.
        level: the chance that any of the tests is above its threshold where nothing drifted.
        tests: that share it: a column each, the label, the classifier.
        found: whether a column, the label or the classifier is above its threshold.
        columns: that were compared, the worst first.
        label: None where it is not known on both sides.
        classifier: None where it was not asked.
        schema: what changed in the columns themselves, a sentence each.
        remarks: what else should be known, a sentence each; it decides nothing.
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
        """Whether nothing drifted and the schema is the same."""
        return not self.found and not self.schema
