"""The old side of a comparison: how the columns were distributed, from a model's card or from a table."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from epkit.core.drift.psi import MOST_ROWS
from epkit.core.train.card import ranges
from epkit.core.train.cells import canonical, encode_series, missing
from epkit.core.train.columns import column_of
from epkit.core.train.labels import MOST_WHOLE_CLASSES
from epkit.errors import UsageError
from epkit.served.encoding import DATE_PARTS

if TYPE_CHECKING:
    import polars as pl

FEWEST_FOR_IDS: Final = 50
"""In a table with at least this number of rows, a column with no repeated value looks like an id."""

SELECTED: Final = 4.0
"""A card lists the most frequent of many values. The count of a value is unbiased from this number of standard
deviations above the rarest one that is listed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceColumn:
    """The distribution of a column, or of a part of a date.

    Args:
        card: description of the column, as in the card.
        part: the part of a date, otherwise None.
        label: whether the values are classes, which may be written as numbers or as texts.
        edges: float64, ascending. A number is in the range up to an edge (included), or above the last edge. None for a
            category.
        values: of a category, as texts.
        counts: int64, rows in each range, or with each value.
        other: rows with a value that is not in *values*.
        missing: rows without a value.
    """

    card: Mapping[str, Any]
    part: str | None = None
    label: bool = False
    edges: np.ndarray | None = None
    values: tuple[str, ...] = ()
    counts: np.ndarray
    other: int = 0
    missing: int = 0

    @property
    def name(self) -> str:
        """Name of the column."""
        return str(self.card["name"])

    @property
    def rows(self) -> int:
        """Number of rows that were counted."""
        return int(self.counts.sum()) + self.other + self.missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """The old side of a comparison.

    Args:
        name: its name in messages.
        rows: number of its rows.
        columns: the columns to compare with new rows.
        label: None if there is no label.
        known: names of all its columns, compared or not.
        frame: the rows themselves; None if there is only a card.
        remarks: notes for the user, one sentence each.
    """

    name: str
    rows: int
    columns: tuple[ReferenceColumn, ...]
    label: ReferenceColumn | None
    known: frozenset[str]
    frame: "pl.DataFrame | None" = None
    remarks: tuple[str, ...] = ()

    @classmethod
    def of_card(cls, card: Mapping[str, Any], *, name: str = "the card", drop: Collection[str] = ()) -> Self:
        """Read the distributions of the training rows from a model's card.

        Args:
            card: contents of `card.json`, from any source.
            drop: columns that are not compared.

        Raises:
            UsageError: it is not a card, or does not have the distributions of its columns.
        """
        try:
            listed, found = card["columns"], card["reference"]["columns"]
            columns = tuple(_of_card(column, found[column["name"]]) for column in listed if column["name"] not in drop)
            label = _label_of_card(card["label"], card["reference"]["label"])
            known = {*(str(column["name"]) for column in listed), *map(str, card.get("ignored", ())), label.name}
            rows = label.rows
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            why = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UsageError(
                f"{name} does not say how its columns are distributed ({why}): train it again, or name its table"
            ) from None
        return cls(name=name, rows=rows, columns=columns, label=label, known=frozenset(known))

    @classmethod
    def of(
        cls, frame: "pl.DataFrame", *, name: str = "the table", label: str | None = None, drop: Collection[str] = ()
    ) -> Self:
        """Read the distributions of a table.

        Args:
            frame: at least one row.
            label: the column that is predicted, if there is one.
            drop: columns that are not compared.

        Raises:
            UsageError: a column has a type that no model can take, or an infinite number.
        """
        columns: list[ReferenceColumn] = []
        remarks = []
        found_label = None
        for column in frame.columns:
            if column in drop:
                continue
            raw = frame.get_column(column)
            series = canonical(raw, name)
            if column == label:
                found_label = _label_of(series, raw, name)
                continue
            columns += _of_table(series, raw, name)
            if (
                series.n_unique() == len(series) >= FEWEST_FOR_IDS
                and not raw.dtype.is_float()
                and not raw.dtype.is_temporal()
            ):
                remarks.append(f'column "{column}" has another value in each row: if it is an id, say --drop')
        return cls(
            name=name,
            rows=frame.height,
            columns=tuple(columns),
            label=found_label,
            known=frozenset(frame.columns),
            frame=frame,
            remarks=tuple(remarks),
        )


def texts_of(values: list[Any], column: ReferenceColumn) -> list[str]:
    """Return the distinct values of a category as texts, in the notation of `epkit.served.encoding`."""
    if column.label:
        return [class_text(value) for value in values]
    boolean = bool(column.card.get("boolean"))
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    return [text.strip().lower() if boolean else text for text in texts]


def class_text(value: Any) -> str:
    """Format a class; 1, 1.0 and `1` give the same text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def range_words(edges: np.ndarray) -> list[str]:
    """Format the ranges between edges."""
    if not len(edges):
        return ["all"]
    alone = np.append(np.nextafter(edges[:-1], np.inf) == edges[1:], False)  # no number is between the two
    texts = [f"{edge:.6g}" for edge in edges]
    shown = [text for text, one in zip(texts, alone, strict=True) if not one]
    if len(set(shown)) < len(shown):  # six digits cannot distinguish them
        texts = [repr(float(edge)) for edge in edges]
    between = [
        high if one else f"{low} to {high}" for (low, high), one in zip(pairwise(texts), alone.tolist(), strict=False)
    ]
    first = f"below {texts[1]}" if alone[0] else f"to {texts[0]}"
    return [first, *between, f"above {texts[-1]}"]


def _counts(given: Any, length: int) -> np.ndarray:
    """Check the counts of a card.

    Raises:
        ValueError: their number is not *length*, or one is not a whole number from 0 on.
    """
    counts = [_count(one) for one in given]
    if len(counts) != length:
        raise ValueError(f"{length} counts are expected, not {len(counts)}")
    return np.array(counts, np.int64)


def _count(given: Any) -> int:
    if type(given) is not int or not 0 <= given <= MOST_ROWS:
        raise ValueError("a count is no whole number, or out of bounds")
    return given


def _bounded(column: ReferenceColumn) -> ReferenceColumn:
    """Check that a column has rows, and not too many.

    Raises:
        ValueError: it has no rows, or more than can be compared.
    """
    if not 0 < column.rows <= MOST_ROWS:
        raise ValueError(f'{column.rows:,} rows in column "{column.name}"')
    return column


def _numbers_of_card(card: Mapping[str, Any], found: Mapping[str, Any], part: str | None) -> ReferenceColumn:
    edges = np.array([float(edge) for edge in found["edges"]])
    if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ValueError("edges do not ascend")
    return _bounded(
        ReferenceColumn(
            card=card,
            part=part,
            edges=edges,
            counts=_counts(found["counts"], len(edges) + 1),
            missing=_count(found["missing"]),
        )
    )


def _of_card(column: Mapping[str, Any], found: Mapping[str, Any]) -> ReferenceColumn:
    """Read a column of a card.

    Raises:
        KeyError, TypeError, ValueError: the card does not have the form that `core.train.card` writes.
    """
    if not isinstance(column["name"], str):
        raise TypeError("a column's name is no text")
    card = {"name": column["name"], "kind": column["kind"], "boolean": bool(column.get("boolean"))}
    match column["kind"]:
        case "number":
            return _numbers_of_card(card, found, None)
        case "date":
            return _numbers_of_card(card, found, "days")
        case "category":
            values = tuple(map(str, column["categories"]))
            counts, other = _counts(found["counts"], len(values)), _count(found["other"])
            if other:
                # The card lists the most frequent of many values. The count of a value that just made the list is
                # biased upwards by this choice. Only values that are clearly frequent enough can be compared.
                cut = int(counts.min()) if len(counts) else 0
                by_right = counts > cut + SELECTED * np.sqrt(cut + 1)
                other += int(counts[~by_right].sum())
                values = tuple(value for value, kept in zip(values, by_right, strict=True) if kept)
                counts = counts[by_right]
            return _bounded(
                ReferenceColumn(card=card, values=values, counts=counts, other=other, missing=_count(found["missing"]))
            )
        case kind:
            raise ValueError(f"{kind!r} is no kind of columns")


def _label_of_card(label: Mapping[str, Any], found: Mapping[str, Any]) -> ReferenceColumn:
    card = {"name": str(label["name"]), "kind": "number" if label["task"] == "regression" else "category"}
    if label["task"] == "regression":
        return replace(_numbers_of_card(card, found, None), label=True)
    values = tuple(class_text(value) for value in label["classes"])
    return _bounded(ReferenceColumn(card=card, label=True, values=values, counts=_counts(found["counts"], len(values))))


def _of_table(series: "pl.Series", raw: "pl.Series", name: str) -> list[ReferenceColumn]:
    """Read a column of a table; a date gives the parts that vary."""
    gone = missing(series)
    if gone.all():
        card = {"name": raw.name, "kind": "category", "categories": []}
        return [ReferenceColumn(card=card, counts=np.zeros(0, np.int64), missing=len(series))]
    card = column_of(raw, series)
    if card["kind"] == "category":
        return [_categories(ReferenceColumn(card=card, counts=np.zeros(0, np.int64)), series, gone)]
    if card["kind"] == "number":
        return [_numbers(card, encode_series(card, series, name)[:, 0], None)]
    parts = encode_series(card, series, name)
    varying = np.flatnonzero(np.nanmax(parts, axis=0) > np.nanmin(parts, axis=0)).tolist()
    places = varying or [DATE_PARTS.index("days")]
    card = {**card, "parts": [DATE_PARTS[place] for place in places]}
    return [_numbers(card, parts[:, place], DATE_PARTS[place]) for place in places]


def _label_of(series: "pl.Series", raw: "pl.Series", name: str) -> ReferenceColumn | None:
    """Read the label of a table; None if no row has one."""
    known = series.filter(~missing(series))
    if not len(known):
        return None
    if known.dtype.is_float() or (known.dtype.is_integer() and known.n_unique() > MOST_WHOLE_CLASSES):
        whole = known.dtype.is_float() and known.n_unique() <= MOST_WHOLE_CLASSES and (known == known.round()).all()
        if not whole:
            card = {"name": raw.name, "kind": "number"}
            return replace(_numbers(card, encode_series(card, known, name)[:, 0], None), label=True)
    card = {"name": raw.name, "kind": "category"}
    empty = ReferenceColumn(card=card, label=True, counts=np.zeros(0, np.int64))
    return _categories(empty, known, missing(known))


def _categories(column: ReferenceColumn, series: "pl.Series", gone: np.ndarray) -> ReferenceColumn:
    counted = counts_of(column, series.filter(~gone))
    values = tuple(sorted(counted))
    counts = np.array([counted[value] for value in values], np.int64)
    return replace(column, values=values, counts=counts, missing=int(gone.sum()))


def counts_of(column: ReferenceColumn, known: "pl.Series") -> dict[str, int]:
    """Count the values of a category.

    Args:
        known: in canonical form, without missing values.
    """
    table = known.alias("value").value_counts(name="rows")
    found: dict[str, int] = {}
    texts = texts_of(table.get_column("value").to_list(), column)
    for text, rows in zip(texts, table.get_column("rows").to_list(), strict=True):
        found[text] = found.get(text, 0) + int(rows)
    return found


def _numbers(card: Mapping[str, Any], values: np.ndarray, part: str | None) -> ReferenceColumn:
    found = ranges(values)
    return ReferenceColumn(
        card=card,
        part=part,
        edges=np.array(found["edges"]),
        counts=np.array(found["counts"], np.int64),
        missing=found["missing"],
    )
