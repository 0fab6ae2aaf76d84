"""The format of a table and the columns that go to the model: from the user's options, and from the text."""

import csv
import io
import itertools
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from epkit.core.contract.columns import RowSpec
from epkit.core.near import hint
from epkit.core.shortening import cut
from epkit.errors import UsageError

SEPARATORS: Final = (",", ";", "\t", "|")
SAMPLE_ROWS: Final = 20
SAMPLE_BYTES: Final = 1 << 16
"""Bytes of the first rows that determine the separator."""

_MARK: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The line that names the separator for Excel."""

_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """The user's options for a table.

    Args:
        carry: columns that are copied to the output and not sent.
        drop: columns that are neither sent nor copied to the output.
        encoding: encoding of the text, with Python's name; None for UTF-8, or for the one that a byte order mark shows.
        decimal: `.` or `,`; None for `.`. A number with a comma is then refused; it is not read as text.
        header: whether the first line has the names; otherwise the names come from the contract.
        remarks: whether the user wants a note about a column of numbers that is read as text.
    """

    carry: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    encoding: str | None = None
    decimal: str | None = None
    header: bool = True
    remarks: bool = True

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise UsageError(f"--decimal {cut(str(self.decimal), 20)} must be . or ,")
        if both := [name for name in self.carry if name in self.drop]:
            raise UsageError(f"--drop {shlex.quote(both[0])} is also carried: drop it or carry it")

    @property
    def identity(self) -> str:
        """The options as a job's journal records them; empty if none is set."""
        said = [list(self.carry), list(self.drop), self.encoding, self.decimal, self.header]
        return "" if self == TableOptions() else json.dumps(said)

    @property
    def left_out(self) -> frozenset[str]:
        """Columns that are not sent."""
        return frozenset((*self.carry, *self.drop))

    def check(self, names: Sequence[str], where: str) -> None:
        """Refuse a column that the table does not have.

        Raises:
            UsageError: it names the column, and the column that was probably meant.
        """
        for flag, asked in (("--carry", self.carry), ("--drop", self.drop)):
            for name in asked:
                if name not in names:
                    asked_for = shlex.quote(cut(name, 60))
                    raise UsageError(f"{flag} {asked_for}: {where} has no such column: {hint(name, names)}")


DEFAULT: Final = TableOptions()


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """Read comma-separated lists of columns; a name that contains a comma is written in quotes."""
    found = [name for row in csv.reader(texts, skipinitialspace=True) for name in row]
    return tuple(dict.fromkeys(name for name in found if name))


def names_of(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Take names of columns from Python; a single name may be a plain string."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def offer(name: str) -> str:
    """Return advice about a column that the model does not use."""
    shown = shlex.quote(f'"{name}"' if "," in name else name)
    return f"--carry {shown} keeps it in the output and does not send it, --drop {shown} leaves it out"


def marked(line: str) -> str | None:
    """Return the separator in a first line such as `sep=;`, None for any other line."""
    found = _MARK.fullmatch(line)
    return found[1] if found is not None else None


def separator_of(head: str) -> str:
    """Choose the separator of cells.

    It is one that cuts the first rows like the header, otherwise the one that cuts the header most often.

    Args:
        head: the first lines of a table, beginning with the header; the last line may be cut off.
    """
    best, score = ",", (0.0, 0)
    for mark in SEPARATORS:
        rows = _sampled(head, mark)
        wide = len(rows[0]) if rows else 0
        if wide > 1:
            equal = sum(len(row) == wide for row in rows[1:]) / len(rows[1:]) if rows[1:] else 1.0
            if (equal, wide) > score:
                best, score = mark, (equal, wide)
    return best


def is_tabular(path: Path) -> bool:
    """Tell whether a text looks like a table: two or more rows with equal numbers of cells, at least two cells each.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES).decode("utf-8", "replace")
    rows = _sampled(head, separator_of(head))
    widths = set(map(len, rows))
    return len(rows) > 1 and len(widths) == 1 and widths != {1}


def _sampled(head: str, mark: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=mark):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                return rows
    except csv.Error:
        pass
    return rows[:-1] if len(rows) > 2 else rows


def data_as_header(cells: Sequence[str], spec: RowSpec | None) -> bool:
    """Tell whether the line that should be the header is a row of data.

    Ascending whole numbers count as names: pandas writes them for a frame without names, and they may be years.

    Args:
        spec: the rows of the contract; their names are not data.
    """
    named = [cell for cell in cells if cell.strip()]
    numbers = [cell for cell in named if _NUMBER.fullmatch(cell)]
    if not numbers:
        return False
    if spec is not None and spec.shape == "records":
        if any(cell in spec.columns for cell in named):
            return False
        kinds = [column.kind for column in spec.columns.values()]
        typed = len(cells) == len(kinds) and all(
            _NUMBER.fullmatch(cell) or not cell.strip()
            for cell, kind in zip(cells, kinds, strict=True)
            if kind in ("integer", "number")
        )
        return typed or 2 * len(numbers) >= len(named)
    if all(_WHOLE.fullmatch(cell) for cell in numbers):
        whole = list(map(int, numbers))
        if all(low < high for low, high in itertools.pairwise(whole)):
            return False
    # Names of columns are unique; cells of a row often are not.
    return 2 * len(numbers) > len(named) or (2 * len(numbers) == len(named) and len(set(named)) < len(named))
