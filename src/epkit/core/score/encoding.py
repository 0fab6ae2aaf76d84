"""Encodes rows of tables for a request body, one chunk at a time; every cell keeps its value, or the row is refused.

polars writes a frame as JSON lines in one call, which is the main cost of a row. If it would change a cell (NaN and the
infinities become null), or the type of a cell is not that of its column, Python writes the rows one by one.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from epkit.core.contract.columns import Column, RowSpec
from epkit.core.json.writing import dumps_row
from epkit.core.validate.frames import plain, read_text

if TYPE_CHECKING:
    import polars as pl


def encode_frame(frame: "pl.DataFrame", spec: RowSpec | None, *, text: bool, lists: bool) -> list[bytes]:
    """Encode each row of a frame.

    Args:
        spec: rows of the contract, None without a contract.
        text: whether text columns come from a CSV file; then the contract decides their types.
        lists: write lists of cells; otherwise write objects.
    """
    import polars as pl

    columns: list[pl.Series] = []
    values: dict[str, list[Any]] = {}
    for place, series in enumerate(frame.get_columns()):
        column = None if spec is None else spec.at(place, series.name)
        typed = plain(series)
        if text and column is not None:
            typed = _typed(typed, column)
        if (text and column is not None and _is_mixed(typed, column)) or (
            typed.dtype.is_float() and not typed.is_finite().all()
        ):
            cells = typed.to_list()
            if text and column is not None and typed.dtype == pl.String:
                cells = [None if cell is None else read_text(cell, column) for cell in cells]
            values[series.name] = cells
        columns.append(typed)
    if not values and not lists:
        lines = io.BytesIO()
        pl.DataFrame(columns).write_ndjson(lines)
        return lines.getvalue().split(b"\n")[:-1] if frame.height else []
    if columns and not values and all(_is_plain(series.dtype) for series in columns):
        return _lists(columns)
    cells_by_column = [values.get(series.name) or series.to_list() for series in columns]
    rows = zip(*cells_by_column, strict=True)
    if lists:
        return [dumps_row(list(row)) for row in rows]
    names = frame.columns
    return [dumps_row(dict(zip(names, row, strict=True))) for row in rows]


_ESCAPED: Final = r'["\\\x00-\x1f]'
"""Characters that JSON escapes inside a text."""


def _is_plain(dtype: "pl.DataType") -> bool:
    """Tell whether polars writes values of this type as JSON does."""
    import polars as pl

    return dtype.is_integer() or dtype.is_float() or dtype in (pl.String, pl.Boolean)


def _lists(columns: "Sequence[pl.Series]") -> list[bytes]:
    """Write rows as lists: polars joins their cells in one call.

    Args:
        columns: plain, with finite values.
    """
    import polars as pl

    parts: list[Any] = [pl.lit("[")]
    for place, series in enumerate(columns):
        cell = pl.col(series.name)
        if series.dtype != pl.String:
            written = cell.cast(pl.String)
        elif series.str.contains(_ESCAPED).any():
            written = pl.struct(cell.alias("x")).struct.json_encode().str.strip_prefix('{"x":').str.strip_suffix("}")
        else:
            written = pl.concat_str(pl.lit('"'), cell, pl.lit('"'))
        parts += [pl.lit(","), written.fill_null("null")] if place else [written.fill_null("null")]
    frame = pl.DataFrame(columns)
    rows: list[bytes] = frame.select(pl.concat_str(*parts, pl.lit("]")).cast(pl.Binary)).to_series().to_list()
    return rows


def as_list(row: Any, names: Sequence[str]) -> Any:
    """Return the cells of an object in the order of *names*; return any other row as it is."""
    return [row.get(name) for name in names] if isinstance(row, dict) else row


def as_object(row: Any, names: Sequence[str]) -> Any:
    """Return a list as an object; cells beyond the names are named by their place."""
    if isinstance(row, dict):
        return row
    cells = row if isinstance(row, list) else [row]
    return {names[place] if place < len(names) else str(place): cell for place, cell in enumerate(cells)}


def _typed(series: "pl.Series", column: Column) -> "pl.Series":
    """Convert a text column to its type, if this works for every cell."""
    import polars as pl

    if series.dtype != pl.String or column.kind not in ("integer", "boolean"):
        return series
    if column.kind == "boolean":
        lower = series.str.strip_chars().str.to_lowercase()
        if lower.is_in(["true", "false", "1", "0"]).all():
            return lower.is_in(["true", "1"])
        return series
    for dtype in (pl.Int64, pl.UInt64):
        cast = series.cast(dtype, strict=False)
        if cast.null_count() == series.null_count():
            return cast
    return series


def _is_mixed(series: "pl.Series", column: Column) -> bool:
    """Tell whether text cells are mixed with other types in the contract, so that each cell must be converted alone."""
    import polars as pl

    return series.dtype == pl.String and column.kind != "string" and series.null_count() < len(series)
