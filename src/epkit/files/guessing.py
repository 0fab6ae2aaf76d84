"""Finds the type of a column that no contract describes: one that preserves each of its cells, or text."""

from typing import TYPE_CHECKING, Any, Final

from epkit.files import number_columns

if TYPE_CHECKING:
    import polars as pl

MOSTLY: Final = 0.9
"""If a text column has at least this fraction of numbers, the cells that are not numbers are reported."""


class Guess:
    """The types that fit all cells of a column so far.

    `numbers` counts the cells that are numbers, `commas` those that are numbers with a decimal comma, `others` all
    cells that are not numbers. `first` is the first of these, with its row. Words for a missing value are not counted.
    """

    def __init__(self, decimal: str | None) -> None:
        """Start with every type.

        Args:
            decimal: the decimal separator; None if the user has not given it.
        """
        import polars as pl  # late: it costs 0.2 s

        self._real = number_columns.real(decimal or ".")
        self._possible: list[tuple[str, Any]] = [
            (number_columns.INTEGER, pl.Int64),
            (self._real, pl.Float64),
            (number_columns.BOOLEAN, pl.Boolean),
        ]
        self._seen = False
        self.numbers = self.commas = self.others = 0
        self.first: tuple[int, str] | None = None

    @property
    def dtype(self) -> Any:
        """Polars' type of the column."""
        import polars as pl

        return self._possible[0][1] if self._seen and self._possible else pl.String

    @property
    def is_mostly_numbers(self) -> bool:
        """Whether it is text only because of a few cells."""
        return bool(self.others) and self.numbers >= MOSTLY * (self.numbers + self.others)

    @property
    def has_commas(self) -> bool:
        """Whether all cells are numbers, some of them with a decimal comma."""
        return bool(self.commas) and self.commas == self.others

    def look(self, cells: "pl.Series", row: int) -> None:
        """Examine further cells.

        Args:
            cells: text, null for an empty cell.
            row: number of the first cell's row.
        """
        if self._seen and not self._possible and not self.numbers and not self.commas:
            return  # words, as in most text columns
        kept = cells.drop_nulls()
        if not len(kept):
            return
        if self._possible and self._fit(kept):
            return
        kept = kept.filter(~number_columns.is_missing(kept))
        if not len(kept) or (self._possible and self._fit(kept)):
            return
        self._possible, self._seen = [], True
        numbers = int(kept.str.contains(self._real).sum())
        self.numbers += numbers
        self.others += len(kept) - numbers
        self.commas += int(kept.str.contains(number_columns.COMMA).sum())
        if self.first is None and numbers < len(kept):
            odd = ~(cells.str.contains(self._real) | number_columns.is_missing(cells))
            place = int(odd.fill_null(False).arg_true()[0])
            self.first = row + place, cells[place]

    def _fit(self, cells: "pl.Series") -> bool:
        """Keep the types that fit all cells; if none does, change nothing and return False."""
        fitting = [choice for choice in self._possible if cells.str.contains(choice[0]).all()]
        if not fitting:
            return False
        self._possible, self._seen = fitting, True
        if any(pattern == self._real for pattern, _ in fitting):
            self.numbers += len(cells)
        else:
            self.others += len(cells)
        return True
