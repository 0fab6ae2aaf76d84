"""The label of a table: the task that it makes, its classes, and the value to predict in each row."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from epkit.core.shortening import cut
from epkit.core.train.cells import by_distinct, infinite, listed, missing, to_floats, words_among_numbers
from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Label
from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

MOST_WHOLE_CLASSES: Final = 20
"""With at most this number of distinct whole numbers, a label has classes; with more, it has amounts."""

FEWEST_ROWS: Final = 10


def known_rows(label: "pl.Series", name: str) -> np.ndarray:
    """Return which rows have a label.

    Args:
        label: in canonical form.

    Raises:
        UsageError: fewer than `FEWEST_ROWS` rows have one.
    """
    known = ~missing(label)
    count = int(known.sum())
    if not count:
        raise UsageError(f'{name}: the label "{label.name}" is missing in all rows: name another with --label')
    if count < FEWEST_ROWS:
        raise UsageError(f"{name}: {count} rows have a label, and {FEWEST_ROWS} are the fewest: give more rows")
    return known


def as_numbers(label: "pl.Series") -> tuple["pl.Series", list[str]]:
    """Return a label of texts as numbers, if it holds numbers, and notes for the user; words for "missing" become null.

    If the texts are a few distinct numbers and none is missing, they are classes, and the answers are written as in the
    table.

    Args:
        label: in canonical form.
    """
    import polars as pl

    if label.dtype != pl.String:
        return label, []
    texts = label.drop_nulls().unique()
    words = words_among_numbers(texts)
    if words is None or (not words and len(texts) <= MOST_WHOLE_CLASSES):
        return label, []
    said = f"and {listed(words)} where one is missing" if words else "as texts, and is taken as numbers"
    found = label.replace(words, [None] * len(words)).cast(pl.Float64)
    return found, [f"the label holds numbers{',' if words else ''} {said}"]


def learn_label(label: "pl.Series", plan: TrainPlan, name: str) -> tuple[Label, np.ndarray, list[str]]:
    """Find the task and the values to predict.

    Args:
        label: in canonical form, without missing values.

    Returns:
        The label; for each row, the place of its class as int64 (1 is the positive class of two) or a float64; and
        notes for the user about the choice.

    Raises:
        UsageError: the label has only one value, too few rows of a class, or does not fit the task.
    """
    where = f'{name}: the label "{label.name}"'
    if (row := infinite(label)) is not None:
        raise UsageError(f"{where} is infinite in labelled row {row + 1}: mend or leave out that row")
    classes = _classes(label)
    if len(classes) == 1:
        raise UsageError(f"{where} is {_quoted(classes[0])} in all rows: nothing can be learned from one value")
    task, said = _task(label, classes, plan, where)
    if task == "regression":
        return Label(name=label.name, task="regression"), to_floats(label), said
    said += _alike(classes)
    places = {value: place for place, value in enumerate(classes)}
    y = by_distinct(label, lambda values: np.array([places[value] for value in values], np.int64), -1)
    counts = np.bincount(y, minlength=len(classes))
    _enough(classes, counts, plan, where)
    if len(classes) > 2:
        if plan.positive is not None:
            raise UsageError(f"{where} has {len(classes):,} classes: --positive is for two")
        return Label(name=label.name, task="multiclass", classes=classes), y, said
    positive = _positive(classes, counts, plan, where)
    found = Label(name=label.name, task="binary", classes=classes, positive=positive)
    return found, (y == positive).astype(np.int64), said


def _classes(label: "pl.Series") -> tuple[Any, ...]:
    """Return the distinct values, sorted. Whole numbers stay int, even if a missing value made floats of the column."""
    values = label.unique().sort().to_list()
    if label.dtype.is_float() and all(value.is_integer() and abs(value) < 2**53 for value in values):
        return tuple(int(value) for value in values)
    return tuple(values)


def _task(label: "pl.Series", classes: tuple[Any, ...], plan: TrainPlan, where: str) -> tuple[str, list[str]]:
    numeric = label.dtype.is_numeric()
    if plan.task == "regression":
        if not numeric:
            raise UsageError(f"{where} holds texts, and a regression predicts numbers: --task classification")
        return "regression", []
    if plan.task == "classification" or len(classes) == 2:
        return "classification", []
    if not numeric:
        if 2 * len(classes) > len(label):
            raise UsageError(
                f"{where} has {len(classes):,} different texts in {len(label):,} rows: is it the label? "
                "--task classification takes it all the same"
            )
        return "classification", []
    if isinstance(classes[0], int) and len(classes) <= MOST_WHOLE_CLASSES:
        text = f"the label has {len(classes)} different whole numbers, taken for classes: --task regression if amounts"
        return "classification", [text]
    whole = isinstance(classes[0], int)
    kinds = f"{len(classes):,} different whole numbers, taken for amounts" if whole else "numbers with fractions"
    return "regression", [f"the label has {kinds}: a regression; --task classification if they are classes"]


def _alike(classes: tuple[Any, ...]) -> list[str]:
    """Name two classes with different spellings that may be one class."""
    seen: dict[str, str] = {}
    for value in classes:
        if isinstance(value, str):
            other = seen.setdefault(" ".join(value.split()).casefold(), value)
            if other != value:
                return [
                    f"the label has {_quoted(other)} and {_quoted(value)}: are they one class, written differently?"
                ]
    return []


def _enough(classes: tuple[Any, ...], counts: np.ndarray, plan: TrainPlan, where: str) -> None:
    least = plan.folds if plan.holdout is None else 2
    rare = np.flatnonzero(counts < least)
    if len(rare):
        count = int(counts[rare[0]])
        others = f", and so of {len(rare) - 1:,} more" if len(rare) > 1 else ""
        rows = f"{count} row" if count == 1 else f"{count} rows"
        advice = "leave them out" if count == 1 or plan.holdout is not None else "use fewer --folds"
        raise UsageError(
            f"{where} is {_quoted(classes[rare[0]])} in {rows}, too few where {least} are needed{others}: "
            f"{advice}, or give more rows"
        )


def _positive(classes: tuple[Any, ...], counts: np.ndarray, plan: TrainPlan, where: str) -> int:
    """Return the place of the class that the user named, else of the rarer one; of two equally rare ones the second."""
    if plan.positive is None:
        return int(counts[1] <= counts[0])
    wanted = plan.positive.strip()
    for place, value in enumerate(classes):
        if wanted in (str(value), str(value).lower() if isinstance(value, bool) else ""):
            return place
    raise UsageError(f"{where} is never {_quoted(wanted)}: --positive is one of {', '.join(map(_quoted, classes))}")


def _quoted(value: Any) -> str:
    return f'"{cut(value, 40)}"' if isinstance(value, str) else str(value).lower()
