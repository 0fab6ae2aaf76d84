"""Checks rows against their contract column by column, and reads each cell as the inference server does."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

from epkit.core.contract.columns import Column, RowSpec
from epkit.core.contract.compiled import SchemaSet, accepts, breaches
from epkit.core.contract.shown import show
from epkit.core.shortening import cut
from epkit.core.validate.cells import LITERALS, Remark, bounds, coerced, exact, judged
from epkit.core.validate.values import walk
from epkit.core.validate.violations import Findings, Path, Place, did_you_mean

_MAX_UNKNOWN: Final = 1_000
"""Greatest number of unknown columns that are named."""

_PYTHON: Final = {"integer": int, "string": str, "boolean": bool, "number": float}


def check_rows(
    rows: list[Any],
    spec: RowSpec,
    base: Path,
    findings: Findings,
    schemas: SchemaSet,
    *,
    numbers: list[int] | None = None,
) -> None:
    """Check a list of rows.

    Args:
        rows: decoded JSON, at least one.
        base: path of the list in the body.
        numbers: numbers of the rows, ascending; from 0 by default.
    """
    wanted = dict if spec.shape == "records" else list
    good = list(range(len(rows))) if numbers is None else numbers
    if set(map(type, rows)) != {wanted}:
        bad = [index for index, row in enumerate(rows) if type(row) is not wanted]
        name = "an object" if wanted is dict else "an array"
        hint = _row_hint(rows[bad[0]], spec)
        findings.add("type", (*base, bad[0]), f"{show(rows[bad[0]])} is not {name}", hint=hint, rows=bad, place=base)
        good = [index for index, row in enumerate(rows) if type(row) is wanted]
        rows = [rows[index] for index in good]
    if not rows:
        return
    if spec.shape == "records":
        _check_records(rows, good, spec, base, findings, schemas)
    else:
        _check_matrix(rows, good, spec, base, findings, schemas)
    if (residual := schemas.residual(spec.schema)) is not None:
        _check_residual(rows, good, lambda index: (*base, index), residual, findings, base)


def _check_records(
    rows: list[Any], numbers: list[int], spec: RowSpec, base: Path, findings: Findings, schemas: SchemaSet
) -> None:
    shapes: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        shapes.setdefault(tuple(row), []).append(index)
    lacking: dict[str, list[int]] = {}
    unknown: dict[str, list[int]] = {}
    overfull: set[int] = set()
    for names, indices in shapes.items():
        present = frozenset(names)
        for name in spec.required:
            if name not in present:
                lacking.setdefault(name, []).extend(indices)
        for name in names:
            if name in spec.columns:
                continue
            if len(unknown) < _MAX_UNKNOWN or name in unknown:
                unknown.setdefault(name, []).extend(indices)
            else:
                overfull.update(indices)
    if overfull:
        rows_named = sorted(numbers[index] for index in overfull)
        text = f"unknown columns, more than {_MAX_UNKNOWN:,} of them"
        findings.add("additionalProperties", (*base, rows_named[0]), text, rows=rows_named, place=base)
    check_names(_numbered(lacking, numbers), _numbered(unknown, numbers), spec, base, findings)
    if not spec.closed:
        _check_unknown(rows, unknown, numbers, base, findings)
    whole = [name for name in spec.columns if all(name in names for names in shapes)] if len(shapes) < 50 else []
    taken = dict(zip(whole, _columns(rows, whole), strict=True))
    for name, column in spec.columns.items():
        if name in taken:
            check_column(taken[name], numbers, column, partial(cell_path, base, name), findings, schemas)
        elif having := [index for index, row in enumerate(rows) if name in row]:
            values = [rows[index][name] for index in having]
            present_in = [numbers[index] for index in having]
            check_column(values, present_in, column, partial(cell_path, base, name), findings, schemas)


def _check_unknown(
    rows: list[Any], unknown: Mapping[str, list[int]], numbers: list[int], base: Path, findings: Findings
) -> None:
    """Find numbers that no column may have, in columns that the contract does not name."""
    for name, indices in unknown.items():
        for index in indices:
            remark = coerced(rows[index][name], "string", None)
            if remark is not None and remark.rule == "format":
                path = (*base, numbers[index], name)
                findings.add(remark.rule, path, remark.text, rows=[numbers[index]], place=("column", *base, -1, name))


def _columns(rows: list[Any], names: list[str]) -> list[Sequence[Any]]:
    """Transpose rows; each row has all *names*."""
    if not names:
        return []
    if len(names) == 1:
        return [[row[names[0]] for row in rows]]
    return list(zip(*map(itemgetter(*names), rows), strict=True))


def _numbered(found: Mapping[str, list[int]], numbers: list[int]) -> dict[str, list[int]]:
    return {name: sorted(numbers[index] for index in indices) for name, indices in found.items()}


def check_names(
    lacking: Mapping[str, Sequence[int]],
    unknown: Mapping[str, Sequence[int]],
    spec: RowSpec,
    base: Path,
    findings: Findings,
) -> None:
    """Report missing columns, and columns that the contract does not name.

    Args:
        lacking, unknown: the numbers of the rows for each column, ascending.
    """
    for name, rows in lacking.items():
        hint = did_you_mean(name, unknown, there=True)
        text = f'column "{name}" is missing'
        findings.add("required", (*base, rows[0]), text, hint=hint, rows=rows, place=(*base, name))
    for name, rows in unknown.items():
        findings.add(
            "additionalProperties",
            (*base, rows[0], name),
            f'unknown column "{cut(name, 60)}"',
            hint=did_you_mean(name, lacking or spec.columns),
            severity="error" if spec.closed else "warning",
            rows=rows,
            place=(*base, name),
            at_key=True,
        )


def check_column(
    values: Sequence[Any],
    numbers: Sequence[int],
    column: Column,
    path: Callable[[int], Path],
    findings: Findings,
    schemas: SchemaSet,
) -> None:
    """Check the cells of one column.

    Args:
        values: the cells.
        numbers: the row number of each.
        path: returns the path of the cell in a row.
    """
    place = ("column", *path(-1))
    if column.kind is None:
        for value, number in zip(values, numbers, strict=True):
            walk(value, column.schema, path(number), findings, schemas, row=number, place=place)
        return
    types = set(map(type, values))
    plain = types == {_PYTHON[column.kind]}
    plain |= column.kind == "number" and column.reader != "frame" and types <= {int, float}
    if not (plain and _arrive_whole(values, column)):
        _judge(values, numbers, column, path, place, findings)
    if (residual := schemas.residual(column.schema)) is not None:
        kept = [(v, n) for v, n in zip(values, numbers, strict=True) if exact(v, column.kind, None) is None]
        _check_residual([v for v, _ in kept], [n for _, n in kept], path, residual, findings, place)


def _arrive_whole(values: Sequence[Any], column: Column) -> bool:
    """Tell whether all cells arrive unchanged; they have the right type."""
    if column.kind == "integer":
        low, high = bounds(column.format)
        return bool(low <= min(values) and max(values) <= high)
    if column.kind == "number":
        whole = (value for value in values if type(value) is int) if column.reader != "frame" else ()
        return all(LITERALS[0] <= value <= LITERALS[1] for value in whole) and all(map(math.isfinite, values))
    if column.kind == "string" and column.format is not None:
        return all(judged(value, column) is None for value in set(values))
    return True


def _judge(
    values: Sequence[Any],
    numbers: Sequence[int],
    column: Column,
    path: Callable[[int], Path],
    place: Place,
    findings: Findings,
) -> None:
    """Judge each cell, and report each kind of remark once."""
    by_rule: dict[tuple[str, str], tuple[Remark, list[int]]] = {}
    for value, number in zip(values, numbers, strict=True):
        remark = judged(value, column)
        if remark is not None:
            by_rule.setdefault((remark.severity, remark.rule), (remark, []))[1].append(number)
    for remark, rows in by_rule.values():
        findings.add(remark.rule, path(rows[0]), remark.text, severity=remark.severity, rows=rows, place=place)


def _check_residual(
    values: Sequence[Any],
    numbers: Sequence[int],
    path: Callable[[int], Path],
    residual: Any,
    findings: Findings,
    place: Place,
) -> None:
    """Check values against the keywords that the contract declares and the server ignores."""
    for value, number in zip(values, numbers, strict=True):
        if not accepts(residual, value):
            for breach in breaches(residual, value):
                findings.add(breach.keyword, (*path(number), *breach.path), breach.message, rows=[number], place=place)


def _check_matrix(
    rows: list[Any], numbers: list[int], spec: RowSpec, base: Path, findings: Findings, schemas: SchemaSet
) -> None:
    widths = [len(row) for row in rows]
    wanted = spec.width if spec.width is not None else widths[0]
    if set(widths) != {wanted}:
        odd = [index for index, width in enumerate(widths) if width != wanted]
        source = "the contract's example has" if spec.width is not None else "the first row has"
        findings.add(
            "shape",
            (*base, numbers[odd[0]]),
            f"{widths[odd[0]]} cells in a row where {source} {wanted}",
            severity="error" if spec.enforced or spec.width is None else "warning",
            rows=[numbers[index] for index in odd],
            place=base,
        )
        if spec.width is not None:  # nothing else in those rows matters
            numbers = [n for n, width in zip(numbers, widths, strict=True) if width == wanted]
            rows = [row for row in rows if len(row) == wanted]
            widths = [wanted] * len(rows)
    assert spec.cell is not None
    if len(set(widths)) == 1:
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True))
        for position, values in enumerate(columns):
            cell = spec.at(position, "") or spec.cell
            check_column(values, numbers, cell, partial(cell_path, base, position), findings, schemas)
        return
    for row, number in zip(rows, numbers, strict=True):
        for position, value in enumerate(row):
            cell = spec.at(position, "") or spec.cell
            check_column([value], [number], cell, partial(cell_path, base, position), findings, schemas)


def cell_path(base: Path, key: str | int, number: int) -> Path:
    """Return the path of a cell; the number of the row is the last argument."""
    return (*base, number, key)


def _row_hint(row: object, spec: RowSpec) -> str | None:
    if spec.shape == "records" and isinstance(row, list):
        return 'a row is an object with the column names as keys: {"column": value, …}'
    if spec.shape == "matrix" and isinstance(row, dict):
        return "a row is an array of values without names: [value, …]"
    if spec.shape == "matrix" and not isinstance(row, list):
        return "the rows are arrays inside an array: [[value, …], …]"
    return None
