"""Columns of numbers as files have them: with words for missing values, signs, blanks, and decimal commas."""

from typing import TYPE_CHECKING, Any, Final

from epkit.core.validate.frames import MISSING

if TYPE_CHECKING:
    import polars as pl

INTEGER: Final = r"^[ \t]*[+-]?(0|[1-9][0-9]{0,17})[ \t]*$"
REAL: Final = r"^[ \t]*[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?[ \t]*$"
BOOLEAN: Final = r"^(true|false|True|False|TRUE|FALSE)$"
COMMA: Final = r"^[ \t]*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]{1,2})?[ \t]*$"
"""A number with a comma: of decimals, or of thousands."""

POINT: Final = r"^[+-]?[0-9,]*\.[0-9.,]*([eE][+-]?[0-9]{1,2})?$"
"""A number with a point, or with several."""


def real(decimal: str) -> str:
    """Return the pattern of a number with this decimal separator."""
    return REAL.replace(r"\.", decimal) if decimal == "," else REAL


def is_missing(cells: "pl.Series") -> "pl.Series":
    """Tell for each text whether it means a missing value."""
    return cells.str.strip_chars().str.to_lowercase().is_in(list(MISSING))


def as_numbers(cells: "pl.Series", dtype: Any, decimal: str) -> tuple["pl.Series", "pl.Series | None"]:
    """Read a column of text as numbers.

    Args:
        decimal: what separates decimals, `.` or `,`.

    Returns:
        Numbers and nulls; or where a cell is neither a number nor a missing one, the texts, with the missing ones null
        and a point in the numbers. Then the cells that are written with the other separator, the others null; None
        where none is.
    """
    import polars as pl  # late: it costs 0.2 s

    bare = cells.str.strip_chars()
    bare = bare.set(is_missing(bare).fill_null(False), None)
    # A point may separate thousands where a comma separates decimals: such a cell is never guessed at.
    odd = bare.str.contains(POINT).fill_null(False) if decimal == "," else None
    read = bare if odd is None else bare.str.replace(",", ".", literal=True).zip_with(~odd, bare)
    found = read.cast(dtype, strict=False)
    if found.null_count() == bare.null_count() and (odd is None or not odd.any()):
        return (found.fill_nan(None) if dtype == pl.Float64 else found), None
    if odd is None:
        odd = bare.str.contains(COMMA).fill_null(False)
    return read, bare.set(~odd, None) if odd.any() else None
