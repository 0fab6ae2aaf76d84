"""Tables from files (CSV, Parquet, JSON lines), read in pieces, held against a contract."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from epkit.core.contract.columns import RowSpec
from epkit.core.shortening import cut
from epkit.core.validate import bodies
from epkit.core.validate.frames import check_frame, read_text
from epkit.core.validate.validation import LIMIT, Validator
from epkit.core.validate.violations import Finding, Findings, Places, Verdict, verdict
from epkit.errors import UsageError
from epkit.files import parquet
from epkit.files.csv_tables import CsvTable, csv_type
from epkit.files.lines import bounded_lines

if TYPE_CHECKING:
    import polars as pl

SUFFIXES: Final = (".csv", ".parquet", ".jsonl")
PIECE_BYTES: Final = 32 << 20
"""Of a Parquet file, read at once: unpacked they may be ten times as many."""

PIECE_ROWS: Final = 500_000
LINES_AT_ONCE: Final = 10_000


def check_table(
    path: Path,
    validator: Validator,
    *,
    limit: int = LIMIT,
    name: str | None = None,
    kind: str | None = None,
    table: CsvTable | None = None,
) -> Verdict:
    """Check the rows of a table.

    Args:
        path: ends in one of `SUFFIXES`, unless there is a *kind*.
        name: what messages call the file.
        kind: one of `SUFFIXES`.
        table: of a CSV file whose header has been read already.
        validator: of a contract that has rows.
        limit: how many violations to tell.

    Raises:
        UsageError: the file cannot be read as what its name says, or the contract has no rows.
    """
    spec, name = validator.rows, name or str(path)
    if spec is None:
        raise UsageError(f"{name}: the contract has no rows that a table could be held against; send a whole body")
    findings = Findings()
    places: Places | None = None
    try:
        match kind or path.suffix.lower():
            case ".csv":
                rows, places = _check_csv(table or CsvTable(path, name=name), spec, validator, findings)
            case ".parquet":
                rows = _check_parquet(path, name, spec, validator, findings)
            case _:
                rows, places = _check_lines(path, name, validator, findings)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not rows and not findings:
        findings.add("minItems", spec.path, "there are no rows")
    return verdict(findings, limit=limit, places=places)


def _check_pieces(
    pieces: "Iterable[pl.DataFrame]", spec: RowSpec, validator: Validator, findings: Findings, *, text: bool
) -> int:
    """Check frame after frame; return how many rows there were."""
    first = 0
    for frame in pieces:
        if validator.as_declared:
            _check_declared(_retyped(frame, spec) if text else frame, first, spec, validator, findings)
        else:
            check_frame(frame, first, spec, findings, validator.schemas, text=text)
        first += frame.height
    return first


def _check_declared(frame: "pl.DataFrame", first: int, spec: RowSpec, validator: Validator, findings: Findings) -> None:
    """Hold the rows of a frame against their schema to the letter."""
    rows: list[Any] = orjson.loads(orjson.dumps(frame.to_dicts(), default=str))
    if spec.shape == "matrix":
        rows = [list(row.values()) for row in rows]
    validator.check_some(rows, list(range(first, first + len(rows))), findings)


def _check_parquet(path: Path, name: str, spec: RowSpec, validator: Validator, findings: Findings) -> int:
    import polars as pl  # late: it costs 0.2 s

    try:
        lazy = parquet.scan(path)
        total = lazy.select(pl.len()).collect().item()
        # Fat rows few at a time; thin ones many, since each piece looks through the whole of its row group.
        rows = max(1, min(PIECE_ROWS, total * PIECE_BYTES // parquet.size_of(path)))
        pieces = (lazy.slice(start, rows).collect() for start in range(0, total, rows))
        return _check_pieces(pieces, spec, validator, findings, text=False)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{name}: not a Parquet file: {cut(str(error).splitlines()[0], 120)}") from None


def _check_csv(table: CsvTable, spec: RowSpec, validator: Validator, findings: Findings) -> tuple[int, Places]:
    frames = (block.frame for block in table.blocks({name: csv_type(spec, name) for name in table.names}))
    rows = _check_pieces(frames, spec, validator, findings, text=True)
    return rows, _CsvPlaces(table.path, table.names, table.comma)


def _retyped(frame: "pl.DataFrame", spec: RowSpec) -> "pl.DataFrame":
    """Give each text in a frame the type of its column where it can be read so."""
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
    """Line and column of a cell, where no row spans several lines."""

    def __init__(self, path: Path, names: list[str], comma: str) -> None:
        self._path, self._names, self._comma = path, names, comma

    def __call__(self, finding: Finding) -> tuple[int | None, int | None]:
        """Read the file as far as the row."""
        if not finding.rows or finding.rule in ("additionalProperties", "required"):
            return 1, 1
        with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            next(file, "")
            for line, text in enumerate(file, start=2):
                if '"' in text and text.count('"') % 2:
                    return None, None
                if line == finding.rows[0] + 2:
                    return line, self._column(text, finding.path[-1])
        return None, None

    def _column(self, text: str, key: str | int) -> int | None:
        position = self._names.index(key) if isinstance(key, str) and key in self._names else key
        if not isinstance(position, int):
            return None
        offset = 0
        for _ in range(position):
            if text[offset : offset + 1] == '"':
                offset = text.find('"' + self._comma, offset + 1) + 1
            offset = text.find(self._comma, offset) + 1
            if offset == 0:
                return None
        return offset + 1


def _is_whole_body(value: object, spec: RowSpec) -> bool:
    if not isinstance(value, dict) or not spec.path:
        return False
    return spec.path[0] in value and not value.keys() & spec.columns.keys()


def _check_lines(path: Path, name: str, validator: Validator, findings: Findings) -> tuple[int, Places]:
    """Check a file with one row a line; empty lines are no rows.

    Returns:
        How many rows there are, and their lines, with the column where the first that is not JSON goes wrong.
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
                rows.append(body.value)
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
