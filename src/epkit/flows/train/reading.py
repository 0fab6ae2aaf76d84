"""Reads a table that the user named or has in memory, with the readers of `score`."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from epkit.core.shortening import cut
from epkit.errors import UsageError
from epkit.files.dialects import TableOptions
from epkit.files.digests import digest_of
from epkit.files.frames import from_foreign, series_of, stacked
from epkit.flows.context import Context
from epkit.flows.rows.input import source_of
from epkit.flows.rows.opening import spooled

if TYPE_CHECKING:
    import polars as pl

KINDS: Final = "a frame of pandas or polars, a list of objects, or an object of columns"
"""The accepted kinds of rows in Python."""

_NOTHING: Final = ("NAType", "NaTType")
"""Types of missing values in pandas, which need not be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table in memory.

    Args:
        name: its name in messages.
        sha256: of the unpacked file; for a directory, of its parts and their names.
    """

    name: str
    sha256: str
    frame: "pl.DataFrame"


def read_table(
    file: str, stdin: BinaryIO, context: Context, *, encoding: str | None = None, decimal: str | None = None
) -> Table:
    """Read a whole table.

    Args:
        file: a path, a directory of Parquet files, a URL, or `-`.
        encoding, decimal: of its text, as in `TableOptions`.

    Raises:
        UsageError: its content does not fit its name, it has no rows, or it changed during reading.
    """
    # The code that learns from a table checks for cells that are not numbers itself.
    options = TableOptions(encoding=encoding, decimal=decimal, remarks=False)
    with spooled(file, stdin, context, options) as given:
        assert given is not None
        assert given.path is not None
        if given.kind == ".json":
            raise UsageError(f"{given.name} is a request body: name a table, .csv, .parquet or .jsonl, or .gz of one")
        before = digest_of(given.path, given.name)
        source = source_of(given, None)
        frames = list(source.frames())
        source.refuse_faults(": correct the line")
        for remark in source.remarks:
            context.note(remark)
        if not frames:
            raise UsageError(f"{given.name}: there are no rows")
        frame = stacked(frames)
        if digest_of(given.path, given.name) != before:
            raise UsageError(f"{given.name}: changed while it was read: start again when it is complete")
        return Table(name=given.name, sha256=before, frame=frame)


def table_of(rows: Any) -> Table:
    """Make a table from rows in memory.

    Args:
        rows: of one of the kinds in `KINDS`.

    Raises:
        UsageError: the rows have another kind, there are none, or two columns have the same name.
    """
    frame = frame_of(rows)
    if not frame.height:
        raise UsageError("the frame: there are no rows")
    hashed = _Hashed()
    # Python objects have no bytes. A column of them is refused later, with its name.
    frame.select(name for name, dtype in frame.schema.items() if not dtype.is_object()).write_ipc_stream(
        cast("IO[bytes]", hashed)
    )
    return Table(name="the frame", sha256=hashed.digest.hexdigest(), frame=frame)


class _Hashed(io.RawIOBase):
    """A file that keeps only the digest of what is written to it."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return len(data)


def frame_of(rows: Any) -> "pl.DataFrame":
    """Make a polars frame from rows in memory, with their types.

    Args:
        rows: of one of the kinds in `KINDS`; also Arrow tables and lazy frames.

    Raises:
        UsageError: the rows have another kind, or two columns have the same name.
    """
    import polars as pl  # late: it costs 0.2 s

    match rows:
        case pl.DataFrame():
            return rows
        case pl.LazyFrame():
            return rows.collect()
        case pl.Series():
            raise UsageError(f"the rows: a single column: give {KINDS}")
        case Mapping():
            return _of_columns(rows)
    names = [str(name) for name in getattr(rows, "columns", ())] if hasattr(rows, "isna") else []
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise UsageError(f'the frame: two columns are called "{cut(double, 60)}": rename one of them')
    if names or hasattr(rows, "__dataframe__"):
        return from_foreign(rows)
    if hasattr(rows, "__arrow_c_stream__") and hasattr(rows, "column_names"):
        return pl.DataFrame(rows)
    if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        columns = dict.fromkeys(key for row in rows for key in row)
        return pl.DataFrame([_series(str(name), [row.get(name) for row in rows]) for name in columns])
    raise UsageError(f"the rows: {type(rows).__name__} is not known: give {KINDS}")


def _of_columns(columns: Mapping[Any, Any]) -> "pl.DataFrame":
    """Make a frame from columns by name.

    Raises:
        UsageError: a value is not a column, or the columns have different lengths.
    """
    import polars as pl

    found = []
    for name, values in columns.items():
        if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
            raise UsageError(f'the rows: column "{cut(str(name), 60)}" is no list of values: give {KINDS}')
        found.append(_series(str(name), values.tolist() if hasattr(values, "tolist") else list(values)))
    if len({len(series) for series in found}) > 1:
        raise UsageError("the rows: the columns are of different lengths")
    return pl.DataFrame(found)


def _series(name: str, values: Sequence[Any]) -> "pl.Series":
    """Make a column from values of Python, numpy or pandas.

    Raises:
        UsageError: a table cannot hold one of the values.
    """
    try:
        return series_of(name, [_plain(value) for value in values])
    except (TypeError, ValueError) as error:
        raise UsageError(f'the rows: column "{cut(name, 60)}": no values of a table: {cut(str(error), 100)}') from None


def _plain(value: Any) -> Any:
    """Return a value as plain JSON, if possible."""
    kind = type(value)
    if kind in (str, int, float, bool) or value is None:
        return value
    if kind.__name__ in _NOTHING:
        return None
    if isinstance(value, Decimal):
        return float(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
