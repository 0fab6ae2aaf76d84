"""Parquet tables: a file, or a directory of files that form one table, as Dask and Spark write them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


def parts_of(path: Path) -> list[Path]:
    """Return the files of a table in Dask's order: `part.10` after `part.9`.

    Args:
        path: a file or a directory. Files whose names begin with `_` or `.` are not parts.

    Raises:
        UsageError: the directory has no part.
    """
    if not path.is_dir():
        return [path]
    found = [
        part
        for part in path.rglob("*.parquet")
        if part.is_file() and not any(name.startswith(("_", ".")) for name in part.relative_to(path).parts)
    ]
    if not found:
        raise UsageError(f"{path} is a directory without a .parquet file")
    return sorted(found, key=lambda part: _natural(str(part.relative_to(path))))


def scan(path: Path) -> "pl.LazyFrame":
    """Open a table. Values in the names of its directories (`year=2026`) become columns too.

    Raises:
        UsageError: the directory has no part.
        PolarsError: a file is not Parquet.
    """
    import polars as pl  # late: it costs 0.2 s

    parts = parts_of(path)
    hive = any("=" in part.relative_to(path).as_posix() for part in parts if part != path)
    return pl.scan_parquet(parts, hive_partitioning=hive)


def size_of(path: Path) -> int:
    """Return the size of a table's files in bytes."""
    return sum(part.stat().st_size for part in parts_of(path))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that sorts names with numbers by the numbers."""
    return [(int(digits), "") if digits else (-1, text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]
