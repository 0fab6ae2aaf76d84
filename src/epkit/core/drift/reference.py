"""What new rows are held against: how the columns were distributed, by a model's card or by a table."""

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
"""Rows from which on a column without a repeated value looks like an id."""

SELECTED: Final = 4.0
"""Standard deviations above the rarest value that a card lists of many, from which on a value is there by right."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceColumn:
    """How a column, or a part of a date, is distributed.

    Args:
        card: what the column is, as the card has it.
        part: of a date, else None.
        label: whether its values are classes, which may be written as numbers or as texts.
        edges: float64, ascending: a number is in the range up to an edge (included), or above the last; None for a
            category.
        values: of a category, in words.
        counts: int64, rows in each range, or with each value.
        other: rows with a value that is not listed.
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
        """Of the column."""
        return str(self.card["name"])

    @property
    def rows(self) -> int:
        """That were counted."""
        return int(self.counts.sum()) + self.other + self.missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """The old side.

    Args:
        name: what messages call it.
        rows: that it is made of.
        columns: that new rows are held against.
        label: None where there is none.
        known: names of the columns that it had, compared or not.
        frame: the rows themselves, None where only a card is known.
        remarks: what should be known of it, a sentence each.
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
        """Take what a model's card says of the rows that it was trained on.

        Args:
            card: as `card.json` has it, from anywhere.
            drop: columns that are not compared.

        Raises:
            UsageError: it is none, or does not say how its columns were distributed.
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
                f"{name}: does not say how its columns are distributed ({why}): train it again, or name its table"
            ) from None
        return cls(name=name, rows=rows, columns=columns, label=label, known=frozenset(known))

    @classmethod
    def of(
        cls, frame: "pl.DataFrame", *, name: str = "the table", label: str | None = None, drop: Collection[str] = ()
    ) -> Self:
        """Look at a table.

        Args:
            frame: at least one row.
            label: the column that is predicted, if any.
            drop: columns that are not compared.

        Raises:
            UsageError: a column holds what no model takes, or an infinite number.
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
    """Write different values of a category as its reference does: as `epkit.served.encoding` reads them."""
    if column.label:
        return [class_text(value) for value in values]
    boolean = bool(column.card.get("boolean"))
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    return [text.strip().lower() if boolean else text for text in texts]


def class_text(value: Any) -> str:
    """Write a class, so that 1, 1.0 and `1` are one."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def range_words(edges: np.ndarray) -> list[str]:
    """Write the ranges that edges cut numbers into."""
    if not len(edges):
        return ["all"]
    alone = np.append(np.nextafter(edges[:-1], np.inf) == edges[1:], False)  # nothing is between them
    texts = [f"{edge:.6g}" for edge in edges]
    shown = [text for text, one in zip(texts, alone, strict=True) if not one]
    if len(set(shown)) < len(shown):  # six digits do not tell them apart
        texts = [repr(float(edge)) for edge in edges]
    between = [
        high if one else f"{low} to {high}" for (low, high), one in zip(pairwise(texts), alone.tolist(), strict=False)
    ]
    first = f"below {texts[1]}" if alone[0] else f"to {texts[0]}"
    return [first, *between, f"above {texts[-1]}"]


def _counts(given: Any, length: int) -> np.ndarray:
    """Check counts from a card.

    Raises:
        ValueError: they are not that number of whole numbers from 0 on.
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
        ValueError: it has none, or more than can be counted with.
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
    """Return a column of a card.

    Raises:
        KeyError, TypeError, ValueError: the card is not what `core.train.card` writes.
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
                # The card lists the most frequent of many values. Of one that is barely among them, the count is too
                # high by the choice itself; only those that are there by right can be compared.
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
    """Return a column of a table: of a date the parts that vary."""
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
    """Return the label of a table; None where no row has one."""
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
        known: canonical, without missing values.
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
