"""Tables from files (CSV, Parquet, JSON lines), read in pieces and checked against a contract."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from epkit.core.contract.columns import RowSpec
from epkit.core.shortening import cut
from epkit.core.validate import bodies
from epkit.core.validate.frames import check_frame, read_text
from epkit.core.validate.validation import LIMIT, Validator
from epkit.core.validate.violations import Finding, Findings, Hint, Places, Verdict, verdict
from epkit.errors import UsageError
from epkit.files import parquet
from epkit.files.csv_tables import CsvTable
from epkit.files.dialects import DEFAULT, TableOptions, offer
from epkit.files.lines import bounded_lines
from epkit.files.rough_rows import Fault

if TYPE_CHECKING:
    import polars as pl

SUFFIXES: Final = (".csv", ".parquet", ".jsonl")
NAMED: Final = (*SUFFIXES, ".tsv", ".tab", ".txt")
"""Suffixes of tables, optionally followed by `.gz`; a `.txt` may also be a body."""

PIECE_BYTES: Final = 32 << 20
"""Bytes of a Parquet file that are read at once; unpacked, they may be ten times as many."""

PIECE_ROWS: Final = 500_000
LINES_AT_ONCE: Final = 10_000
MOST_STRETCHES: Final = 100
"""Greatest number of stretches between faulty rows of a block. Further rows are not checked, because every stretch
costs as much as a short table."""


def may_be_table(file: str) -> bool:
    """Tell by the name of a file whether it may be a table, or a directory of parts of a table."""
    return file.lower().removesuffix(".gz").endswith(NAMED)


def check_table(
    path: Path,
    validator: Validator,
    *,
    limit: int = LIMIT,
    name: str | None = None,
    kind: str | None = None,
    table: CsvTable | None = None,
    options: TableOptions = DEFAULT,
    note: Callable[[str], object] = str,
) -> Verdict:
    """Check the rows of a table.

    Args:
        path: its name ends with one of `SUFFIXES`, unless *kind* is given.
        name: name of the file in messages.
        kind: one of `SUFFIXES`.
        table: a CSV file whose header has been read already.
        options: the user's options for the table; columns that are not sent are not checked.
        note: called with notes for the user about how the table is read.
        validator: validator of a contract that has rows.
        limit: greatest number of violations to report.

    Raises:
        UsageError: the file cannot be read in the format of its name, or the contract has no rows.
    """
    spec, name = validator.rows, name or str(path)
    if spec is None:
        raise UsageError(f"{name}: the contract has no rows that a table could be held against; send a whole body")
    findings = Findings()
    places: Places | None = None
    try:
        match kind or path.suffix.lower():
            case ".csv":
                table = table or CsvTable(path, name=name, spec=spec, options=options)
                options.check(table.names, name)
                for remark in table.remarks:
                    note(remark)
                rows, places = _check_csv(table, spec, validator, findings)
            case ".parquet":
                rows = _check_parquet(path, name, spec, validator, findings, options)
            case _:
                rows, places = _check_lines(path, name, validator, findings, options)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not rows and not findings:
        findings.add("minItems", spec.path, "there are no rows")
    offer_columns(findings, validator)
    return verdict(findings, limit=limit, places=places)


def offer_columns(findings: Findings, validator: Validator) -> None:
    """Add advice about columns that the contract does not name."""
    assert validator.rows is not None
    depth = len(validator.rows.path) + 2
    for finding in findings.in_order():
        if finding.rule == "additionalProperties" and len(finding.path) == depth:
            finding.hint = partial(_offered, finding.hint, str(finding.path[-1]))


def _offered(hint: Hint, name: str) -> str:
    known = hint() if callable(hint) else hint
    return f"{known} Else {offer(name)}" if known else offer(name)


def without(row: Any, columns: Collection[str], names: Sequence[str] = ()) -> Any:
    """Remove columns from a decoded row.

    Args:
        names: names of the cells of a row that is a list; further cells are named by their place.
    """
    if isinstance(row, dict):
        return {name: cell for name, cell in row.items() if name not in columns}
    if isinstance(row, list):
        named = [*names, *map(str, range(len(names), len(row)))]
        return [cell for name, cell in zip(named, row, strict=False) if name not in columns]
    return row


def _check_declared(frame: "pl.DataFrame", first: int, spec: RowSpec, validator: Validator, findings: Findings) -> None:
    """Check the rows of a frame strictly against their schema."""
    rows: list[Any] = orjson.loads(orjson.dumps(frame.to_dicts(), default=str))
    if spec.shape == "matrix":
        rows = [list(row.values()) for row in rows]
    validator.check_some(rows, list(range(first, first + len(rows))), findings)


def _check_parquet(
    path: Path, name: str, spec: RowSpec, validator: Validator, findings: Findings, options: TableOptions
) -> int:
    import polars as pl  # late: it costs 0.2 s

    try:
        lazy = parquet.scan(path)
        total = lazy.select(pl.len()).collect().item()
        # Few rows at a time if they are large; many if they are small, since each piece reads its whole row group.
        rows = max(1, min(PIECE_ROWS, total * PIECE_BYTES // parquet.size_of(path)))
        names = lazy.collect_schema().names()
        options.check(names, name)
        sent = [column for column in names if column not in options.left_out]
        for first in range(0, total, rows):
            frame = lazy.slice(first, rows).select(sent).collect()
            if validator.as_declared:
                _check_declared(frame, first, spec, validator, findings)
            else:
                check_frame(frame, first, spec, findings, validator.schemas, text=False)
        return int(total)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{name}: not a Parquet file: {cut(str(error).splitlines()[0], 120)}") from None


def _check_csv(table: CsvTable, spec: RowSpec, validator: Validator, findings: Findings) -> tuple[int, Places]:
    sent = [name for name in table.names if name not in table.options.left_out]
    types = table.typed(spec)
    first = 0
    for frame, _, faults, _ in table.blocks(types):
        _add_faults(faults, first, spec, findings)
        for start, stop in _between(sorted(faults), frame.height):
            part = frame.slice(start, stop - start).select(sent)
            if validator.as_declared:
                _check_declared(_retyped(part, spec), first + start, spec, validator, findings)
            else:
                check_frame(part, first + start, spec, findings, validator.schemas, text=True)
        first += frame.height
    return first, _CsvPlaces(table, sent)


def _add_faults(faults: Mapping[int, Fault], first: int, spec: RowSpec, findings: Findings) -> None:
    """Add the faults of rows that do not depend on the contract.

    Args:
        first: number of the row at place 0.
    """
    kinds: dict[tuple[str, str | None], list[int]] = {}
    for row, fault in sorted(faults.items()):
        kinds.setdefault((fault.rule, fault.column), []).append(row)
    for (rule, column), rows in kinds.items():
        path = (*spec.path, first + rows[0], *(() if column is None else (column,)))
        text = faults[rows[0]].text
        findings.add(rule, path, text, rows=[first + row for row in rows], place=("fault", rule, column))


def _between(faulty: Sequence[int], rows: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches between faulty rows; none if there are too many stretches to check each."""
    if len(faulty) > MOST_STRETCHES:
        return
    start = 0
    for row in (*faulty, rows):
        if row > start:
            yield start, row
        start = row + 1


def _retyped(frame: "pl.DataFrame", spec: RowSpec) -> "pl.DataFrame":
    """Convert each text in a frame to the type of its column, if possible."""
    import polars as pl

    columns = []
    for name in frame.columns:
        column = spec.cell if spec.shape == "matrix" else spec.columns.get(name)
        series = frame.get_column(name)
        if column is not None and column.kind != "string" and series.dtype == pl.String:
            values = [None if text is None else read_text(text, column) for text in series.to_list()]
            series = pl.Series(name, values, dtype=pl.Object)
        columns.append(series)
    return pl.DataFrame(columns)


class _CsvPlaces:
    """Line and column of a cell; only the line, if the cell does not begin in the first line of its row."""

    def __init__(self, table: CsvTable, sent: Sequence[str]) -> None:
        self._table, self._sent = table, sent

    def __call__(self, finding: Finding) -> tuple[int | None, int | None]:
        """Read the file up to the row."""
        if not finding.rows or finding.rule in ("additionalProperties", "required"):
            return self._table.line, 1
        for line, text in self._table.lines_from(finding.rows[0]):
            return line, 1 if finding.rule == "cells" else self._column(text, finding.path[-1])
        return None, None

    def _column(self, text: str, key: str | int) -> int | None:
        cells, comma = self._table.cells, self._table.comma
        name = self._sent[key] if isinstance(key, int) and key < len(self._sent) else key
        if name not in cells:
            return None
        position = cells.index(str(name))
        offset = 0
        for _ in range(position):
            if text[offset : offset + 1] == '"':
                offset = text.find('"' + comma, offset + 1) + 1
            offset = text.find(comma, offset) + 1
            if offset == 0:
                return None
        return offset + 1


def _is_whole_body(value: object, spec: RowSpec) -> bool:
    if not isinstance(value, dict) or not spec.path:
        return False
    return spec.path[0] in value and not value.keys() & spec.columns.keys()


def _check_lines(
    path: Path, name: str, validator: Validator, findings: Findings, options: TableOptions
) -> tuple[int, Places]:
    """Check a file with one row per line; empty lines are not rows.

    Returns:
        The number of rows, and their lines, with the column of the first JSON error.
    """
    spec = validator.rows
    assert spec is not None
    rows: list[Any] = []
    numbers: list[int] = []
    lines: dict[int, int] = {}
    columns: dict[int, int] = {}
    row = 0
    with path.open("rb") as file:
        for number, line in bounded_lines(file, name):
            if not line.strip(b" \t\r\n\xef\xbb\xbf"):
                continue
            if row + 1 != number:
                lines[row] = number
            body = bodies.quickly(line.rstrip(b"\r\n"), findings)
            if body.fault is not None:
                columns = columns or {row: body.fault.column}
                findings.add(
                    "json", (*spec.path, row), body.fault.text, hint=body.fault.hint, rows=[row], place=("json",)
                )
            elif _is_whole_body(body.value, spec):
                text = "a whole body where the line should be one row of it"
                hint = "give a body as .json; of a table, a row a line"
                findings.add("type", (*spec.path, row), text, hint=hint, rows=[row], place=("body",))
            else:
                rows.append(without(body.value, options.left_out) if options.left_out else body.value)
                numbers.append(row)
            row += 1
            if len(rows) >= LINES_AT_ONCE:
                validator.check_some(rows, numbers, findings)
                rows, numbers = [], []
    if rows:
        validator.check_some(rows, numbers, findings)

    def place(finding: Finding) -> tuple[int | None, int | None]:
        if not finding.rows:
            return None, None
        first = finding.rows[0]
        return lines.get(first, first + 1), columns.get(first, 1) if finding.rule == "json" else 1

    return row, place
