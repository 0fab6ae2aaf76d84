"""Cells and lines of CSV files."""

from collections.abc import Sequence
from typing import Any

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
