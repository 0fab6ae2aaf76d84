"""Parquet: a file, or a directory of files that are one table, as Dask and Spark write them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


def parts_of(path: Path) -> list[Path]:
    """Return the files of a table in their order: `part.10` after `part.9`, as Dask has them.

    Args:
        path: of a file, or of a directory. What begins with `_` or `.` is no part.

    Raises:
        UsageError: a directory has no part.
    """
    if not path.is_dir():
        return [path]
    found = [
        part
        for part in path.rglob("*.parquet")
        if part.is_file() and not any(name.startswith(("_", ".")) for name in part.relative_to(path).parts)
    ]
    if not found:
        raise UsageError(f"{path}: is a directory without a .parquet file")
    return sorted(found, key=lambda part: _natural(str(part.relative_to(path))))


def scan(path: Path) -> "pl.LazyFrame":
    """Open a table; columns that stand in the names of its directories (`year=2026`) are columns, too.

    Raises:
        UsageError: a directory has no part.
        PolarsError: what is there is no Parquet file.
    """
    import polars as pl  # late: it costs 0.2 s

    parts = parts_of(path)
    hive = any("=" in part.relative_to(path).as_posix() for part in parts if part != path)
    return pl.scan_parquet(parts, hive_partitioning=hive)


def size_of(path: Path) -> int:
    """Return the bytes of a table's files."""
    return sum(part.stat().st_size for part in parts_of(path))


def _natural(name: str) -> list[tuple[int, str]]:
    """Make names with numbers in them sort by the numbers."""
    return [(int(digits), "") if digits else (-1, text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]
