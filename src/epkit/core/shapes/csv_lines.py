"""Cells and lines of CSV files."""

import csv
import io
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from epkit.core.json.writing import dumps


def csv_cell(value: Any) -> str:
    """Write a value as a cell of a CSV file, quoted where it has to be; lists and objects as JSON, None as nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else dumps(value).decode()
    if not text or any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_line(cells: Sequence[Any]) -> str:
    """Write a line of a CSV file, its line break included."""
    # A line of one empty cell would be an empty line, which is none; else an empty text is written as nothing.
    return ",".join(csv_cell(cell) if cell != "" or len(cells) == 1 else "" for cell in cells) + "\n"


_PLAIN: Final = frozenset({int, float, str, type(None)})
"""Types that the standard library writes as `csv_cell` does."""


def csv_lines(rows: Sequence[Sequence[Any]]) -> str:
    """Write lines of a CSV file."""
    if set(map(type, chain.from_iterable(rows))) - _PLAIN:
        return "".join(map(csv_line, rows))
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue()
