"""Reads columns of numbers as they occur in files: with words for missing values, signs, blanks, and decimal commas."""

from typing import TYPE_CHECKING, Any, Final

from epkit.core.validate.frames import MISSING

if TYPE_CHECKING:
    import polars as pl

INTEGER: Final = r"^[ \t]*[+-]?(0|[1-9][0-9]{0,17})[ \t]*$"
REAL: Final = r"^[ \t]*[+-]?((0|[1-9][0-9]{0,14})(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?[ \t]*$"
BOOLEAN: Final = r"^(true|false|True|False|TRUE|FALSE)$"
COMMA: Final = r"^[ \t]*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]{1,2})?[ \t]*$"
"""A number with a comma, which separates decimals or thousands."""

POINT: Final = r"^[+-]?[0-9,]*\.[0-9.,]*([eE][+-]?[0-9]{1,2})?$"
"""A number with one or more points."""


def real(decimal: str) -> str:
    """Return the pattern of a number with this decimal separator."""
    return REAL.replace(r"\.", decimal) if decimal == "," else REAL


def is_missing(cells: "pl.Series") -> "pl.Series":
    """Tell for each text whether it means a missing value."""
    return cells.str.strip_chars().str.to_lowercase().is_in(list(MISSING))


def as_numbers(cells: "pl.Series", dtype: Any, decimal: str) -> tuple["pl.Series", "pl.Series | None"]:
    """Read a column of text as numbers.

    Args:
        decimal: the decimal separator, `.` or `,`.

    Returns:
        Two values. First, numbers and nulls; or, if a cell is neither a number nor a missing value, texts with null for
        missing values and a point as the decimal separator. Second, the cells with the other decimal separator, with
        null in the other rows; None if there are no such cells.
    """
    import polars as pl  # late: it costs 0.2 s

    bare = cells.str.strip_chars()
    bare = bare.set(is_missing(bare).fill_null(False), None)
    # With decimal commas, a point may separate thousands: the meaning of such a cell is not guessed.
    odd = bare.str.contains(POINT).fill_null(False) if decimal == "," else None
    read = bare if odd is None else bare.str.replace(",", ".", literal=True).zip_with(~odd, bare)
    found = read.cast(dtype, strict=False)
    if found.null_count() == bare.null_count() and (odd is None or not odd.any()):
        return (found.fill_nan(None) if dtype == pl.Float64 else found), None
    if odd is None:
        odd = bare.str.contains(COMMA).fill_null(False)
    return read, bare.set(~odd, None) if odd.any() else None
