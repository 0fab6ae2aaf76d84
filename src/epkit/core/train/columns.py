"""From a table to examples: which columns are numbers, categories or dates; which are left out, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from epkit.core.near import hint
from epkit.core.shortening import cut
from epkit.core.train.cells import (
    DATE,
    canonical,
    days_of,
    encode_series,
    infinite,
    listed,
    missing,
    row_hashes,
    words_among_numbers,
)
from epkit.core.train.labels import as_numbers, known_rows, learn_label
from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import MOST_CATEGORIES, Examples, Feature
from epkit.core.train.report import ColumnInfo
from epkit.errors import UsageError
from epkit.served.encoding import DATE_PARTS

if TYPE_CHECKING:
    import polars as pl

DECIMAL_COMMA: Final = r"^-?[0-9]{1,3}(\.?[0-9]{3})*,[0-9]+$"
FEWEST_FOR_IDS: Final = 50
"""In a table with at least this number of rows, a column with no repeated value looks like an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a table gives to learn from.

    Args:
        examples: the rows with a label.
        columns: all columns of the table, in order. The kind of the label is `label`; that of a column that is left
            out is the reason.
        warnings: one sentence each.
        rows: int64: places of the examples in the table.
        duplicates: number of examples that are equal to an earlier one.
        hashed: the columns from which the *hashes* of the examples are computed.
    """

    examples: Examples
    columns: tuple[ColumnInfo, ...]
    warnings: tuple[str, ...]
    rows: np.ndarray
    duplicates: int
    hashed: tuple[str, ...]


def learn(frame: "pl.DataFrame", plan: TrainPlan, name: str = "the table") -> Learned:
    """Make examples from a table.

    Args:
        frame: the table, with the types that the reader chose.
        name: name of the table in messages.

    Raises:
        UsageError: a column does not exist, the label is not usable, or a value is infinite.
    """
    _check_names(frame.columns, plan, name)
    label_series, said = as_numbers(canonical(frame.get_column(plan.label), name, "name another with --label"))
    known = known_rows(label_series, name)
    rows = np.flatnonzero(known)
    if len(rows) < frame.height:
        frame = frame.filter(known)
        label_series = label_series.filter(known)
    label, y, warnings = learn_label(label_series, plan, name)
    left_out = dict.fromkeys(plan.drop, "dropped") | dict.fromkeys(plan.ids, "id") | {plan.label: "label"}
    if plan.group is not None:
        left_out[plan.group] = "id"
    found = _Columns(name, rows)
    for column in frame.columns:
        found.take(frame.get_column(column), left_out.get(column))
    if not found.encoded:
        raise UsageError(f"{name}: no column is left to learn from: all are constant, empty or left out")
    hashed = tuple(sorted(column for column in frame.columns if column not in {*plan.drop, *plan.ids}))
    hashes = row_hashes(frame, hashed, name)
    examples = Examples(
        label=label,
        card_columns=tuple(found.cards),
        features=features_of(found.cards),
        matrix=found.matrix(),
        y=y,
        groups=_groups(frame, plan, name),
        order=_order(frame, plan, name),
        hashes=hashes,
        texts=found.texts,
    )
    return Learned(
        examples=examples,
        columns=tuple(found.infos),
        warnings=(*said, *warnings, *found.warnings),
        rows=rows,
        duplicates=len(hashes) - len(np.unique(hashes)),
        hashed=hashed,
    )


def encode(
    frame: "pl.DataFrame",
    card_columns: Iterable[Mapping[str, Any]],
    name: str = "the table",
    *,
    strict: bool = False,
) -> np.ndarray:
    """Return float64, rows × features, for a table whose rows a model is to predict.

    Args:
        strict: refuse a missing value if the training data had none in this column, as the deployed model does.

    Raises:
        UsageError: the table lacks a column of the card, or has a value that its column cannot have.
    """
    parts = []
    for column in card_columns:
        if column["name"] not in frame.columns:
            raise UsageError(f'{name}: there is no column "{column["name"]}", which the model needs')
        series = canonical(frame.get_column(column["name"]), name)
        parts.append(encode_series(column, series, name, strict=strict))
    return np.concatenate(parts, axis=1)


def features_of(card_columns: Sequence[Mapping[str, Any]]) -> tuple[Feature, ...]:
    """Return the features, one for each column of the matrix, in order. Their names are unique."""
    names = {column["name"] for column in card_columns}
    found = []
    for column in card_columns:
        own = column["name"]
        if column["kind"] != "date":
            found.append(Feature(name=own, column=own, categories=len(column.get("categories", ()))))
        for part in column.get("parts", ()):
            plainly = f"{own}.{part}"
            found.append(Feature(name=plainly if plainly not in names else f"{part} of {own}", column=own))
    return tuple(found)


def column_of(raw: "pl.Series", series: "pl.Series") -> dict[str, Any]:
    """Return the description of a column for the card: a number, a category or a date, even if it never varies.

    Args:
        raw: as the reader returned it.
        series: the same in canonical form; at least one value is not missing.
    """
    return _Columns("", np.arange(len(series))).card(raw, series, series.filter(~missing(series)).n_unique())


class _Columns:
    """Collects the columns, one after the other."""

    def __init__(self, name: str, rows: np.ndarray) -> None:
        self._name, self._rows = name, rows
        self.cards: list[dict[str, Any]] = []
        self.encoded: list[np.ndarray] = []
        self.infos: list[ColumnInfo] = []
        self.texts: dict[str, Any] = {}
        self.warnings: list[str] = []

    def matrix(self) -> np.ndarray:
        """Join the columns into a matrix, and release them."""
        matrix = np.empty((len(self.encoded[0]), sum(part.shape[1] for part in self.encoded)), np.float64)
        at = 0
        while self.encoded:
            part = self.encoded.pop(0)
            matrix[:, at : at + part.shape[1]] = part
            at += part.shape[1]
        return matrix

    def take(self, raw: "pl.Series", left_out: str | None) -> None:
        """Examine a column, and encode it unless it is left out."""
        if left_out in ("dropped", "id"):
            distinct = 0 if raw.dtype.is_nested() or raw.dtype.is_object() else raw.n_unique()
            self._tell(raw.name, left_out, raw.null_count(), distinct)
            return
        series = canonical(raw, self._name)
        gone = missing(series)
        distinct = series.filter(~gone).n_unique()
        if left_out:
            self._tell(raw.name, left_out, int(gone.sum()), distinct)
        elif not distinct:
            self._tell(raw.name, "empty", len(series), 0)
            self._warn(raw.name, "is empty in all rows, and left out")
        elif distinct == 1 and not gone.any():
            self._tell(raw.name, "constant", 0, 1)
            self._warn(raw.name, f"is {cut(str(series[0]), 40)} in all rows, and left out")
        else:
            self._use(raw, series, gone, distinct)

    def _tell(self, name: str, kind: str, missing: int, distinct: int) -> None:
        self.infos.append(ColumnInfo(name=name, kind=kind, missing=missing, distinct=distinct))

    def _use(self, raw: "pl.Series", series: "pl.Series", gone: np.ndarray, distinct: int) -> None:
        """Encode a column."""
        self._check_finite(series)
        card = self.card(raw, series, distinct)
        encoded = encode_series(card, series, self._name)
        lacking = gone if card["kind"] == "category" else np.isnan(encoded).any(axis=1)
        if card["kind"] != "date" and distinct == len(series) >= FEWEST_FOR_IDS and not raw.dtype.is_float():
            self._warn(raw.name, f'has another value in each row: if it is an id, say --id "{raw.name}"')
        card["missing"] = bool(lacking.any())
        if card["kind"] == "date":
            spans = np.nanmax(encoded, axis=0) - np.nanmin(encoded, axis=0)
            varies = np.flatnonzero(spans).tolist() or [DATE_PARTS.index("days")]
            card["parts"] = [DATE_PARTS[place] for place in varies]
            encoded = encoded[:, varies]
        self._tell(raw.name, card["kind"], int(lacking.sum()), distinct)
        self.cards.append(card)
        self.encoded.append(encoded)
        if card["kind"] != "number":
            self.texts[raw.name] = series

    def card(self, raw: "pl.Series", series: "pl.Series", distinct: int) -> dict[str, Any]:
        """Return the description of a column for the card."""
        import polars as pl  # late: it costs 0.2 s

        name = raw.name
        if series.dtype.is_numeric():
            return {"name": name, "kind": "number", "integer": series.dtype.is_integer()}
        if series.dtype == pl.Boolean:
            return {"name": name, "kind": "category", "boolean": True, "categories": ["false", "true"]}
        texts = series.drop_nulls().unique()
        if raw.dtype.is_temporal() and raw.dtype != pl.Time:
            return {"name": name, "kind": "date", "parts": list(DATE_PARTS)}
        if (words := words_among_numbers(texts)) is not None:
            whole = bool((~texts.filter(~texts.is_in(words)).str.contains(r"[.eE]")).all())
            if words:
                self._warn(name, f"holds numbers, and {listed(words)} where one is missing")
            else:
                self._warn(name, "holds numbers as texts, and is taken as numbers")
            return {"name": name, "kind": "number", "integer": whole}
        if texts.str.contains(DATE).all() and not np.isnan(days_of(texts.to_list())).any():
            return {"name": name, "kind": "date", "parts": list(DATE_PARTS)}
        if texts.str.contains(DECIMAL_COMMA).all():
            self._warn(name, f"holds texts like {listed(texts.head(1).to_list())}: write numbers with a point")
        return {"name": name, "kind": "category", "categories": self._categories(series, distinct)}

    def _categories(self, series: "pl.Series", distinct: int) -> list[str]:
        import polars as pl

        counts = series.drop_nulls().value_counts(name="rows")
        if distinct > MOST_CATEGORIES:
            counts = counts.sort([pl.col("rows"), pl.col(series.name)], descending=[True, False]).head(MOST_CATEGORIES)
            others = len(series) - series.null_count() - counts.get_column("rows").sum()
            self._warn(
                series.name,
                f"has {distinct:,} different texts: the {MOST_CATEGORIES} most frequent are distinguished, the other "
                f"{others:,} rows count as unseen",
            )
        return sorted(counts.get_column(series.name).to_list())

    def _check_finite(self, series: "pl.Series") -> None:
        if (place := infinite(series)) is not None:
            raise UsageError(
                f'{self._name}: row {int(self._rows[place]) + 1}, column "{series.name}": an infinite number: '
                "mend it, or leave it empty"
            )

    def _warn(self, column: str, text: str) -> None:
        self.warnings.append(f'column "{column}" {text}')


def _check_names(names: Sequence[str], plan: TrainPlan, name: str) -> None:
    asked = [("--label", plan.label), *(("--drop", column) for column in plan.drop)]
    asked += [("--id", column) for column in plan.ids]
    asked += [(flag, column) for flag, column in (("--group", plan.group), ("--time", plan.time)) if column is not None]
    asked += [("--cohorts", column) for column in plan.cohorts or ()]
    asked += [("--pairs", column) for pair in plan.pairs for column in pair]
    for flag, column in asked:
        if column not in names:
            raise UsageError(f'{flag} "{column}": {name} has no such column: {hint(column, names)}')
        if flag != "--label" and column == plan.label:
            raise UsageError(f'{flag} "{column}": it is the label: name another column')


def _groups(frame: "pl.DataFrame", plan: TrainPlan, name: str) -> np.ndarray | None:
    if plan.group is None:
        return None
    # Computed from the value alone: so a group has the same number in every table.
    return row_hashes(frame, [plan.group], name).view(np.int64)


def _order(frame: "pl.DataFrame", plan: TrainPlan, name: str) -> np.ndarray | None:
    if plan.time is None:
        return None
    series = canonical(frame.get_column(plan.time), name, "name another with --time")
    if series.dtype.is_numeric():
        order = encode_series({"name": plan.time, "kind": "number"}, series, name)[:, 0]
    else:
        order = encode_series({"name": plan.time, "kind": "date", "parts": ["days"]}, series, name)[:, 0]
    if np.isnan(order).any():
        row = int(np.isnan(order).argmax()) + 1
        raise UsageError(f'--time "{plan.time}": labelled row {row} of {name} has neither a date nor a number there')
    return order
