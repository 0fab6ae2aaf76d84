"""Counts the output of a job again: before a job is resumed, its journal is checked against the output."""

import csv
from pathlib import Path
from typing import Final

from epkit.core.json.records import loads_record
from epkit.core.score.journal import Point

BLOCK: Final = 1 << 20


def rows_of(out: Path, parts: Path, point: Point) -> int | None:
    """Count the rows of the output that a point covers: for CSV and JSON lines, in the first bytes.

    Args:
        parts: directory of the parts of a Parquet file; the parts before the point's number of rows count.

    Returns:
        None if the output does not end with a complete row, or its parts cannot be read or are not consecutive.

    Raises:
        OSError: the output cannot be read.
    """
    match out.suffix.lower():
        case ".parquet":
            return _in_parquet(out) if point.complete else _in_parts(parts, point.rows)
        case ".csv":
            lines = _csv_lines(out, point.out)
            return lines if lines is None or not point.out else lines - 1  # without the header
    return lines_of(out, point.out)


def has_layout(out: Path, parts: Path, point: Point) -> bool:
    """Tell whether the last columns of the output are the prediction columns of a point.

    Raises:
        OSError: the output cannot be read.
    """
    if not point.rows or point.layout is None:
        return True
    names = list(point.layout["names"])
    try:
        return _columns(out, parts, point)[-len(names) :] == names
    except (ValueError, csv.Error, StopIteration):
        return False


def _columns(out: Path, parts: Path, point: Point) -> list[str]:
    match out.suffix.lower():
        case ".parquet":
            import polars as pl  # late: it costs 0.2 s

            first = out if point.complete else min(parts.iterdir())
            return list(pl.read_parquet_schema(first))
        case ".csv":
            with out.open(encoding="utf-8", newline="") as file:
                return next(csv.reader(file))
    with out.open("rb") as file:
        return list(loads_record(file.readline()))


def lines_of(path: Path, length: int) -> int | None:
    """Count the lines in the first bytes of a file, None if these do not end with a complete line."""
    return _count(path, length, quoted=False)


def _csv_lines(path: Path, length: int) -> int | None:
    return _count(path, length, quoted=True)


def _count(path: Path, length: int, *, quoted: bool) -> int | None:
    """Count line breaks; with *quoted*, only those outside of quotes."""
    found, left, inside, last = 0, length, False, b"\n"
    if not length:
        return 0
    with path.open("rb") as file:
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            last = block[-1:]
            if not quoted or (not inside and b'"' not in block):
                found += block.count(b"\n")
                continue
            pieces = block.split(b'"')
            found += sum(piece.count(b"\n") for piece in pieces[inside::2])
            inside ^= len(pieces) % 2 == 0
    return None if left or inside or last != b"\n" else found


def _in_parts(parts: Path, rows: int) -> int | None:
    """Count the rows of the parts that count; there must be no gap between them."""
    known = sorted(part for part in parts.iterdir() if part_start(part) is not None) if parts.is_dir() else []
    at = 0
    for part in known:
        if (part_start(part) or 0) >= rows:
            break
        height = _in_parquet(part)
        if height is None or part_start(part) != at:
            return None
        at += height
    return at


def part_start(part: Path) -> int | None:
    """Return the number of the first row of a part, None if the file is not a part."""
    name = part.stem
    return int(name) if part.suffix == ".parquet" and name.isascii() and name.isdigit() and len(name) < 19 else None


def _in_parquet(path: Path) -> int | None:
    import polars as pl  # late: it costs 0.2 s

    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        return None
