"""Cells and lines of CSV files."""

import csv
import io
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from epkit.core.json.writing import dumps


def csv_cell(value: Any) -> str:
    """Return a value as a CSV cell, quoted if necessary; lists and objects as JSON, None as an empty cell."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else dumps(value).decode()
    if not text or any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_line(cells: Sequence[Any]) -> str:
    """Return a line of a CSV file, including its line break."""
    # A line with one empty cell would be an empty line, which is no row, so this cell is quoted.
    return ",".join(csv_cell(cell) if cell != "" or len(cells) == 1 else "" for cell in cells) + "\n"


_PLAIN: Final = frozenset({int, float, str, type(None)})
"""Types that the standard library writes like `csv_cell`."""


def csv_lines(rows: Sequence[Sequence[Any]]) -> str:
    """Return lines of a CSV file."""
    if set(map(type, chain.from_iterable(rows))) - _PLAIN:
        return "".join(map(csv_line, rows))
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue()
