"""How a table is written, and which of its columns go to the model: from the user's options, and from its text."""

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
"""Of the rows by which the separator is known."""

_MARK: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The line that names the separator for Excel."""

_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What the user says of a table.

    Args:
        carry: columns that are kept in the output and not sent.
        drop: columns that are left out of both.
        encoding: of its text, as Python calls it; None for UTF-8, or what a byte order mark says.
        decimal: `.` or `,`; None for `.`, where a number with a comma is refused and not taken for a text.
        header: whether the first line has the names; else they are the contract's.
        remarks: whether a user wants to know of a column of numbers that is read as text.
    """

    carry: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    encoding: str | None = None
    decimal: str | None = None
    header: bool = True
    remarks: bool = True

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise UsageError(f"--decimal {cut(str(self.decimal), 20)}: is . or ,")
        if both := [name for name in self.carry if name in self.drop]:
            raise UsageError(f"--drop {shlex.quote(both[0])}: is carried, too: give one of both")

    @property
    def identity(self) -> str:
        """What a job's journal has of it; empty where nothing is said."""
        said = [list(self.carry), list(self.drop), self.encoding, self.decimal, self.header]
        return "" if self == TableOptions() else json.dumps(said)

    @property
    def left_out(self) -> frozenset[str]:
        """Columns that are not sent."""
        return frozenset((*self.carry, *self.drop))

    def check(self, names: Sequence[str], where: str) -> None:
        """Refuse a column that a table has not.

        Raises:
            UsageError: naming it, and the one that was probably meant.
        """
        for flag, asked in (("--carry", self.carry), ("--drop", self.drop)):
            for name in asked:
                if name not in names:
                    asked_for = shlex.quote(cut(name, 60))
                    raise UsageError(f"{flag} {asked_for}: {where} has no such column: {hint(name, names)}")


DEFAULT: Final = TableOptions()


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """Read lists of columns, with commas between them; a name with a comma in it is written in quotes."""
    found = [name for row in csv.reader(texts, skipinitialspace=True) for name in row]
    return tuple(dict.fromkeys(name for name in found if name))


def names_of(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Take names of columns from Python, where a single one may stand by itself."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def offer(name: str) -> str:
    """Say what can be done with a column that is not for the model."""
    shown = shlex.quote(f'"{name}"' if "," in name else name)
    return f"--carry {shown} keeps it in the output and does not send it, --drop {shown} leaves it out"


def marked(line: str) -> str | None:
    """Return the separator of a first line such as `sep=;`, None where it is another line."""
    found = _MARK.fullmatch(line)
    return found[1] if found is not None else None


def separator_of(head: str) -> str:
    """Choose the separator of cells: what cuts the first rows as it cuts the header, else the header the most.

    Args:
        head: the first lines of a table, the header first; the last one may be cut off.
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
    """Tell whether a text looks like a table: two rows or more, all of as many cells, and more than one.

    Raises:
        OSError: it cannot be read.
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
    """Tell whether a line that should hold the names of columns holds a row.

    Whole numbers that ascend are names, as pandas writes them for a frame without names, or years.

    Args:
        spec: of the contract, whose names are no data.
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
    # Two names are never the same, and two cells of a row often are.
    return 2 * len(numbers) > len(named) or (2 * len(numbers) == len(named) and len(set(named)) < len(named))
