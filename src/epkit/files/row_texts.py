"""The rows of a table (CSV, Parquet), each as it stands in a request body."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.core.frames import plain, read_text
from epkit.core.rows import Column, Rows
from epkit.errors import UsageError
from epkit.files.csv_tables import CsvTable, csv_type
from epkit.files.tables import PIECE_ROWS

if TYPE_CHECKING:
    import polars as pl


def names_of(path: Path) -> tuple[str, ...]:
    """Return the columns of a table.

    Raises:
        UsageError: the file cannot be read as what its name says.
    """
    import polars as pl  # late: it costs 0.2 s

    try:
        if path.suffix.lower() == ".csv":
            return tuple(CsvTable(path).names)
        return tuple(pl.scan_parquet(path).collect_schema().names())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path}: not a Parquet file: {str(error).splitlines()[0][:120]}") from None


def row_texts(path: Path, spec: Rows | None, *, lists: bool) -> Iterator[bytes]:
    """Read a table row by row.

    Args:
        path: ends in `.csv` or `.parquet`.
        spec: the rows of the contract, which tells the types of a CSV; without one a column has the type that every
            cell of it has.
        lists: whether a row is a list of its cells, not an object.

    Raises:
        UsageError: the file cannot be read as what its name says.
    """
    for frame in _frames(path, spec):
        yield from _encode(frame, spec, lists=lists)


def _frames(path: Path, spec: Rows | None) -> "Iterator[pl.DataFrame]":
    import polars as pl

    names_of(path)  # says what is wrong with a file that cannot be read
    if path.suffix.lower() == ".csv":
        table = CsvTable(path)
        types = table.inferred() if spec is None else {name: csv_type(spec, name) for name in table.names}
        for block in table.blocks(types):
            yield block.frame
        return
    try:
        lazy = pl.scan_parquet(path)
        for start in range(0, lazy.select(pl.len()).collect().item(), PIECE_ROWS):
            yield lazy.slice(start, PIECE_ROWS).collect()
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path}: not a Parquet file: {str(error).splitlines()[0][:120]}") from None


def _encode(frame: "pl.DataFrame", spec: Rows | None, *, lists: bool) -> list[bytes]:
    import polars as pl

    frame = pl.DataFrame([plain(series) for series in frame.get_columns()])
    odd = {name: column for name, column in _columns(frame, spec) if column.kind != "string"}
    if not odd and not lists:
        return frame.write_ndjson().encode().splitlines()
    texts = []
    for row in frame.iter_rows(named=True):
        for name, column in odd.items():
            if row[name] is not None:
                row[name] = read_text(row[name], column)
        value = list(row.values()) if lists else row
        texts.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    return texts


def _columns(frame: "pl.DataFrame", spec: Rows | None) -> Iterator[tuple[str, Column]]:
    """Give the columns that are still text, and what the contract says of them."""
    import polars as pl

    for name in frame.columns if spec is not None else ():
        assert spec is not None
        column = spec.cell if spec.shape == "matrix" else spec.columns.get(name)
        if column is not None and frame.get_column(name).dtype == pl.String:
            yield name, column
