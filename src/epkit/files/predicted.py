"""Writes rows with their predictions as JSON lines, CSV or Parquet.

Each writer takes the rows in input order. The division into pieces does not change the bytes of the output.
"""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from epkit.core.json.reading import loads_row
from epkit.core.json.writing import dumps
from epkit.core.replies.predictions import Layout
from epkit.core.score.pieces import Piece
from epkit.core.shapes.csv_lines import csv_cell, csv_line
from epkit.files.jobs import Appended
from epkit.files.written import part_start

if TYPE_CHECKING:
    import polars as pl

PART_ROWS: Final = 50_000
ROW_GROUP: Final = 100_000
HASHED: Final = (str, bool, int)
"""Types of predictions whose values often repeat."""


class Writer(Protocol):
    """Writes rows.

    `size` is the number of bytes of the output, `eager` whether rows may be written as soon as they arrive.
    """

    eager: bool

    @property
    def size(self) -> int:
        """Number of bytes of the output so far."""

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:
        """Write rows.

        Args:
            first: number of the first row.
            predictions: one for each row, None for a row without a prediction.
        """

    def sync(self) -> None:
        """Flush everything to disk."""

    def finish(self, layout: Layout) -> None:
        """Complete the output after the last row."""

    def close(self) -> None:
        """Close the files."""


class FilelessWriter:
    """Base of writers without a file: nothing has to be flushed or closed."""

    eager = True
    size = 0

    def sync(self) -> None:
        """Do nothing: there is no disk."""

    def finish(self, layout: Layout) -> None:
        """Do nothing: the output has no end mark."""

    def close(self) -> None:
        """Do nothing: there is no file."""


class StreamWriter(FilelessWriter):
    """Writes numbers and predictions as JSON lines to the caller's stream: `{"row": 0, "prediction": "yes"}`."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        """Write rows."""
        texts = _texts(predictions, dumps)
        lines = [b'{"row": %d, "prediction": %s}\n' % (row, text) for row, text in enumerate(texts, start=first)]
        self._send(b"".join(lines))


class _AppendingWriter:
    """Base of writers whose output grows in place."""

    eager = True

    def __init__(self, path: Path, length: int) -> None:
        self._file = Appended(path, length)

    @property
    def size(self) -> int:
        """Number of bytes of the output so far."""
        return self._file.length

    def sync(self) -> None:
        """Flush everything to disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class JsonlWriter(_AppendingWriter):
    """The input's columns and the prediction as JSON lines."""

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        """Write rows."""
        objects = piece.as_objects(0, len(piece))
        if layout.single:
            ends = [b'"prediction":%s}\n' % text for text in _texts(predictions, dumps)]
        else:
            keys = [b'"%s":%%s' % dumps(name)[1:-1].replace(b"%", b"%%") for name in layout.names]
            form = b",".join(keys) + b"}\n"
            empty = form % ((b"null",) * len(keys))
            ends = [empty if p is None else form % tuple(map(dumps, layout.cells(p))) for p in predictions]
        lines = [b"{" + end if len(row) == 2 else row[:-1] + b"," + end for row, end in zip(objects, ends, strict=True)]
        self._file.append(b"".join(lines))

    def finish(self, layout: Layout) -> None:  # noqa: ARG002
        """Create the file if there are no rows."""
        self._file.create()


class CsvWriter(_AppendingWriter):
    """The input's columns and the prediction as CSV; if the input is CSV, its cells are copied unchanged."""

    def __init__(self, path: Path, length: int, names: Sequence[str]) -> None:
        super().__init__(path, length)
        self._names = names

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        """Write rows, after the header if they are the first."""
        head = b"" if self._file.length else self._header(layout)
        starts = self._lines(piece)
        if layout.single:
            ends = _texts(predictions, _cell)
        else:
            empty = b"," * (len(layout.names) - 1)
            ends = [empty if p is None else b",".join(map(_cell, layout.cells(p))) for p in predictions]
        comma = b"," if self._names else b""
        lines = [start + comma + end for start, end in zip(starts, ends, strict=True)]
        self._file.append(head + b"\n".join(lines) + b"\n")

    def _header(self, layout: Layout) -> bytes:
        return csv_line([*self._names, *layout.names]).encode()

    def _lines(self, piece: Piece) -> list[bytes]:
        if piece.lines is not None:
            return piece.lines
        rows = (loads_row(row) for row in piece.as_objects(0, len(piece)))
        return [
            csv_line([_plain(row.get(name)) for name in self._names])[:-1].encode("utf-8", "replace") for row in rows
        ]

    def finish(self, layout: Layout) -> None:
        """Write the header, if there were no rows."""
        if not self._file.length:
            self._file.append(self._header(layout))


class ParquetWriter:
    """The input's columns and the prediction as Parquet: parts while rows arrive, joined at the end."""

    eager = False

    def __init__(self, path: Path, parts: Path, rows: int, names: Sequence[str]) -> None:
        """Continue after the parts that count.

        Args:
            rows: the number of rows in them.
            names: the input's columns.
        """
        self._path, self._parts, self._names = path, parts, names
        self.size = 0
        self._held: list[pl.DataFrame] = []
        self._first = rows
        if parts.is_dir():
            for part in parts.iterdir():
                first = part_start(part)
                if first is None or first >= rows:
                    part.unlink()

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        """Collect rows; write a part when there are enough."""
        from epkit.files.frames import frame_of, prediction_columns

        frame = frame_of(piece, self._names)
        self._held.append(frame.with_columns(prediction_columns(predictions, layout)))
        if sum(frame.height for frame in self._held) >= PART_ROWS:
            self._write_part()

    def sync(self) -> None:
        """Write the collected rows as a part, and flush it to disk."""
        self._write_part()

    def _write_part(self) -> None:
        from epkit.files.frames import stacked

        if not self._held:
            return
        frame = stacked(self._held)
        self._parts.mkdir(exist_ok=True)
        path = self._parts / f"{self._first:012}.parquet"
        # In memory first: if the disk is full, polars raises its own kind of error.
        data = io.BytesIO()
        frame.write_parquet(data)
        with path.open("wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        self._first += frame.height
        self._held = []

    def finish(self, layout: Layout) -> None:
        """Join the parts."""
        from epkit.files.frames import assemble

        parts = sorted(self._parts.iterdir()) if self._parts.is_dir() else []
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        assemble(parts, unfinished, [*self._names, *layout.names], ROW_GROUP)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(self._path)
        self.size = self._path.stat().st_size

    def close(self) -> None:
        """Do nothing: no file is open."""

    def discard_parts(self) -> None:
        """Remove the parts, after the output is known to be complete."""
        for part in self._parts.iterdir() if self._parts.is_dir() else ():
            part.unlink()
        with contextlib.suppress(OSError):
            self._parts.rmdir()


def _plain(value: Any) -> Any:
    """Convert a value to a cell: a number as Python writes it, which is exact."""
    return repr(value) if isinstance(value, float) else value


def _cell(value: Any) -> bytes:
    return csv_cell(value).encode("utf-8", "replace")


def _texts(predictions: Sequence[Any], write: Callable[[Any], bytes]) -> list[bytes]:
    """Write predictions as text; if values repeat, each different value is written only once."""
    kinds = set(map(type, predictions)) - {type(None)}
    if len(kinds) == 1 and kinds.pop() in HASHED:
        written = {value: write(value) for value in set(predictions)}
        return [written[value] for value in predictions]
    return [write(value) for value in predictions]
