"""The sources of rows: files of any format, standard input, frames and lists of Python; all are read piece by piece."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from epkit.core.contract.columns import RowSpec
from epkit.core.json.reading import read
from epkit.core.json.writing import dumps_row
from epkit.core.score.encoding import as_list, as_object, encode_frame
from epkit.core.score.pieces import NONE, Piece
from epkit.core.shapes.csv_lines import csv_line
from epkit.core.shortening import cut
from epkit.core.validate.frames import check_frame
from epkit.core.validate.validation import LIMIT, Validator
from epkit.core.validate.violations import Findings, Verdict, verdict
from epkit.errors import UsageError
from epkit.files import parquet
from epkit.files.csv_tables import CsvBlock, CsvTable
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.files.lines import bounded_lines
from epkit.files.tables import check_table, offer_columns, without

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES: Final = 1 << 19
FRAME_ROWS: Final = 10_000
GROUP_ROWS: Final = 50_000
LINES_AT_ONCE: Final = 2_000


class Source(Protocol):
    """Rows of one input.

    `name` is the name in messages, `names` are the columns that are sent, in order, and `total` is the number of rows,
    None if not known. `remarks` has notes for the user about how the input is read.
    """

    name: str
    names: tuple[str, ...]
    total: int | None
    remarks: Sequence[str]

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that are written to the output: those that are sent, and those that are carried."""

    def choose(self, options: TableOptions) -> None:
        """Set which columns are not sent; called before any row is read.

        Raises:
            UsageError: there is no such column, or no column is left.
        """

    def survey(self) -> None:
        """Read as much as must be known before the first row is sent, if there is no contract."""

    def refuse_faults(self, advice: str) -> None:
        """Refuse rows that are not rows of this table, after all rows were read.

        Raises:
            UsageError: it names the first such row, and their number.
        """

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Read the rows.

        Args:
            skip: number of rows to skip at the beginning.
            lists: rows are encoded as lists of cells.
        """

    def frames(self) -> Iterator["pl.DataFrame"]:
        """Read the values of the rows, one frame per block; the types of two frames may differ."""

    def check(self, validator: Validator, *, limit: int = LIMIT) -> Verdict:
        """Check every row against a contract."""

    def findings(self, piece: Piece, start: int, stop: int, validator: Validator) -> Findings:
        """Check some of the rows of a piece."""


def rows_of(path: Path, kind: str, name: str, options: TableOptions = DEFAULT) -> int | None:
    """Count the rows of an input; None for a request body.

    Raises:
        UsageError: the input cannot be read.
    """
    match kind:
        case ".jsonl":
            return sum(1 for _ in lines_of(path, name))
        case ".csv":
            import polars as pl  # late: it costs 0.2 s

            table = CsvTable(path, name=name, options=options)
            return sum(block.frame.height for block in table.blocks(dict.fromkeys(table.names, pl.String)))
        case ".parquet":
            return ParquetSource(path, name, None).total
    return None


def lines_of(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, with their numbers from 1.

    Raises:
        UsageError: the file cannot be read, or a line is too long.
    """
    try:
        with path.open("rb") as file:
            for number, line in bounded_lines(file, name):
                bare = line.strip(b" \t\r\n")
                if number == 1:
                    bare = bare.removeprefix(b"\xef\xbb\xbf")
                if bare:
                    yield number, bare
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


class _Chosen:
    """Base of all sources: some columns are not sent."""

    name: str
    names: tuple[str, ...]
    remarks: Sequence[str] = ()
    options = DEFAULT
    _kept: tuple[str, ...] | None = None
    _given: tuple[str, ...] | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """All columns, including dropped ones."""
        return self.names if self._given is None else self._given

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that are written to the output."""
        return self.names if self._kept is None else self._kept

    def choose(self, options: TableOptions) -> None:
        """Set which columns are not sent.

        Raises:
            UsageError: there is no such column, or no column is left.
        """
        options.check(self.names, self.name)
        self.options = options
        if options.left_out:
            self._given = self.names
            self._kept = tuple(name for name in self.names if name not in options.drop)
            self.names = tuple(name for name in self._kept if name not in options.carry)
            if not self.names:
                raise UsageError(f"{self.name}: no column is left to send: --carry and --drop name all of them")

    def survey(self) -> None:
        """Do nothing: everything is known."""

    def refuse_faults(self, advice: str) -> None:
        """Do nothing: there are no such rows."""


class _File(_Chosen):
    """Base of sources that are files."""

    kind: str
    table: CsvTable | None = None

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.total: int | None = None

    def check(self, validator: Validator, *, limit: int = LIMIT) -> Verdict:
        """Check every row against a contract."""
        found = check_table(
            self.path,
            validator,
            limit=limit,
            name=self.name,
            kind=self.kind,
            table=self.table,
            options=self.options,
        )
        if self.table is not None:
            self.total = self.table.rows
        return found


class _Lines(_Chosen):
    """Base of sources whose rows are JSON."""

    names: tuple[str, ...]

    def _values_piece(self, values: Sequence[Any], *, lists: bool) -> Piece:
        """Encode decoded rows."""
        options = self.options
        sent = [without(value, options.left_out, self.given) for value in values] if options.left_out else values
        rows = [dumps_row(as_list(value, self.names) if lists else value) for value in sent]
        if not lists and not options.carry and all(isinstance(value, dict) for value in sent):
            return Piece(rows, objects=rows)
        written = [as_object(value, self.given) for value in values]
        return Piece(rows, objects=[dumps_row(without(value, frozenset(options.drop))) for value in written])

    def findings(self, piece: Piece, start: int, stop: int, validator: Validator) -> Findings:
        """Check some of the rows of a piece."""
        found = Findings()
        values = [read(row).value for row in piece.rows[start:stop]]
        validator.check_some(values, list(range(start, stop)), found, names=self.names)
        return found


class _Frames(_File):
    """Base of tables that are read as frames."""

    text = False
    spec: RowSpec | None = None

    def _piece(
        self,
        frame: "pl.DataFrame",
        *,
        lists: bool,
        lines: list[bytes] | None = None,
        faults: Mapping[int, str] | None = None,
    ) -> Piece:
        """Encode the rows of a frame."""
        encode = partial(encode_frame, spec=self.spec, text=self.text)
        kept = self.kept
        sent = frame if len(self.names) == frame.width else frame.select(self.names)
        rows = encode(sent, lists=lists)
        return Piece(
            rows,
            objects=None if lists or len(kept) > len(self.names) else rows,
            lines=lines,
            frames=(frame if len(kept) == frame.width else frame.select(kept),),
            faults=faults or NONE,
            encode=partial(encode, lists=False),
        )

    def findings(self, piece: Piece, start: int, stop: int, validator: Validator) -> Findings:
        """Check some of the rows of a piece."""
        found = Findings()
        assert validator.rows is not None
        first = start
        for frame in piece.cut(start, stop).frames:
            check_frame(frame.select(self.names), first, validator.rows, found, validator.schemas, text=self.text)
            first += frame.height
        return found


class CsvSource(_Frames):
    """A CSV file; its types come from the contract, or from its cells if there is no contract."""

    kind = ".csv"
    text = True

    def __init__(self, path: Path, name: str, spec: RowSpec | None, options: TableOptions = DEFAULT) -> None:
        super().__init__(path, name)
        if spec is None and not options.header:
            raise UsageError(
                f"--no-header: no contract says what the columns of {name} are called: name one (--schema), or write a "
                "line of column names above the rows"
            )
        self.spec = spec
        self.table: CsvTable = CsvTable(path, name=name, spec=spec, options=options)
        self.names = tuple(self.table.names)
        self.remarks = self.table.remarks
        self._types: Mapping[str, Any] | None = None

    @property
    def types(self) -> Mapping[str, Any]:
        """Polars' type of each column; without a contract the whole file is read to find the types."""
        if self._types is None:
            if self.spec is None:
                self._types = self.table.inferred()
                self.total = self.table.rows
            else:
                self._types = self.table.typed(self.spec)
        return self._types

    def survey(self) -> None:
        """Find the types of the columns; this reads all rows."""
        _ = self.types

    def refuse_faults(self, advice: str) -> None:
        """Refuse rows whose width differs from the header's, or whose numbers have the other decimal separator.

        Raises:
            UsageError: it names the first such row, and their number.
        """
        if self.table.fault is not None:
            _, fault = self.table.fault
            more = f"; {self.table.faults:,} such rows in all" if self.table.faults > 1 else ""
            raise UsageError(f"{self.name}:{fault.line}: {fault.text}{more}{advice}")

    def frames(self) -> Iterator["pl.DataFrame"]:
        """Read the values of the table."""
        for block in self.table.blocks(self.types):
            yield block.frame

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Read the rows; a piece keeps the text of its rows for the output."""
        for block in self.table.blocks(self.types, block_bytes=BLOCK_BYTES):
            frame = block.frame
            if skip >= frame.height:
                skip -= frame.height
                continue
            lines = self._lines(block)
            for start in range(skip, frame.height, FRAME_ROWS):
                stop = min(start + FRAME_ROWS, frame.height)
                faults = {row - start: fault.words for row, fault in block.faults.items() if start <= row < stop}
                yield self._piece(frame.slice(start, FRAME_ROWS), lists=lists, lines=lines[start:stop], faults=faults)
            skip = 0
        if skip:
            raise UsageError(f"{self.name} has fewer rows than the journal says are done: --restart starts over")

    def _lines(self, block: CsvBlock) -> list[bytes]:
        """Return the line of each row with commas between its cells; lines that have commas already are not changed."""
        frame, text = block.frame, block.text
        cells, comma = self.table.cells, self.table.comma
        wide = len(cells)
        kept = frozenset(self.kept)
        places = [place for place, cell in enumerate(cells) if cell in kept]
        quoted = b'"' in text
        if comma == "," and (quoted or text.count(b",") == (wide - 1) * frame.height):
            lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
            if not lines[-1]:
                lines.pop()
            # Without quotes a line is a row; with quotes each line has to be checked.
            if len(lines) == frame.height and not (
                quoted and any(line.count(b",") != wide - 1 or line.count(b'"') % 2 for line in lines)
            ):
                if len(places) == wide:
                    return lines
                if not quoted:
                    return [b",".join([row[place] for place in places]) for row in (line.split(b",") for line in lines)]
        try:
            rows = list(csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""), delimiter=comma))
        except csv.Error:
            raise self.table.not_csv(self.table.line_at(block.begin)) from None
        rows = [row for row in rows if row]
        if len(rows) != frame.height or any(len(row) != wide for row in rows):
            raise self.table.not_csv(self.table.line_at(block.begin))
        return [csv_line([row[place] for place in places])[:-1].encode() for row in rows]


class ParquetSource(_Frames):
    """A Parquet file, or a directory of them; the types come from the files."""

    kind = ".parquet"

    def __init__(self, path: Path, name: str, spec: RowSpec | None) -> None:
        import polars as pl  # late: it costs 0.2 s

        super().__init__(path, name)
        self.spec = spec
        try:
            self._lazy = parquet.scan(path)
            self.names = tuple(self._lazy.collect_schema().names())
            self.total = self._lazy.select(pl.len()).collect().item()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UsageError(f"{name}: not a Parquet file: {cut(str(error).splitlines()[0], 120)}") from None

    def frames(self, skip: int = 0) -> Iterator["pl.DataFrame"]:
        """Read the values of the table."""
        assert self.total is not None
        for start in range(skip, self.total, GROUP_ROWS):
            yield self._lazy.slice(start, GROUP_ROWS).collect()

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Read the rows."""
        for group in self.frames(skip):
            for low in range(0, group.height, FRAME_ROWS):
                yield self._piece(group.slice(low, FRAME_ROWS), lists=lists)


class LinesSource(_Lines, _File):
    """A file with a row of JSON on each line; rows are sent unchanged."""

    kind = ".jsonl"

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        self.total, self.names = self._survey()

    def frames(self) -> Iterator["pl.DataFrame"]:
        """Read the values of the rows.

        Raises:
            UsageError: a row is an array, so its values have no names.
        """
        rows: list[Mapping[str, Any]] = []
        for number, line in lines_of(self.path, self.name):
            row = read(line).value
            if not isinstance(row, dict):
                raise UsageError(f"{self.name}:{number}:1: a row is an array: its values need names, so give objects")
            rows.append(row)
            if len(rows) == FRAME_ROWS:
                yield values_frame(rows, self.names)
                rows = []
        if rows:
            yield values_frame(rows, self.names)

    def _survey(self) -> tuple[int, tuple[str, ...]]:
        """Read the file once: every line must be JSON, and the columns are those of all rows together."""
        names: dict[str, None] = {}
        total = 0
        for number, line in lines_of(self.path, self.name):
            body = read(line)
            if (fault := body.fault) is not None:
                raise UsageError(f"{self.name}:{number}:{fault.column}: {fault.sentence}")
            total += 1
            row = body.value
            if not isinstance(row, dict | list):
                raise UsageError(f"{self.name}:{number}:1: a row is an object or an array")
            if len(row) != len(names) or not isinstance(row, dict) or row.keys() != names.keys():
                names |= dict.fromkeys(row if isinstance(row, dict) else map(str, range(len(row))))
        return total, tuple(names)

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Read the rows."""
        held: list[bytes] = []
        size = 0
        for place, (_, line) in enumerate(lines_of(self.path, self.name)):
            if place < skip:
                continue
            held.append(line)
            size += len(line)
            if len(held) >= LINES_AT_ONCE or size >= BLOCK_BYTES:
                yield self._text_piece(held, lists=lists)
                held, size = [], 0
        if held:
            yield self._text_piece(held, lists=lists)

    def _text_piece(self, lines: list[bytes], *, lists: bool) -> Piece:
        """Make a piece of rows that are JSON text already."""
        if self.options.left_out:
            return self._values_piece([read(line).value for line in lines], lists=lists)
        if lists or any(not line.startswith(b"{") for line in lines):
            values = [read(line).value for line in lines]
            rows = [dumps_row(as_list(value, self.names)) for value in values] if lists else lines
            return Piece(rows, objects=[dumps_row(as_object(value, self.names)) for value in values])
        return Piece(lines, objects=lines)


class ValuesSource(_Lines):
    """Rows that are decoded already: from a request body, or from Python."""

    def __init__(self, rows: Sequence[Any], name: str, names: Sequence[str] | None = None) -> None:
        self.name, self._rows = name, rows
        self.total: int | None = len(rows)
        if names is None:
            names = tuple(dict.fromkeys(key for row in rows for key in as_object(row, ())))
        self.names = tuple(names)

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Encode the rows."""
        for start in range(skip, len(self._rows), LINES_AT_ONCE):
            values = self._rows[start : start + LINES_AT_ONCE]
            yield self._values_piece(values, lists=lists)

    def frames(self) -> Iterator["pl.DataFrame"]:
        """Yield the values of the rows."""
        for start in range(0, len(self._rows), FRAME_ROWS):
            rows = self._rows[start : start + FRAME_ROWS]
            yield values_frame([as_object(row, self.given) for row in rows], self.names)

    def check(self, validator: Validator, *, limit: int = LIMIT) -> Verdict:
        """Check every row against a contract."""
        found = Findings()
        rows = [without(row, self.options.left_out, self.given) for row in self._rows]
        if not rows:
            found.add("minItems", (), "there are no rows")
        else:
            validator.check_some(rows, list(range(len(rows))), found, names=self.names)
        offer_columns(found, validator)
        return verdict(found, limit=limit)


class FrameSource(_Frames):
    """A polars frame in memory."""

    def __init__(self, frame: "pl.DataFrame", name: str, spec: RowSpec | None) -> None:
        self.name, self._frame, self.spec = name, frame, spec
        self.total = frame.height
        self.names = tuple(frame.columns)

    def pieces(self, skip: int, *, lists: bool) -> Iterator[Piece]:
        """Encode the rows."""
        for start in range(skip, self._frame.height, FRAME_ROWS):
            yield self._piece(self._frame.slice(start, FRAME_ROWS), lists=lists)

    def frames(self) -> Iterator["pl.DataFrame"]:
        """Yield the frame."""
        yield self._frame

    def check(self, validator: Validator, *, limit: int = LIMIT) -> Verdict:
        """Check every row against a contract."""
        found = Findings()
        assert validator.rows is not None
        if not self._frame.height:
            found.add("minItems", (), "there are no rows")
        check_frame(self._frame.select(self.names), 0, validator.rows, found, validator.schemas, text=False)
        offer_columns(found, validator)
        return verdict(found, limit=limit)


def values_frame(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> "pl.DataFrame":
    """Make a frame of decoded rows; an object or an array in a row is converted to its text."""
    import polars as pl

    from epkit.files.frames import series_of  # late: it imports polars, which costs 0.2 s

    return pl.DataFrame([series_of(name, [row.get(name) for row in rows]) for name in names])
