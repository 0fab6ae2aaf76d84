"""CSV files, read in blocks, with the types of a contract, or with types that fit every cell."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from epkit.core.contract.columns import RowSpec
from epkit.core.shortening import cut
from epkit.errors import UsageError
from epkit.files import dialects, number_columns, rough_rows, transcoding
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.files.guessing import Guess
from epkit.files.rough_rows import Fault

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES: Final = 4 << 20
LONGEST_ROW: Final = 16 << 20
"""Greatest length of a row in bytes. No endpoint accepts a longer request. After a quote that is never closed, the rest
of the file is one row; this limit finds it."""

LONGEST_HEADER: Final = 16 << 20
MOST_COLUMNS: Final = 100_000
"""Greatest number of columns: each takes some kB in a frame."""

_BOM: Final = b"\xef\xbb\xbf"


class CsvBlock(NamedTuple):
    """Consecutive rows of a file: as a frame, as their original text, and the faulty ones.

    `begin` is the place of the first row in the file.
    """

    frame: "pl.DataFrame"
    text: bytes
    faults: Mapping[int, Fault]
    begin: int


class CsvTable:
    """A CSV file whose header is read: `names` of its columns, `cells` of its header, `comma` (the separator).

    After all rows have been read, `rows` is their number, `fault` is the first faulty row with its number, and `faults`
    is the number of faulty rows. `remarks` has notes for the user about how the file is read.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        spec: RowSpec | None = None,
        options: TableOptions = DEFAULT,
    ) -> None:
        """Read the header.

        Args:
            name: name of the file in messages.
            spec: rows of a contract; they show whether the first line is a header or a row.

        Raises:
            UsageError: the file is empty, is not UTF-8, has two columns with the same name, or has no header.
            OSError: it cannot be read.
        """
        self.path, self.name = path, name or str(path)
        self.options = options
        self.rows: int | None = None
        self.fault: tuple[int, Fault] | None = None
        self.faults = 0
        self.remarks: list[str] = []
        self._counted = (0, 0)
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_ROW))  # the default is 128 kB
        with path.open("rb") as file:
            head = self._head(file)
            sample = file.read(dialects.SAMPLE_BYTES)
        if head.count(b'"') % 2:
            what = "line of column names" if options.header else "first line"
            raise UsageError(f"{self.name}:{self.line}: a quote is not closed in the {what}")
        text = head.decode("utf-8")
        if self._marked is None:
            self.comma = dialects.separator_of(text + sample.decode("utf-8", "replace"))
        else:
            self.comma = self._marked
        try:
            cells = next(csv.reader([text.rstrip("\r\n")], delimiter=self.comma))
        except csv.Error:
            raise self.not_csv(self.line) from None
        self.cells = self._named(cells, spec) if options.header else self._borrowed(cells, spec)
        self._start = self._begin + (len(head) if options.header else 0)
        self.first_line = self.line + options.header
        self.names = [cell for cell in self.cells if cell.strip()]
        self._least = max(place for place, cell in enumerate(self.cells) if cell.strip()) + 1
        self._unique = [cell if cell.strip() else f"\0{place}" for place, cell in enumerate(self.cells)]
        self._rough = set(self.names) if options.decimal == self.comma == "," else set[str]()

    def _head(self, file: IO[bytes]) -> bytes:
        """Read up to the first line that is not blank: the header, or a row. `sep=;` before it sets the separator.

        Raises:
            UsageError: there is no such line, it is too long, or it is not UTF-8.
        """
        self._marked: str | None = None
        self.line = self._begin = 0
        left = LONGEST_HEADER
        while line := file.readline(left + 1):
            left -= len(line)
            self.line += 1
            if left < 0:
                raise UsageError(
                    f"{self.name}:{self.line}: a line of more than {LONGEST_HEADER >> 20} MB: is this a CSV file?"
                )
            bare = line.removeprefix(_BOM) if self.line == 1 else line
            if (place := transcoding.first_fault(bare)) is not None:
                raise self._not_utf8(self.line, bare, place)
            marked = dialects.marked(bare.decode("utf-8")) if self._marked is None else None
            if bare.strip() and marked is None:
                self._begin += len(line) - len(bare)
                return bare
            self._marked = marked or self._marked
            self._begin += len(line)
        raise UsageError(f"{self.name}: the file is empty: a line of column names is expected")

    def _named(self, cells: list[str], spec: RowSpec | None) -> list[str]:
        """Check the names in a header.

        Raises:
            UsageError: it is a row of data, two columns have the same name, or no column has a name.
        """
        where = f"{self.name}:{self.line}"
        if len(cells) > MOST_COLUMNS:
            raise UsageError(f"{where}: {len(cells):,} columns, and {MOST_COLUMNS:,} are the most")
        if dialects.data_as_header(cells, spec):
            shown = cut(", ".join(cells), 60)
            what = "write a line of column names above it"
            if spec is not None and spec.shape == "records" and len(cells) == len(spec.columns):
                what = f"--no-header takes the contract's {len(cells)} names in their order"
            raise UsageError(f"{where}: the first line is data, not a header ({shown}): {what}")
        twice = [column for column, times in Counter(cells).items() if times > 1 and column.strip()]
        if twice:
            raise UsageError(f'{where}: the column "{cut(twice[0], 60)}" occurs twice')
        bare = [place for place, cell in enumerate(cells, start=1) if not cell.strip()]
        if len(bare) == len(cells):
            raise UsageError(f"{where}: no column has a name: a line of column names is expected")
        if bare:
            places = cut(", ".join(map(str, bare)), 60)
            one = f"column {places} has no name: it is"
            many = f"columns {places} have no names: they are"
            self.remarks.append(f"{where}: {one if len(bare) == 1 else many} left out")
        return cells

    def _borrowed(self, cells: list[str], spec: RowSpec | None) -> list[str]:
        """Take the names from the contract, or use the places of the columns as names.

        Raises:
            UsageError: the contract has another number of columns than the row has cells.
        """
        if spec is None or spec.shape == "matrix":
            return [str(place) for place in range(len(cells))]
        names = list(spec.columns)
        if len(names) != len(cells):
            raise UsageError(
                f"{self.name}:{self.line}: {len(cells)} cells, and the contract has {len(names)} columns "
                f"({cut(', '.join(names), 60)}): --no-header needs a cell for each"
            )
        return names

    def blocks(self, types: Mapping[str, Any], *, block_bytes: int | None = None) -> Iterator[CsvBlock]:
        """Read the rows in blocks with the given types. If a column does not fit its type, it is read as text.

        Args:
            types: polars' type of each column.

        Raises:
            UsageError: it is not a CSV file.
        """
        self.fault, self.faults = None, 0
        rows = 0
        begin = self._start
        for data in self._texts(block_bytes or BLOCK_BYTES, begin):
            if data.strip():
                block = self._block(data, begin, types)
                if block.faults and self.fault is None:
                    first = min(block.faults)
                    self.fault = rows + first, block.faults[first]
                self.faults += len(block.faults)
                rows += block.frame.height
                if block.frame.height:
                    yield block
            begin += len(data)
        self.rows = rows

    def _block(self, data: bytes, begin: int, types: Mapping[str, Any]) -> CsvBlock:
        """Read one block.

        Args:
            begin: place of *data* in the file.
        """
        import polars as pl  # late: it costs 0.2 s

        text, rows, ragged = data, None, dict[int, int]()
        if len(self.cells) == 1:
            text, rows, ragged = self._tidy(data)
        try:
            frame = self._parse(text, types, self._rough)
            # The last cell of a short row or of a blank line is null; a row that is too long is refused.
            if rows is None and frame.to_series(-1).null_count() and not rough_rows.looks_tidy(data, self.comma, frame):
                text, rows, ragged = self._tidy(data)
                frame = frame if text is data else self._parse(text, types, self._rough)
            frame, odd = self._convert(frame, types, self._rough)
        except pl.exceptions.PolarsError:
            text, rows, ragged = self._tidy(data)
            try:
                frame = self._parse(text, types, set(self.names))
            except pl.exceptions.PolarsError as error:
                self._check_text(data, begin)
                words = cut(str(error)[:1000].splitlines()[0], 120)  # the rest may be the whole block
                line = self.line_at(begin)
                raise UsageError(f"{self.name}:{line}: not a CSV file, from this line on: {words}") from None
            frame, odd = self._convert(frame, types, set(self.names))
        if rows is not None and frame.height != rows:
            raise self.not_csv(self.line_at(begin))
        if not ragged and not odd:
            return CsvBlock(frame, text, {}, begin)
        return CsvBlock(frame, text, self._faults(data, begin, ragged, odd), begin)

    def typed(self, spec: RowSpec) -> dict[str, Any]:
        """Choose the types of columns from a contract, without guessing. Columns that are not sent are text."""
        import polars as pl

        left_out = self.options.left_out
        return {name: pl.String if name in left_out else csv_type(spec, name) for name in self.names}

    def inferred(self) -> dict[str, Any]:
        """Find a type for each column that preserves every cell, otherwise text. Carried columns are text.

        Raises:
            UsageError: it is not a CSV file, or a column of numbers has decimal commas.
        """
        import polars as pl

        guesses = {name: Guess(self.options.decimal) for name in self.names if name not in self.options.left_out}
        rows = 0
        for block in self.blocks(dict.fromkeys(self.names, pl.String)):
            frame = block.frame
            if block.faults:
                faulty = pl.Series(sorted(block.faults))
                frame = frame.with_row_index("\0row").filter(~pl.col("\0row").is_in(faulty.implode()))
            for name, guess in guesses.items():
                guess.look(frame.get_column(name), rows)
            rows += block.frame.height
        for name, guess in guesses.items():
            self._tell(name, guess)
        return {name: guesses[name].dtype if name in guesses else pl.String for name in self.names}

    def _tell(self, name: str, guess: Guess) -> None:
        """Report the numbers that are sent as text, and why.

        Raises:
            UsageError: they have decimal commas.
        """
        if guess.first is None or not (guess.has_commas or guess.is_mostly_numbers):
            return
        row, text = guess.first
        line, shown = self.line_of(row) or 1, f'"{cut(text, 40)}"'
        if guess.has_commas and self.options.decimal is None:
            advice = "--decimal , reads a decimal comma, --decimal . keeps it as text"
            raise UsageError(f'{self.name}:{line}: {shown} in the column "{cut(name, 60)}": {advice}')
        if not self.options.remarks:
            return  # the training handles such cells itself
        share = f"{guess.others:,} of {guess.numbers + guess.others:,} cells are no numbers, the first is {shown}"
        self.remarks.append(f'{self.name}:{line}: the column "{cut(name, 60)}" is read as text: {share}')

    def _tidy(self, data: bytes) -> rough_rows.TidyBlock:
        return rough_rows.tidy(data, self.comma, wide=len(self.cells), least=self._least)

    def _parse(self, data: bytes, types: Mapping[str, Any], rough: set[str]) -> "pl.DataFrame":
        """Read rows, including the columns without names.

        Args:
            rough: columns whose numbers polars cannot read: they are read as text.

        Raises:
            PolarsError: a cell does not have its type, a row has too many cells, or the data is not text.
        """
        import polars as pl

        if not data:
            return pl.DataFrame(schema=dict.fromkeys(self._unique, pl.String))
        whole = [types[name] if name in types and name not in rough else pl.String for name in self.cells]
        frame: pl.DataFrame = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            new_columns=self._unique,
            # Booleans in upper or mixed case, which polars cannot read.
            schema_overrides=[pl.String if dtype == pl.Boolean else dtype for dtype in whole],
            separator=self.comma,
            decimal_comma=self.options.decimal == "," and self.comma != ",",
        )
        return frame

    def _convert(
        self, frame: "pl.DataFrame", types: Mapping[str, Any], rough: set[str]
    ) -> "tuple[pl.DataFrame, dict[str, pl.Series]]":
        """Convert columns to their types, and remove those without names.

        Args:
            rough: columns of numbers that were read as text.

        Returns:
            The rows; and by column, the cells with the other decimal separator.
        """
        import polars as pl

        if len(self.names) < len(self.cells):
            frame = frame.select(self.names)
        decimal = self.options.decimal or "."
        changed: list[pl.Series] = []
        odd: dict[str, pl.Series] = {}
        for name in self.names:
            dtype = types[name]
            if dtype == pl.Boolean:
                cells = frame.get_column(name)
                known = cells.str.contains(number_columns.BOOLEAN)
                changed.append((cells.str.to_lowercase() == "true").set(~known, None))
            elif name in rough and dtype in (pl.Int64, pl.Float64):
                series, found = self._numbers(frame.get_column(name), dtype, decimal)
                changed.append(series)
                if found is not None:
                    odd[name] = found
            elif dtype == pl.Float64 and (cells := frame.get_column(name)).is_nan().any():
                changed.append(cells.fill_nan(None))
        return (frame.with_columns(changed) if changed else frame), odd

    def _numbers(self, cells: "pl.Series", dtype: Any, decimal: str) -> "tuple[pl.Series, pl.Series | None]":
        """Read a text column as numbers; remember columns that polars itself could not read."""
        import polars as pl

        if cells.name not in self._rough:
            plain = cells.cast(dtype, strict=False)
            if plain.null_count() == cells.null_count():
                return (plain.fill_nan(None) if dtype == pl.Float64 else plain), None
            self._rough.add(cells.name)
        return number_columns.as_numbers(cells, dtype, decimal)

    def _faults(
        self, data: bytes, begin: int, ragged: Mapping[int, int], odd: "Mapping[str, pl.Series]"
    ) -> dict[int, Fault]:
        """Return the faults of rows, by their place in a block.

        Args:
            begin: place of *data* in the file.
            ragged: number of cells of rows whose width differs from the header's.
            odd: by column, the cells with the other decimal separator; other cells are null.
        """
        lines = self.line_at(begin) + rough_rows.lines_of_rows(data)
        wide = f"where {'the header' if self.options.header else 'the contract'} has {len(self.cells)}"
        found = {
            row: Fault("cells", None, int(lines[row]), f"{count} cell{'s' * (count != 1)} {wide}")
            for row, count in ragged.items()
        }
        what = "--decimal , reads a decimal comma"
        if self.options.decimal == ",":
            what = "--decimal , says that a comma separates decimals"
        for name, cells in odd.items():
            for row in cells.is_not_null().arg_true().to_list():
                text = f'"{cut(cells[row], 40)}" in the column "{cut(name, 60)}" is no number: {what}'
                found.setdefault(row, Fault("decimal", name, int(lines[row]), text))
        return found

    def _check_text(self, data: bytes, begin: int) -> None:
        """Refuse a block that is not text.

        Args:
            begin: place of *data* in the file.

        Raises:
            UsageError: it is not text.
        """
        place = transcoding.first_fault(data)
        if place is not None:
            line = self.line_at(begin) + data.count(b"\n", 0, place)
            begin = data.rfind(b"\n", 0, place) + 1
            raise self._not_utf8(line, data[begin:], place - begin)

    def _not_utf8(self, line: int, text: bytes, place: int) -> UsageError:
        """Return the error for a byte; its place is counted in the text that begins with the line."""
        return transcoding.not_utf8(self.name, line, text[:place], text[place:])

    def not_csv(self, line: int) -> UsageError:
        """Return the error for rows that cannot be separated, from a line on."""
        what = "from this line on a cell holds a quote or a carriage return and is not in quotes itself"
        return UsageError(f"{self.name}:{line}: {what}: put such cells in quotes, and write a quote in them twice")

    def line_at(self, place: int) -> int:
        """Return the number of the line that begins at a place; each line is counted only once."""
        if place < self._counted[0]:
            self._counted = (0, 0)
        start, lines = self._counted
        self._counted = place, lines + _breaks_between(self.path, start, place)
        return self._counted[1] + 1

    def line_of(self, row: int) -> int | None:
        """Return the number of the first line of a row; None if the file has no such row."""
        return next((line for line, _ in self.lines_from(row)), None)

    def lines_from(self, row: int) -> Iterator[tuple[int, str]]:
        """Yield the lines of a row, with their numbers."""
        left, odd, found = row, False, False
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            for number, text in enumerate(file, start=1):
                if number < self.first_line or not (odd or text.strip()):
                    continue
                if left == 0:
                    yield number, text
                    found = True
                odd ^= bool(text.count('"') % 2)
                if not odd:
                    if found:
                        return
                    left -= 1

    def _texts(self, block_bytes: int, begin: int = 0) -> Iterator[bytes]:
        """Yield blocks of the file that end with a row: at a line break outside of quotes.

        Each byte is examined a fixed number of times, however long a row is.

        Args:
            begin: place of the first row.

        Raises:
            UsageError: a row is too long, or a quote is not closed.
        """
        held: list[bytes] = []
        size = odd = 0  # of the rows since *begin*: number of bytes; whether they end inside quotes
        with self.path.open("rb") as file:
            file.seek(begin)
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
        """Return the error for a quote that is never closed, or for a row that is too long.

        Args:
            begin: place of *text* in the file.
            ends: whether the file ends with *text*.
        """
        opened = _unclosed(text, self.comma.encode(), ends=ends)
        line = 1 + _breaks_between(self.path, 0, begin + (opened or 0))
        if opened is not None:
            what = "the quote that opens here is not closed: close it, or write a quote inside of quotes twice"
            return UsageError(f"{self.name}:{line}: {what}")
        return UsageError(f"{self.name}:{line}: a row of more than {LONGEST_ROW >> 20} MB")


def _end_of_rows(piece: bytes, odd: int) -> int:
    """Find the last line break outside of quotes.

    Args:
        odd: 1 if the piece begins inside quotes, otherwise 0.

    Returns:
        The place after it, 0 if there is none.
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
    """Find the quote of a cell that is not closed, or is closed before the end of the cell; None if all are correct.

    Args:
        text: begins with the first cell of a row.
        ends: whether the file ends with *text*.
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


def _breaks_between(path: Path, start: int, stop: int) -> int:
    """Count the line breaks of a file from one place up to another."""
    count, left = 0, stop - start
    with path.open("rb") as file:
        file.seek(start)
        while left > 0 and (piece := file.read(min(left, BLOCK_BYTES))):
            count += piece.count(b"\n")
            left -= len(piece)
    return count


def csv_type(spec: RowSpec, name: str) -> Any:
    """Choose how polars reads a column of a contract: never by a guess."""
    import polars as pl

    column = spec.cell if spec.shape == "matrix" else spec.columns.get(name)
    if column is None or column.format == "uint64":
        return pl.String
    return {"integer": pl.Int64, "number": pl.Float64}.get(column.kind or "", pl.String)
