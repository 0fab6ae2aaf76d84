"""Finds and repairs rows of a CSV file that are not as wide as its header, and lines that are not rows."""

import csv
import io
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_BREAK: Final = ord("\n")
_BLANKS: Final = np.frombuffer(b" \t\r\n", dtype=np.uint8)


class Fault(NamedTuple):
    """The reason why a row of a file cannot be sent.

    `rule` is a short name of the reason. `column` is the column with the fault, None if the whole row is faulty. `line`
    counts from 1.
    """

    rule: str
    column: str | None
    line: int
    text: str

    @property
    def words(self) -> str:
        """The whole reason as text."""
        return f"line {self.line:,}: {self.text}"


class TidyBlock(NamedTuple):
    """Rows of one width: their text, their number, and the numbers of cells of rows that had another width."""

    text: bytes
    rows: int
    ragged: dict[int, int]


def looks_tidy(data: bytes, separator: str, frame: "pl.DataFrame") -> bool:
    """Tell quickly whether all rows that polars read have the same width, and none is a blank line.

    Args:
        frame: the result of polars for *data*, with all columns. polars refuses a row that is too long.
    """
    if frame.width < 2 or b'"' in data:
        return False
    marks = np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord(separator))
    return int(marks) == (frame.width - 1) * frame.height


def tidy(data: bytes, separator: str, *, wide: int, least: int) -> TidyBlock:
    """Remove blank lines, and give every row the width of the header.

    A short row is filled up and a long one is cut, so that the rows around it can be read; both are reported. Surplus
    empty cells at the end are cut without a report.

    Args:
        data: complete rows, with closed quotes.
        wide: number of cells in the header.
        least: number of cells that a row must have; the columns after them have no name.
    """
    found = _Lines(data)
    cells = np.diff(np.searchsorted(found.outside(separator), found.ends), prepend=0) + 1
    special = np.flatnonzero(found.blank | (cells != wide))
    if not len(special):
        return TidyBlock(data, len(found.ends), {})
    kept: list[bytes] = []
    ragged: dict[int, int] = {}
    at = gone = 0
    for place in special.tolist():
        begin, end = int(found.begins[place]), int(found.ends[place])
        kept.append(data[at:begin])
        at = end + 1
        if found.blank[place]:
            gone += 1
            continue
        text = data[begin:end].decode("latin-1").removesuffix("\r")
        try:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        except csv.Error:  # a carriage return outside of quotes
            row = text.split(separator)
        if len(row) < least or any(cell.strip() for cell in row[wide:]):
            ragged[place - gone] = len(row)
        line = io.StringIO()
        # Inside a cell, only a part of a line end needs quotes.
        csv.writer(line, delimiter=separator, lineterminator="\r\n").writerow([*row, *[""] * (wide - len(row))][:wide])
        kept.append(line.getvalue()[:-2].encode("latin-1") + b"\n")
    kept.append(data[at:])
    return TidyBlock(b"".join(kept), len(found.ends) - gone, ragged)


def lines_of_rows(data: bytes) -> np.ndarray:
    """Return for each row of a text the number of lines before it."""
    found = _Lines(data)
    return np.searchsorted(found.breaks, found.begins[~found.blank])


class _Lines:
    """The places of the rows of a text, and which of them are blank lines."""

    def __init__(self, data: bytes) -> None:
        self._view = np.frombuffer(data, dtype=np.uint8)
        self._quotes = np.flatnonzero(self._view == ord('"'))
        self.breaks = np.flatnonzero(self._view == _BREAK)
        self.ends = self._outside(self.breaks)
        if not data.endswith(b"\n"):
            self.ends = np.append(self.ends, len(data))
        self.begins = np.concatenate(([0], self.ends[:-1] + 1))
        self.blank = np.zeros(len(self.ends), dtype=bool)
        first = self._view[np.minimum(self.begins, len(data) - 1)]
        for place in np.flatnonzero(np.isin(first, _BLANKS)):
            self.blank[place] = not data[self.begins[place] : self.ends[place]].strip(b" \t\r\n")

    def outside(self, separator: str) -> np.ndarray:
        """Return the places of separators outside of quotes."""
        return self._outside(np.flatnonzero(self._view == ord(separator)))

    def _outside(self, places: np.ndarray) -> np.ndarray:
        # Quotes inside quotes are doubled, so a place outside of quotes has an even number of quotes before it.
        return places[np.searchsorted(self._quotes, places) % 2 == 0] if len(self._quotes) else places
