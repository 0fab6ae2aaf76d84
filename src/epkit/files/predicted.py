"""Writes rows with their predictions: JSON lines, CSV, Parquet.

Each writer takes the rows in input order and gives the same bytes however they were cut on the way.
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
"""Types of predictions that repeat."""


class Writer(Protocol):
    """Writes rows.

    `size` is how many bytes of the output there are, `eager` whether rows may be written as soon as they come.
    """

    eager: bool

    @property
    def size(self) -> int:
        """Bytes of the output so far."""

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:
        """Write rows.

        Args:
            first: number of the first row.
            predictions: one a row, None for a row that has none.
        """

    def sync(self) -> None:
        """Bring everything to the disk."""

    def finish(self, layout: Layout) -> None:
        """Complete the output, when every row was written."""

    def close(self) -> None:
        """Let go of files."""


class FilelessWriter:
    """What writers have in common that have no file: nothing is left to be done for what is written."""

    eager = True
    size = 0

    def sync(self) -> None:
        """There is no disk."""

    def finish(self, layout: Layout) -> None:
        """There is no end to write."""

    def close(self) -> None:
        """There is no file."""


class StreamWriter(FilelessWriter):
    """JSON lines of number and prediction on a stream, which is the caller's: `{"row": 0, "prediction": "yes"}`."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        """Write rows."""
        texts = _texts(predictions, dumps)
        lines = [b'{"row": %d, "prediction": %s}\n' % (row, text) for row, text in enumerate(texts, start=first)]
        self._send(b"".join(lines))


class _AppendingWriter:
    """What is common to writers whose output grows in place."""

    eager = True

    def __init__(self, path: Path, length: int) -> None:
        self._file = Appended(path, length)

    @property
    def size(self) -> int:
        """Bytes of the output so far."""
        return self._file.length

    def sync(self) -> None:
        """Bring everything to the disk."""
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
        """Make sure that there is a file, even where there are no rows."""
        self._file.create()


class CsvWriter(_AppendingWriter):
    """The input's columns and the prediction as CSV, the input's own cells to the letter where it is CSV."""

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
        """Write the header, where there were no rows."""
        if not self._file.length:
            self._file.append(self._header(layout))


class ParquetWriter:
    """The input's columns and the prediction as Parquet: parts while rows come, put together at the end."""

    eager = False

    def __init__(self, path: Path, parts: Path, rows: int, names: Sequence[str]) -> None:
        """Take up the parts that count.

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
        """Hold rows; they are a part when enough have come together."""
        from epkit.files.frames import frame_of, prediction_columns

        frame = frame_of(piece, self._names)
        self._held.append(frame.with_columns(prediction_columns(predictions, layout)))
        if sum(frame.height for frame in self._held) >= PART_ROWS:
            self._write_part()

    def sync(self) -> None:
        """Make a part of what is held, and bring it to the disk."""
        self._write_part()

    def _write_part(self) -> None:
        from epkit.files.frames import stacked

        if not self._held:
            return
        frame = stacked(self._held)
        self._parts.mkdir(exist_ok=True)
        path = self._parts / f"{self._first:012}.parquet"
        # In memory first: of a full disk polars speaks in words of its own.
        data = io.BytesIO()
        frame.write_parquet(data)
        with path.open("wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        self._first += frame.height
        self._held = []

    def finish(self, layout: Layout) -> None:
        """Put the parts together."""
        from epkit.files.frames import assemble

        parts = sorted(self._parts.iterdir()) if self._parts.is_dir() else []
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        assemble(parts, unfinished, [*self._names, *layout.names], ROW_GROUP)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(self._path)
        self.size = self._path.stat().st_size

    def close(self) -> None:
        """Nothing is open."""

    def discard_parts(self) -> None:
        """Remove the parts, once the output is known to be complete."""
        for part in self._parts.iterdir() if self._parts.is_dir() else ():
            part.unlink()
        with contextlib.suppress(OSError):
            self._parts.rmdir()


def _plain(value: Any) -> Any:
    """Make a cell of a value: a number as Python writes it, which is exact."""
    return repr(value) if isinstance(value, float) else value


def _cell(value: Any) -> bytes:
    return csv_cell(value).encode("utf-8", "replace")


def _texts(predictions: Sequence[Any], write: Callable[[Any], bytes]) -> list[bytes]:
    """Write predictions, each different one once where they repeat."""
    kinds = set(map(type, predictions)) - {type(None)}
    if len(kinds) == 1 and kinds.pop() in HASHED:
        written = {value: write(value) for value in set(predictions)}
        return [written[value] for value in predictions]
    return [write(value) for value in predictions]
