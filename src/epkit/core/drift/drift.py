"""Compares the distributions of new and old rows: each column, the label, and all columns together.

If nothing drifted, the probability of any result above its threshold is at most 2 %, over all tests together. Each test
has an equal share of this (Bonferroni), whatever the dependence of the columns.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from epkit.core.drift.apart import TellApart, both, classify
from epkit.core.drift.psi import MOST_ROWS, psi, threshold
from epkit.core.drift.reference import Reference, ReferenceColumn, counts_of, range_words
from epkit.core.drift.report import ColumnDrift, DriftReport, DriftSample
from epkit.core.shortening import cut
from epkit.core.train.cells import canonical, encode_series, missing
from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

LEVEL: Final = 0.02
"""Probability of any finding if nothing drifted: so low that rarely more than 5 of 100 searches find something."""

MOST_VALUES: Final = 40
"""Values of a category that are compared one by one; the rarer ones are compared as one."""

FEWEST: Final = 5
"""A value that is compared by itself occurs in at least this number of rows, both sides together."""

SHOWN: Final = 3
"""Values that a remark lists."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sides:
    """The rows of both sides, counted in the same ranges. No range is empty on both sides."""

    column: ReferenceColumn
    ranges: tuple[str, ...]
    old: np.ndarray
    new: np.ndarray


def drift(
    old: Reference,
    new: "pl.DataFrame",
    *,
    name: str = "the new table",
    seed: int = 0,
    tell_apart: TellApart | None = None,
) -> DriftReport:
    """Compare new rows with old ones.

    Args:
        new: at least one row.
        name: of the new table, in messages.
        seed: seed of random draws; the same arguments give the same report.
        tell_apart: a classifier; it is used only if the rows of both sides are available.

    Raises:
        UsageError: the two sides have no column in common.
    """
    if not 0 < new.height <= MOST_ROWS:
        raise UsageError(f"{name}: {new.height:,} rows, which cannot be compared")
    schema, remarks = list(_named(old, new, name)), list(old.remarks)
    compared = [
        sides
        for column in old.columns
        if column.name in new.columns and (sides := _compare(column, new, name, schema, remarks)) is not None
    ]
    if not compared and not schema:
        raise UsageError(f"{name} has no column that could be compared with {old.name}")
    label = None
    if old.label is not None and old.label.name in new.columns:
        label = _compare(old.label, new, name, schema, remarks)
    material = None if tell_apart is None else both(old, new, [sides.column for sides in compared], name, seed)
    tests = len(compared) + (label is not None) + (material is not None)
    level = LEVEL / max(1, tests)
    columns = sorted((_judged(sides, level, seed) for sides in compared), key=_worst_first)
    judged_label = None if label is None else _judged(label, level, seed)
    classifier = None
    if material is not None and tell_apart is not None:
        classifier = classify(material, tell_apart, level, seed)
    found = any(one.found for one in (*columns, judged_label, classifier) if one is not None)
    return DriftReport(
        old=DriftSample(name=old.name, kind="card" if old.frame is None else "table", rows=old.rows),
        new=DriftSample(name=name, kind="table", rows=new.height),
        seed=seed,
        level=LEVEL,
        tests=tests,
        found=found,
        columns=tuple(columns),
        label=judged_label,
        classifier=classifier,
        schema=tuple(schema),
        remarks=tuple(remarks),
    )


def _named(old: Reference, new: "pl.DataFrame", name: str) -> Iterator[str]:
    """Yield a sentence for each column that is missing or new."""
    for column in dict.fromkeys(column.name for column in old.columns):
        if column not in new.columns:
            yield f'column "{column}" is not in {name}'
    for column in new.columns:
        if column not in old.known:
            yield f'column "{column}" is new in {name}'


def _compare(
    column: ReferenceColumn, new: "pl.DataFrame", name: str, schema: list[str], remarks: list[str]
) -> _Sides | None:
    """Count the rows of both sides; None if the new values have another type, or all of them are missing."""
    try:
        series = canonical(new.get_column(column.name), name)
        if column.edges is not None:
            return _numbers(column, series, name, schema)
    except UsageError as error:
        schema.append(str(error))
        return None
    gone = missing(series)
    known = series.filter(~gone)
    if column.label and not len(known):
        return None
    return _categories(column, known, int(gone.sum()), schema, remarks)


def _numbers(column: ReferenceColumn, series: "pl.Series", name: str, schema: list[str]) -> _Sides | None:
    """Count the rows in each range.

    Raises:
        UsageError: a value is not a number.
    """
    assert column.edges is not None
    gone = missing(series)
    card = column.card if column.part is None else {**column.card, "parts": [column.part]}
    values = encode_series(card, series, name)[:, 0]
    lacking = np.isnan(values)
    if column.part is not None and (wrong := lacking & ~gone).any():
        example = cut(str(series[int(wrong.argmax())]), 40)
        said = f'column "{column.name}": {int(wrong.sum()):,} of {len(series):,} values are no dates, as "{example}"'
        if said not in schema:  # each part of the date would repeat it
            schema.append(said)
        return None
    new = np.bincount(column.edges.searchsorted(values[~lacking]), minlength=len(column.edges) + 1)
    absent = 0 if column.label else int(lacking.sum())
    return _sides(
        column,
        [*range_words(column.edges), "missing"],
        np.append(column.counts, 0 if column.label else column.missing),
        np.append(new, absent),
    )


def _categories(
    column: ReferenceColumn, known: "pl.Series", absent: int, schema: list[str], remarks: list[str]
) -> _Sides | None:
    """Count the rows with each value.

    Which values are merged depends on the counts of both sides together, never on one side alone. Otherwise a value
    that was chosen because the old side has many of it would look rarer on the new side without any drift.
    """
    found = counts_of(column, known)
    listed = dict(zip(column.values, column.counts.tolist(), strict=True))
    # The order depends only on the rows: ranges are dealt, and named, in this order.
    unseen = sorted((value for value in found if value not in listed), key=lambda text: (-found[text], text))
    if unseen and not column.label and len(unseen) == len(found) and not _texts(known) and listed:
        schema.append(f'column "{column.name}" held texts, and holds other values now, as {_quoted(unseen[:1])}')
        return None
    if unseen and not column.other:
        rows, all_rows = sum(found[value] for value in unseen), len(known) + absent
        remarks.append(
            f'column "{column.name}": {rows:,} of {all_rows:,} rows ({100 * rows / all_rows:.2g} %) with '
            f"values that the reference does not have: {_quoted(unseen)}"
        )
    if column.other:  # it is not known which of the new values they were
        pooled = {value: (rows, found.get(value, 0)) for value, rows in listed.items()}
        others = (column.other, sum(found[value] for value in unseen))
    else:
        pooled = {value: (listed.get(value, 0), found.get(value, 0)) for value in [*listed, *unseen]}
        others = (0, 0)
    ordered = sorted(pooled, key=lambda value: (-sum(pooled[value]), value))
    kept = [value for value in ordered[:MOST_VALUES] if sum(pooled[value]) >= FEWEST]
    rest = [pooled[value] for value in ordered if value not in set(kept)]
    old, new = (sum(one[side] for one in [*rest, others]) for side in (0, 1))
    return _sides(
        column,
        [*kept, "others", "missing"],
        np.array([*(pooled[value][0] for value in kept), old, 0 if column.label else column.missing]),
        np.array([*(pooled[value][1] for value in kept), new, 0 if column.label else absent]),
    )


def _texts(series: "pl.Series") -> bool:
    import polars as pl  # late: it costs 0.2 s

    return series.dtype == pl.String


def _quoted(values: Sequence[str]) -> str:
    shown = ", ".join(f'"{cut(value, 40)}"' for value in values[:SHOWN])
    return shown if len(values) <= SHOWN else f"{shown} and {len(values) - SHOWN:,} more"


def _sides(column: ReferenceColumn, ranges: Sequence[str], old: np.ndarray, new: np.ndarray) -> _Sides | None:
    """Leave out ranges that are empty on both sides."""
    held = old + new > 0
    if not old.sum() or not new.sum():
        return None
    words = tuple(text for text, has in zip(ranges, held, strict=True) if has)
    return _Sides(column=column, ranges=words, old=old[held].astype(np.int64), new=new[held].astype(np.int64))


def _judged(sides: _Sides, level: float, seed: int) -> ColumnDrift:
    """Compare the index of a column with its threshold. What is drawn depends only on the seed and the column."""
    column = sides.column
    index = float(psi(sides.old, sides.new))
    key = hashlib.blake2b(f"{column.part}/{column.name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    rng = np.random.default_rng([seed, int.from_bytes(key, "little")])
    limit = threshold(sides.old, sides.new, level, rng) if len(sides.ranges) > 1 else 0.0
    return ColumnDrift(
        column=column.name,
        part=column.part,
        kind=str(column.card["kind"]),
        psi=index,
        threshold=limit,
        found=index > limit,
        ranges=sides.ranges,
        old=tuple(sides.old.tolist()),
        new=tuple(sides.new.tolist()),
    )


def _worst_first(one: ColumnDrift) -> tuple[bool, float, str, str]:
    return not one.found, -(one.psi / one.threshold if one.threshold else one.psi), one.column, one.part or ""
