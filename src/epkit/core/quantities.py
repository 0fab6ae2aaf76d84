"""Times, rates and counts as people write them: `1m30s`, `100/m`, `10k`. The one reader of them all.

A number without a unit stays what it is: seconds, requests a second, a count.
"""

import math
import re
from collections.abc import Callable
from typing import Final, TypeVar

from epkit.errors import UsageError

Number = TypeVar("Number", int, float)

NANOSECONDS: Final = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "min": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
"""Units of time; `min` is what `m` is."""

TIME: Final = "a time is written 30s, 500ms, 1m30s or 2h; a number alone is seconds"
RATE: Final = "a rate is written 50, 50/s, 100/m or 1k: requests a second, a minute, an hour (h)"
COUNT: Final = "a number is written 100, 10k, 1M, 1e6 or 1_000"

_NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)"
_TIME: Final = re.compile(rf"(?:{_NUMBER} ?(?:{'|'.join(sorted(NANOSECONDS, key=len, reverse=True))}) ?)+")
_PART: Final = re.compile(rf"({_NUMBER}) ?([a-zµ]+)")
_SCALES: Final = {"k": 3, "K": 3, "M": 6}
_PER: Final = {"s": 1, "m": 60, "min": 60, "h": 3600}


def read_seconds(value: str | float) -> float:
    """Read a time.

    Args:
        value: a text, or seconds.

    Returns:
        Seconds, of any sign where they were written as a number.

    Raises:
        ValueError: it is no time; the text says how one is written.
    """
    if not isinstance(value, str):
        return float(value)
    text = value.strip()
    if _TIME.fullmatch(text):
        return sum(float(number) * NANOSECONDS[unit] for number, unit in _PART.findall(text)) / 1e9
    return _number(text, TIME)


def read_ns(value: str | float) -> int:
    """Read a time, in nanoseconds.

    Raises:
        ValueError: as `read_seconds`, and for a time that is negative or without an end.
    """
    seconds = read_seconds(value)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(TIME)
    return round(seconds * 1e9)


def given(name: str, value: str | float | None, read: Callable[[str | float], Number]) -> Number | None:
    """Read a quantity that a caller in Python gave, None where there is none.

    Args:
        name: of the argument, for messages.

    Raises:
        UsageError: it cannot be read; the message says how one is written.
    """
    if value is None:
        return None
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} {value}: {error}") from None


def has_unit(text: str) -> bool:
    """Tell whether a text is a time with its unit."""
    return _TIME.fullmatch(text.strip()) is not None


def read_rate(value: str | float) -> float:
    """Read a rate.

    Args:
        value: a text, or requests a second.

    Returns:
        Requests a second.

    Raises:
        ValueError: it is no rate; the text says how one is written.
    """
    if not isinstance(value, str):
        return float(value)
    number, slash, unit = value.strip().partition("/")
    if slash and unit.strip() not in _PER:
        raise ValueError(RATE)
    return _number(number, RATE) / _PER.get(unit.strip(), 1)


def read_count(value: str | float) -> int:
    """Read a whole number.

    Raises:
        ValueError: it is none; the text says how one is written.
    """
    number = _number(value, COUNT) if isinstance(value, str) else value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d[\d_]*", value.strip()):
        return int(value)  # of any size, to the last digit
    if not (math.isfinite(number) and number == int(number)):
        raise ValueError(COUNT)
    return int(number)


def _number(text: str, form: str) -> float:
    """Read a number that may be scaled: `1.5k`, `1e6`, `1_000`."""
    text = text.strip()
    scale = _SCALES.get(text[-1:])
    try:
        # As the decimal that it is: 1.1k is 1100, and not a little more.
        return float(text) if scale is None else float(f"{text[:-1]}e{scale}")
    except ValueError:
        raise ValueError(form) from None
