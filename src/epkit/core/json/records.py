"""Reads records of files that epkit wrote earlier. Each value is checked, because others may have changed the file."""

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import orjson

MOST: Final = 2**63 - 1
"""The largest whole number of a record: the largest that numpy's int64 can represent."""

LONGEST_SHOWN: Final = 40


def loads_record(data: bytes) -> dict[str, Any]:
    """Decode the text of a record: an object, without NaN and the infinities.

    Raises:
        ValueError: it is not such a text, or is nested too deeply.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        # The text has half a surrogate pair, from a file name in another encoding.
        try:
            value = json.loads(data, parse_constant=_refuse_word)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - as for other faults of a text
    return value


class Record:
    """The values of a record; each is read with a check of its type and bounds.

    Every method raises ValueError with the name of the value if the value has another type or is out of bounds, or if
    it is missing and has no *default*.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def whole(self, name: str, *, least: int = 0, most: int = MOST, default: int | None = None) -> int:
        """Take a whole number from *least* to *most*."""
        value = self._value(name, default)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, *, default: float | None = None) -> float:
        """Take a number from 0 on."""
        value = self._value(name, default)
        if type(value) not in (int, float) or not 0 <= value <= MOST:
            raise self._wrong(name, "a number from 0 on")
        return float(value)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Take true or false."""
        value = self._value(name, default)
        if type(value) is not bool:
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str, *, default: str | None = None) -> str:
        """Take a text."""
        value = self._value(name, default)
        if type(value) is not str:
            raise self._wrong(name, "a text")
        return value

    def texts(self, name: str, *, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Take an array of texts."""
        value = self._value(name, default)
        if not isinstance(value, list | tuple) or not all(type(each) is str for each in value):
            raise self._wrong(name, "an array of texts")
        return tuple(value)

    def wholes(self, name: str, *, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Take an array of whole numbers from 0 on."""
        value = self._value(name, default)
        if not isinstance(value, list | tuple) or not all(type(each) is int and 0 <= each <= MOST for each in value):
            raise self._wrong(name, "an array of whole numbers")
        return tuple(value)

    def object(self, name: str, *, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Take an object."""
        value = self._value(name, default)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return value

    def array(self, name: str, *, default: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        """Take an array of anything."""
        value = self._value(name, default)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "an array")
        return tuple(value)

    def _value(self, name: str, default: Any) -> Any:
        value = self.values.get(name, default)
        if value is None:
            raise ValueError(f"it has no {name}" if name not in self.values else f"{name} is null")
        return value

    def _wrong(self, name: str, wanted: str) -> ValueError:
        shown = ascii(self.values[name])[:LONGEST_SHOWN] if type(self.values[name]) in _PLAIN else "another type"
        return ValueError(f"{name} is {shown}, not {wanted}")


_PLAIN: Final = (bool, int, float, str)


def _refuse_word(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
