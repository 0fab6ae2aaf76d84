"""The groups of rows on which a model is worst: every value and range of every column is a group.

A number with few values is cut by value, a number with more values into quarters of the rows, a date by its parts. The
worst group is the one whose interval has the lowest end. By the value alone, a group of three rows with two errors
would always be the worst.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from epkit.core.near import hint
from epkit.core.train import intervals
from epkit.core.train.metrics import GREATER_IS_BETTER, Metrics
from epkit.core.train.problem import Examples, Feature
from epkit.core.train.report import Cohort, Figure
from epkit.errors import UsageError

FEW_VALUES: Final = 8
"""A number with at most this number of distinct values is cut by value."""

RANGES: Final = 4
"""A number with more values is cut into this number of ranges, each with about as many rows."""

LEAST_ROWS: Final = 10
"""A cohort with fewer rows is not shown: its interval is too wide to be of use."""

MOST_COHORTS: Final = 300
"""Number of cohorts that are shown, the worst ones. Gates look at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """The rows with one value, or with a value in one range.

    Args:
        where, columns, value: as in `Cohort`.
        rows: their places in the table.
    """

    where: str
    columns: tuple[str, ...]
    value: str
    rows: np.ndarray


def cuts(
    examples: Examples, columns: Iterable[str] | None = None, pairs: Iterable[tuple[str, str]] = ()
) -> tuple[Cut, ...]:
    """Cut rows into groups by the values and ranges of columns.

    Args:
        examples: the rows on which the model is judged.
        columns: of the model; None for all.
        pairs: pairs of columns; rows are also cut by both columns of a pair.

    Returns:
        The groups with at least `LEAST_ROWS` rows.

    Raises:
        UsageError: the model has no such column.
    """
    known = list(dict.fromkeys(feature.column for feature in examples.features))
    wanted = known if columns is None else [_named(column, known, "--cohorts") for column in columns]
    found: list[Cut] = []
    for column in dict.fromkeys(wanted):
        for place, feature in _of(examples, column):
            found += _cut(examples, place, feature)
    for first, second in pairs:
        _named(first, known, "--pairs")
        _named(second, known, "--pairs")
        found += _crossed(examples, first, second)
    return tuple(cut for cut in found if len(cut.rows) >= LEAST_ROWS)


def cohorts(rows: Metrics, found: Sequence[Cut], groups: np.ndarray | None = None) -> tuple[Cohort, ...]:
    """Measure the rows of each group, and return the `MOST_COHORTS` worst, the worst first.

    Args:
        rows: in the order of the examples that were cut; a binary task has a threshold.
        groups: one for each row; None if the rows are independent.
    """
    names = _measured(rows)
    binary = rows.label.task == "binary"

    def measured(cut: Cut, wanted: Sequence[str]) -> Mapping[str, Figure]:
        return intervals.figures(wanted, rows[cut.rows], groups=None if groups is None else groups[cut.rows])

    def place(cut: Cut) -> float:
        return worst_first(names[0], measured(cut, names[:1]).get(names[0]))

    return tuple(
        Cohort(
            where=cut.where,
            columns=cut.columns,
            value=cut.value,
            rows=len(cut.rows),
            positive=float((rows.y[cut.rows] == 1).mean()) if binary else None,
            metrics=measured(cut, names),
        )
        for cut in sorted(found, key=place)[:MOST_COHORTS]
    )


def worst_first(name: str, figure: Figure | None) -> float:
    """Return the sort key of a group: the end of its interval on the good side."""
    if figure is None:
        return float("inf")
    low, high = figure.ci95 or (figure.value, figure.value)
    return high if GREATER_IS_BETTER[name] else -low


def _measured(rows: Metrics) -> tuple[str, ...]:
    """Return the metrics of cohorts. The first one decides which cohort is the worst."""
    if rows.label.task == "regression":
        return ("rmse", "mae")
    if rows.label.task == "multiclass":
        return ("accuracy", "AUC", "recall") if len(rows.label.classes) <= FEW_VALUES else ("accuracy", "recall")
    return ("accuracy_at_threshold", "accuracy", "AUC", "recall")


def _named(column: str, known: Sequence[str], option: str) -> str:
    if column not in known:
        raise UsageError(f"{option} {column!r}: the model has no such column: {hint(column, known)}")
    return column


def _of(examples: Examples, column: str) -> list[tuple[int, Feature]]:
    """Return the features of a column, with their places in the matrix."""
    return [(place, feature) for place, feature in enumerate(examples.features) if feature.column == column]


def _cut(examples: Examples, place: int, feature: Feature) -> list[Cut]:
    """Cut rows by one column of the matrix."""
    codes, values = codes_of(examples, place, feature)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(values)))
    found = []
    for code, value in enumerate(values):
        rows = order[ends[code - 1] if code else 0 : ends[code]]
        where = f"{feature.name} {value.verb} {value.text}"
        # A date has several parts, so the name of the part is shown too.
        named = value.text if feature.name == feature.column else where.removeprefix(f"{feature.column}.")
        found.append(Cut(where=where, columns=(feature.column,), value=named, rows=rows))
    return found


def _crossed(examples: Examples, first: str, second: str) -> list[Cut]:
    """Cut rows by two columns at once."""
    found = []
    others = [cut for place, feature in _of(examples, second) for cut in _cut(examples, place, feature)]
    masks = []
    for other in others:
        mask = np.zeros(len(examples), bool)
        mask[other.rows] = True
        masks.append(mask)
    for cut in (cut for place, feature in _of(examples, first) for cut in _cut(examples, place, feature)):
        for other, mask in zip(others, masks, strict=True):
            found.append(
                Cut(
                    where=f"{cut.where} and {other.where}",
                    columns=(first, second),
                    value=f"{cut.value} and {other.value}",
                    rows=cut.rows[mask[cut.rows]],
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value or range of a column.

    Args:
        text: `admin.`, `[17, 32)`, `missing`.
        verb: between the column and the text: `=`, `in`, `is`.
    """

    text: str
    verb: str = "="


MISSING: Final = Value(text="missing", verb="is")
OTHERS: Final = Value(text="another value", verb="is")
"""A category that the training data did not have, or had too rarely."""


def codes_of(
    examples: Examples, place: int, feature: Feature, *, few: int = FEW_VALUES, ranges: int = RANGES
) -> tuple[np.ndarray, tuple[Value, ...]]:
    """Return the groups into which rows are cut by one column of the matrix.

    Args:
        few: a number with at most this number of distinct values is cut by value, any other into *ranges*.

    Returns:
        int64, a code for each row; and the meaning of each code.
    """
    values = examples.matrix[:, place]
    known = ~np.isnan(values)
    if feature.categories:
        card = next(card for card in examples.card_columns if card["name"] == feature.column)
        named = [Value(text=str(category)) for category in card["categories"]]
        codes = np.where(known, values, len(named)).astype(np.int64)
        lost = np.flatnonzero(~known)
        codes[lost[~_is_missing(examples.texts.get(feature.column), lost)]] = len(named) + 1
        return codes, (*named, MISSING, OTHERS)
    distinct = np.unique(values[known])
    if len(distinct) <= few:
        codes = np.searchsorted(distinct, values)
        named = [Value(text=number(value)) for value in distinct]
    else:
        edges = _edges(values[known], distinct, ranges)
        codes = np.searchsorted(edges, values, side="right")
        named = _ranges(edges, distinct)
    codes = np.where(known, codes, len(named)).astype(np.int64)
    return codes, (*named, MISSING)


def number(value: float) -> str:
    """Format a number with six significant digits: `17`, `4.857`, `93.994`."""
    return f"{value:.6g}"


def _edges(values: np.ndarray, distinct: np.ndarray, ranges: int) -> np.ndarray:
    """Return the edges that cut values into ranges of about as many rows. Each range includes its lower edge.

    A value that occurs in more rows than one range holds also gets an edge after it.
    """
    quantiles = np.quantile(values, np.arange(1, ranges) / ranges, method="inverted_cdf")
    with_least = np.concatenate((distinct[:1], quantiles))
    heavy = with_least[1:][np.diff(with_least) == 0]
    behind = np.searchsorted(distinct, heavy, side="right")
    edges = np.concatenate((quantiles, distinct[behind[behind < len(distinct)]]))
    return np.unique(edges[edges > distinct[0]])


def _ranges(edges: np.ndarray, distinct: np.ndarray) -> list[Value]:
    """Format the ranges between edges. The last range includes its upper end; a range of one value is that value."""
    ends = [distinct[0], *edges, distinct[-1]]
    texts = [number(end) for end in ends]
    if len(set(texts)) < len(set(ends)):  # six digits cannot distinguish them
        texts = [repr(float(end)) for end in ends]
    held = np.bincount(np.searchsorted(edges, distinct, side="right"), minlength=len(edges) + 1)
    closing = [")"] * len(edges) + ["]"]
    return [
        Value(text=low) if count == 1 else Value(text=f"[{low}, {high}{close}", verb="in")
        for (low, high), count, close in zip(pairwise(texts), held, closing, strict=True)
    ]


def _is_missing(texts: Sequence[Any] | None, rows: np.ndarray) -> np.ndarray:
    """Return which rows have no text."""
    if texts is None:
        return np.ones(len(rows), bool)
    return np.array([text is None or text == "" for text in np.asarray(texts, object)[rows]], bool)
