"""CSV files, read a block at a time with the types that a contract names, or those that every cell has."""

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from epkit.core.contract.columns import RowSpec
from epkit.core.shortening import cut
from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES: Final = 4 << 20
LONGEST_ROW: Final = 16 << 20
"""Bytes of a row. No request that endpoints take holds a longer one, and behind a quote that nothing closes the rest of
the file is one row: it is known for that after so much."""

LONGEST_HEADER: Final = 16 << 20
MOST_COLUMNS: Final = 100_000
"""Each costs some kB in a frame."""

_INTEGER: Final = r"^-?(0|[1-9][0-9]{0,17})$"
_REAL: Final = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$"
_BOOLEAN: Final = r"^(true|false|True|False|TRUE|FALSE)$"


class CsvBlock(NamedTuple):
    """Consecutive rows of a file: as a frame, and as the text they were read from."""

    frame: "pl.DataFrame"
    text: bytes


class CsvTable:
    """A CSV file with its header read: `names`, `comma` (the separator), `header` (the line as it stands).

    `rows` is how many there are, once all have been read.
    """

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        """Read the header.

        Args:
            name: what messages call the file.

        Raises:
            UsageError: the file is empty, no text in UTF-8, or names a column twice.
            OSError: it cannot be read.
        """
        self.path, self.name = path, name or str(path)
        self.rows: int | None = None
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_ROW))  # of 128 kB, where nobody has said more
        with path.open("rb") as file:
            head = file.readline(LONGEST_HEADER + 1).removeprefix(b"\xef\xbb\xbf")
        if len(head) > LONGEST_HEADER:
            raise UsageError(f"{self.name}:1: a line of more than {LONGEST_HEADER >> 20} MB: is this a CSV file?")
        if not head.strip():
            raise UsageError(f"{self.name}: the file is empty: a line of column names is expected")
        try:
            self.header = head.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(f"{self.name}:1: not a text in UTF-8") from None
        self.comma = next((mark for mark in (",", ";", "\t") if mark in self.header), ",")
        if head.count(b'"') % 2:
            raise UsageError(f"{self.name}:1: a quote is not closed in the line of column names")
        self.names = next(csv.reader([self.header], delimiter=self.comma))
        if len(self.names) > MOST_COLUMNS:
            raise UsageError(f"{self.name}:1: {len(self.names):,} columns, and {MOST_COLUMNS:,} are the most")
        if len(set(self.names)) < len(self.names):
            column = next(column for column, times in Counter(self.names).items() if times > 1)
            raise UsageError(f'{self.name}:1: the column "{cut(column, 60)}" stands there twice')

    def blocks(self, types: Mapping[str, Any], *, block_bytes: int | None = None) -> Iterator[CsvBlock]:
        """Read the rows, a block with the types given, and as bare text where that fails.

        Args:
            types: polars' type of each column.

        Raises:
            UsageError: this is no CSV file.
        """
        import polars as pl  # late: it costs 0.2 s

        rows = 0
        for number, block in enumerate(self._texts(block_bytes or BLOCK_BYTES)):
            data = block if number else block.removeprefix(b"\xef\xbb\xbf")
            if number == 0:
                _, _, data = data.partition(b"\n")
            if not data.strip():
                continue
            try:
                frame = self._read(data, types)
            except pl.exceptions.PolarsError:
                try:
                    frame = self._read(data, dict.fromkeys(self.names, pl.String))
                except pl.exceptions.PolarsError as error:
                    self._check_text(data, rows)
                    words = cut(str(error)[:1000].splitlines()[0], 120)  # the rest may be the whole block
                    why = self._ragged(data) or f"after row {rows:,}: {words}"
                    raise UsageError(f"{self.name}: not a CSV file, {why}") from None
            rows += frame.height
            yield CsvBlock(frame, data)
        self.rows = rows

    def inferred(self) -> dict[str, Any]:
        """Find the type that every cell of a column has: one that gives each back as it stands there, or text.

        Raises:
            UsageError: this is no CSV file.
        """
        import polars as pl

        possible: dict[str, list[tuple[str, Any]]] = {
            name: [(_INTEGER, pl.Int64), (_REAL, pl.Float64), (_BOOLEAN, pl.Boolean)] for name in self.names
        }
        seen: set[str] = set()
        for block in self.blocks(dict.fromkeys(self.names, pl.String)):
            for name, choices in possible.items():
                cells = block.frame.get_column(name).drop_nulls()
                if len(cells):
                    seen.add(name)
                    choices[:] = [choice for choice in choices if cells.str.contains(choice[0]).all()]
        types = {name: choices[0][1] if choices else pl.String for name, choices in possible.items()}
        return {name: types[name] if name in seen else pl.String for name in self.names}

    def _read(self, data: bytes, types: Mapping[str, Any]) -> "pl.DataFrame":
        import polars as pl

        # Booleans in any case of letters, which polars does not read as such.
        booleans = [name for name in self.names if types[name] == pl.Boolean]
        overrides = [pl.String if types[name] == pl.Boolean else types[name] for name in self.names]
        frame: pl.DataFrame = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            new_columns=self.names,
            schema_overrides=overrides,
            separator=self.comma,
        )
        return frame.with_columns(pl.col(name).str.to_lowercase() == "true" for name in booleans)

    def _check_text(self, data: bytes, before: int) -> None:
        """Refuse a block that is not a text.

        Args:
            before: rows in front of the block.

        Raises:
            UsageError: it is not; the row is named as well as line breaks tell.
        """
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            row = before + data.count(b"\n", 0, error.start) + 1
            raise UsageError(f"{self.name}: row {row:,}: not a text in UTF-8: save the file as UTF-8") from None

    def _ragged(self, data: bytes) -> str | None:
        """Find the first row of a block that is not as wide as the header, and word it."""
        with contextlib.suppress(UnicodeDecodeError, csv.Error):
            for row in csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=self.comma):
                if row and len(row) != len(self.names):
                    return f"{len(row)} cells where the header has {len(self.names)}: {cut(self.comma.join(row), 60)!r}"
        return None

    def _texts(self, block_bytes: int) -> Iterator[bytes]:
        """Cut the file into blocks that end where a row does: at a line break outside of quotes.

        Each byte is looked at a fixed number of times, however long a row is.

        Raises:
            UsageError: a row is too long, or a quote is not closed.
        """
        held: list[bytes] = []
        begin = size = odd = 0  # where the rows that are held begin, their bytes, and whether these end inside quotes
        with self.path.open("rb") as file:
            while piece := file.read(block_bytes):
                cut = _end_of_rows(piece, odd)
                if cut:
                    yield b"".join((*held, piece[:cut]))
                    begin, held, size, odd = begin + size + cut, [], 0, 0
                held.append(piece[cut:])
                size += len(piece) - cut
                odd = (odd + piece.count(b'"', cut)) % 2
                if size > LONGEST_ROW:
                    raise self._endless(begin, b"".join(held), ends=False)
        if odd:
            raise self._endless(begin, b"".join(held), ends=True)
        if size:
            yield b"".join(held)

    def _endless(self, begin: int, text: bytes, *, ends: bool) -> UsageError:
        """Say where the quote opened behind which no row ends, or where the row began that is too long.

        Args:
            begin: of *text* in the file.
            ends: whether the file ends with it.
        """
        opened = _unclosed(text, self.comma.encode(), ends=ends)
        line = 1 + _lines_before(self.path, begin + (opened or 0))
        if opened is not None:
            what = "the quote that opens here is not closed: close it, or write a quote inside of quotes twice"
            return UsageError(f"{self.name}:{line}: {what}")
        return UsageError(f"{self.name}:{line}: a row of more than {LONGEST_ROW >> 20} MB")


def _end_of_rows(piece: bytes, odd: int) -> int:
    """Find the last line break that is outside of quotes.

    Args:
        odd: 1 where the piece begins inside of quotes, else 0.

    Returns:
        The place behind it, 0 where there is none.
    """
    cut = piece.rfind(b"\n") + 1
    # Quotes inside quotes are doubled, so outside of them their number is even.
    if not cut or not (odd + piece.count(b'"', 0, cut)) % 2:
        return cut
    places = np.frombuffer(piece, dtype=np.uint8)
    quotes, breaks = np.flatnonzero(places == ord('"')), np.flatnonzero(places == ord("\n"))
    outside = np.flatnonzero((np.searchsorted(quotes, breaks) + odd) % 2 == 0)
    return int(breaks[outside[-1]]) + 1 if len(outside) else 0


def _unclosed(text: bytes, comma: bytes, *, ends: bool) -> int | None:
    """Find the quote that opens a cell and is not closed, or not where a cell ends; None where all are.

    Args:
        text: begins where a row does.
        ends: whether the file ends with it.
    """
    at = text.find(b'"')
    while at >= 0:
        end = text.find(b'"', at + 1)
        while end >= 0 and text[end + 1 : end + 2] == b'"':
            end = text.find(b'"', end + 2)
        after = text[end + 1 : end + 2]
        if end < 0 or after not in (comma, b"\r", b"\n", b"") or not (after or ends):
            return at
        at = text.find(b'"', end + 1)
    return None


def _lines_before(path: Path, place: int) -> int:
    """Count the line breaks of a file before a place."""
    count = 0
    with path.open("rb") as file:
        while place > 0 and (piece := file.read(min(place, BLOCK_BYTES))):
            count += piece.count(b"\n")
            place -= len(piece)
    return count


def csv_type(spec: RowSpec, name: str) -> Any:
    """Choose how polars reads a column of a contract: never by a guess."""
    import polars as pl

    column = spec.cell if spec.shape == "matrix" else spec.columns.get(name)
    if column is None or column.format == "uint64":
        return pl.String
    return {"integer": pl.Int64, "number": pl.Float64}.get(column.kind or "", pl.String)
