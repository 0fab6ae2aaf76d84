"""The values of a column as numbers: how rows are read, the same in training and when they are scored.

A number is itself, a category its place in the card's list, a date some numbers; what is missing or unseen is NaN.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np

MISSING_NUMBERS: Final = frozenset({"", "nan", "na", "null", "none", "?"})
"""Texts, in small letters, that stand for a missing number."""
DATE_PARTS: Final = ("year", "month", "day", "weekday", "hour", "days")
"""What a date is made into; `weekday` is 0 on Mondays, `days` counts from 1970 with a fraction."""


class BadValueError(ValueError):
    """A value that its column cannot have.

    Args:
        place: of the value in the column, from 0.
        problem: what is wrong with it.
    """

    def __init__(self, place: int, column: str, problem: str) -> None:
        super().__init__(f'row {place + 1}, column "{column}": {problem}')
        self.place, self.column, self.problem = place, column, problem


class Encoder:
    """Makes numbers of the values of one column.

    Args:
        column: of the card: `name`, `kind` (`number`, `category`, `date`), `categories` or `parts`; `missing` tells
            whether a value was missing in training.
        strict: refuse a missing value where there was none in training, as nothing was learned of it.
    """

    def __init__(self, column: Mapping[str, Any], *, strict: bool = False) -> None:
        self.name = str(column["name"])
        self.may_lack = bool(column.get("missing", True))
        self._strict = strict and not self.may_lack
        self.parts: tuple[str, ...] = tuple(column.get("parts", ()))
        self.width = len(self.parts) if column["kind"] == "date" else 1
        self._words = MISSING_NUMBERS if column["kind"] == "number" else {""}
        self._boolean = bool(column.get("boolean"))
        self._codes: dict[Any, float] = {text: float(code) for code, text in enumerate(column.get("categories", ()))}
        kinds = {"number": self._numbers, "category": self._categories, "date": self._dates}
        self._encode: Callable[[Sequence[Any] | np.ndarray], np.ndarray] = kinds[column["kind"]]

    def __call__(self, values: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return float64, values × columns of the matrix; NaN where a value is missing or unseen.

        Raises:
            BadValueError: a text that is no number in a column of numbers, an infinite number, a list or an object; a
                missing value, if they are refused.
        """
        encoded = self._encode(values).reshape(len(values), self.width)
        if self._strict:
            for place in np.isnan(encoded[:, 0]).nonzero()[0].tolist():
                self._check(place, values[place])
        return encoded

    def _check(self, place: int, value: Any) -> None:
        """Refuse a value that became NaN, unless it is one that training did not see."""
        if value is None or value != value or (isinstance(value, str) and value.strip().lower() in self._words):
            raise BadValueError(place, self.name, "missing, and the model was trained on rows that all have a value")
        if self.parts:
            raise BadValueError(place, self.name, f"{_short(value)} is not a date")

    def _numbers(self, values: Sequence[Any] | np.ndarray) -> np.ndarray:
        try:
            if isinstance(values, np.ndarray) or not any(isinstance(value, str) for value in values):
                numbers = np.array(values, dtype=np.float64)
            else:
                numbers = np.array([self._number(place, value) for place, value in enumerate(values)])
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, BadValueError):
                raise
            numbers = np.array([self._number(place, value) for place, value in enumerate(values)])
        infinite = np.isinf(numbers)
        if infinite.any():
            raise BadValueError(int(infinite.argmax()), self.name, "an infinite number")
        return numbers

    def _number(self, place: int, value: Any) -> float:
        if value is None or (isinstance(value, str) and value.strip().lower() in self._words):
            return math.nan
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise BadValueError(place, self.name, f"{_short(value)} is not a number") from None

    def _categories(self, values: Sequence[Any] | np.ndarray) -> np.ndarray:
        codes = self._codes
        try:
            return np.array([codes[value] for value in values], dtype=np.float64)
        except (KeyError, TypeError):  # unseen, missing, or no text
            texts = (self._text(place, value) for place, value in enumerate(values))
            return np.array([codes.get(text, math.nan) for text in texts], dtype=np.float64)

    def _text(self, place: int, value: Any) -> str | None:
        if isinstance(value, str):
            return value.strip().lower() if self._boolean else value
        if value is None or value != value:  # NaN
            return None
        if isinstance(value, list | dict):
            raise BadValueError(place, self.name, f"{_short(value)} is not a text")
        return json.dumps(value)  # a number or a boolean, as a request has it

    def _dates(self, values: Sequence[Any] | np.ndarray) -> np.ndarray:
        moments = np.array([_moment(value) for value in values], dtype="datetime64[us]")
        days = moments.astype("datetime64[D]")
        months = days.astype("datetime64[M]")
        years = months.astype("datetime64[Y]")
        hours = moments.astype("datetime64[h]")
        found = {
            "year": years.astype(np.int64) + 1970,
            "month": (months - years).astype(np.int64) + 1,
            "day": (days - months).astype(np.int64) + 1,
            "weekday": (days.astype(np.int64) + 3) % 7,  # 1970 began on a Thursday
            "hour": (hours - days).astype(np.int64),
            "days": moments.astype(np.int64) / 86_400_000_000,
        }
        parts = np.column_stack([found[part].astype(np.float64) for part in self.parts])
        parts[np.isnat(moments)] = math.nan
        return parts


def _moment(value: Any) -> datetime | None:
    """Read a date as ISO 8601 writes it; a time zone is made UTC; None where there is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        try:
            return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:  # in a year before 1
            return None
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None  # noqa: DTZ001


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def encode_column(column: Mapping[str, Any], values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return float64, values × columns of the matrix: see `Encoder`."""
    return Encoder(column)(values)
