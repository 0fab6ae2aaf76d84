"""Makes polars frames of rows with their predictions, and joins the parts of a Parquet file."""

import io
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from epkit.core.json.reading import loads_row
from epkit.core.json.writing import dumps
from epkit.core.replies.predictions import Layout
from epkit.core.score.pieces import Piece
from epkit.core.shortening import cut
from epkit.errors import unwritable
from epkit.files.writing import replacing

EXACT: Final = 2**53
"""Whole numbers up to this one are exact as floats."""

_SYSTEM: Final = re.compile(r"os error (\d{1,3})")
"""How polars shows an error of the operating system."""


def frame_of(piece: Piece, names: Sequence[str]) -> pl.DataFrame:
    """Return the rows of a piece as a frame with the columns *names*."""
    if piece.frames:
        return stacked(piece.frames)
    rows = [loads_row(row) for row in piece.as_objects(0, len(piece))]
    return pl.DataFrame([series_of(name, [row.get(name) for row in rows]) for name in names])


def from_foreign(frame: Any) -> pl.DataFrame:
    """Convert a frame of another library: pandas by its values (no other package is needed), others by interchange."""
    if not hasattr(frame, "isna"):
        return pl.DataFrame(pl.from_dataframe(frame))
    columns = []
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "if":
            # Numbers of numpy, in which NaN is the only missing value.
            columns.append(series_of_numbers(str(name), column.to_numpy()))
            continue
        # A missing value in a column of floats is a NaN like any other, and stays NaN.
        floats = str(column.dtype).startswith("float")
        cells = zip(column.tolist(), column.isna().tolist(), strict=True)
        values = [None if gone and not floats else _text_of_time(value) for value, gone in cells]
        columns.append(series_of(str(name), values))
    return pl.DataFrame(columns)


def series_of_numbers(name: str, values: np.ndarray) -> pl.Series:
    """Make a column of numpy's signed integers or floats, with the type that `series_of` would choose."""
    return pl.Series(name, values.astype(np.int64 if values.dtype.kind == "i" else np.float64))


def series_of(name: str, values: Sequence[Any]) -> pl.Series:
    """Make a column with the one type that preserves all values: text if they have no type in common."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(name, [None] * len(values), dtype=pl.Null)
    whole = [value for value in values if type(value) is int]
    if kinds == {int} and min(whole) >= -(2**63) and max(whole) < 2**63:
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float} and all(-EXACT <= value <= EXACT for value in whole):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    texts = [value if value is None or isinstance(value, str) else _text(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


def prediction_columns(predictions: Sequence[Any], layout: Layout) -> list[pl.Series]:
    """Make the columns of predictions."""
    if layout.single:
        return [series_of("prediction", predictions)]
    rows = [None if prediction is None else layout.cells(prediction) for prediction in predictions]
    return [
        series_of(name, [None if row is None else row[place] for row in rows])
        for place, name in enumerate(layout.names)
    ]


def stacked(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Concatenate frames vertically, with their common types."""
    frames = list(frames)
    if all(frame.schema == frames[0].schema for frame in frames):
        return pl.concat(frames)
    schema = _common(frames)
    return pl.concat([frame.cast(schema) for frame in frames])


def assemble(parts: Sequence[Path], out: Path, names: Sequence[str], row_group: int) -> None:
    """Combine many Parquet files into one, without holding all of it in memory.

    Args:
        names: the columns, used if there are no parts.
        row_group: rows per group; fixed, so that the bytes do not depend on the division into parts.

    Raises:
        OSError: the file cannot be written.
    """
    if not parts:
        pl.DataFrame({name: [] for name in names}, schema=dict.fromkeys(names, pl.String)).write_parquet(out)
        return
    scans = [pl.scan_parquet(part) for part in parts]
    schemas = [scan.collect_schema() for scan in scans]
    if any(schema != schemas[0] for schema in schemas):
        common = _common(schemas)
        scans = [scan.cast(common) for scan in scans]
    try:
        pl.concat(scans).sink_parquet(out, row_group_size=row_group)
    except pl.exceptions.PolarsError as error:
        out.unlink(missing_ok=True)
        number = _SYSTEM.search(str(error))
        code = int(number[1]) if number else 0
        raise OSError(code, os.strerror(code) if code else cut(str(error).splitlines()[0], 200)) from None


def keep_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as a file, completely or not at all.

    Raises:
        UsageError: the disk is full, or the directory is not writable.
    """
    held = io.BytesIO()
    frame.write_parquet(held)
    try:
        with replacing(path) as file:
            file.write(held.getbuffer())
    except OSError as error:
        raise unwritable(str(path), error) from None


def _common(given: Iterable[Any]) -> dict[Any, Any]:
    schemas = [getattr(one, "schema", one) for one in given]
    return {name: _supertype({schema[name] for schema in schemas}) for name in schemas[0]}


def _supertype(types: set[Any]) -> Any:
    types = types - {pl.Null}
    if len(types) <= 1:
        return types.pop() if types else pl.Null
    if types == {pl.Int64, pl.Float64}:
        return pl.Float64
    return pl.String


def _text_of_time(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _text(value: Any) -> str:
    try:
        return dumps(value).decode()
    except (TypeError, ValueError):
        return json.dumps(value)
