"""CSV files, read a block at a time with the types that a contract names, or those that every cell has."""

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from epkit.core.contract.columns import RowSpec
from epkit.core.shortening import cut
from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES: Final = 4 << 20
LONGEST_ROW: Final = 256 << 20

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
        with path.open("rb") as file:
            head = file.readline(1 << 20).removeprefix(b"\xef\xbb\xbf")
        if not head.strip():
            raise UsageError(f"{self.name}: the file is empty: a line of column names is expected")
        try:
            self.header = head.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(f"{self.name}:1: not a text in UTF-8") from None
        self.comma = next((mark for mark in (",", ";", "\t") if mark in self.header), ",")
        self.names = next(csv.reader([self.header], delimiter=self.comma))
        for column in self.names:
            if self.names.count(column) > 1:
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
                    why = self._ragged(data) or f"after row {rows:,}: {cut(str(error).splitlines()[0], 120)}"
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

    def _ragged(self, data: bytes) -> str | None:
        """Find the first row of a block that is not as wide as the header, and word it."""
        with contextlib.suppress(UnicodeDecodeError, csv.Error):
            for row in csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=self.comma):
                if row and len(row) != len(self.names):
                    return f"{len(row)} cells where the header has {len(self.names)}: {cut(self.comma.join(row), 60)!r}"
        return None

    def _texts(self, block_bytes: int) -> Iterator[bytes]:
        """Cut the file into blocks that end where a row does: at a line break outside of quotes."""
        rest = b""
        with self.path.open("rb") as file:
            while piece := file.read(block_bytes):
                piece = rest + piece
                cut = piece.rfind(b"\n") + 1
                # Quotes inside quotes are doubled, so outside of them their number is even.
                odd = piece.count(b'"', 0, cut) % 2
                while odd and cut:
                    earlier = piece.rfind(b"\n", 0, cut - 1) + 1
                    odd = (odd + piece.count(b'"', earlier, cut)) % 2
                    cut = earlier
                if cut:
                    yield piece[:cut]
                rest = piece[cut:]
                if len(rest) > LONGEST_ROW:
                    raise UsageError(f"{self.name}: a row of more than {LONGEST_ROW >> 20} MB: is a quote left open?")
        if rest:
            yield rest


def csv_type(spec: RowSpec, name: str) -> Any:
    """Choose how polars reads a column of a contract: never by a guess."""
    import polars as pl

    column = spec.cell if spec.shape == "matrix" else spec.columns.get(name)
    if column is None or column.format == "uint64":
        return pl.String
    return {"integer": pl.Int64, "number": pl.Float64}.get(column.kind or "", pl.String)
