"""Rows of a CSV file that are not as wide as its header, and lines that are no rows: found, and put in order."""

import csv
import io
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_BREAK: Final = ord("\n")
_BLANKS: Final = np.frombuffer(b" \t\r\n", dtype=np.uint8)


class Fault(NamedTuple):
    """Why a row of a file cannot be sent.

    `rule` is a short name, `column` the column that it is in, None where it is the whole row; `line` counts from 1.
    """

    rule: str
    column: str | None
    line: int
    text: str

    @property
    def words(self) -> str:
        """All of it in words."""
        return f"line {self.line:,}: {self.text}"


class TidyBlock(NamedTuple):
    """Rows of one width: their text, how many they are, and how many cells those had that were not so wide."""

    text: bytes
    rows: int
    ragged: dict[int, int]


def looks_tidy(data: bytes, separator: str, frame: "pl.DataFrame") -> bool:
    """Tell whether the rows that polars read are all of one width and none is a blank line, without a close look.

    Args:
        frame: what polars read *data* as, with each of its columns. A row that is too long it would have refused.
    """
    if frame.width < 2 or b'"' in data:
        return False
    marks = np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord(separator))
    return int(marks) == (frame.width - 1) * frame.height


def tidy(data: bytes, separator: str, *, wide: int, least: int) -> TidyBlock:
    """Leave out blank lines, and give every row the width of the header.

    A row that is short is filled up and one that is long is cut, for the sake of the rows around it; both are reported.
    Empty cells at the end are no fault: what is too many of them is cut off.

    Args:
        data: whole rows, quotes closed.
        wide: cells of the header.
        least: cells that a row has to have: behind them are columns without a name.
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
        except csv.Error:  # a carriage return that no quotes enclose
            row = text.split(separator)
        if len(row) < least or any(cell.strip() for cell in row[wide:]):
            ragged[place - gone] = len(row)
        line = io.StringIO()
        # Only what is part of a line end is quoted inside a cell.
        csv.writer(line, delimiter=separator, lineterminator="\r\n").writerow([*row, *[""] * (wide - len(row))][:wide])
        kept.append(line.getvalue()[:-2].encode("latin-1") + b"\n")
    kept.append(data[at:])
    return TidyBlock(b"".join(kept), len(found.ends) - gone, ragged)


def lines_of_rows(data: bytes) -> np.ndarray:
    """Return how many lines of a text are before each of its rows."""
    found = _Lines(data)
    return np.searchsorted(found.breaks, found.begins[~found.blank])


class _Lines:
    """Where the rows of a text begin and end, and which of them are blank lines."""

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
        """Return where a separator is outside of quotes."""
        return self._outside(np.flatnonzero(self._view == ord(separator)))

    def _outside(self, places: np.ndarray) -> np.ndarray:
        # Quotes inside quotes are doubled, so outside of them their number is even.
        return places[np.searchsorted(self._quotes, places) % 2 == 0] if len(self._quotes) else places
