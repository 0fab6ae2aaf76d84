"""Reads times, rates and counts as people write them: `1m30s`, `100/m`, `10k`. No other module reads them.

A number without a unit means seconds, requests per second, or a count.
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
"""Units of time; `min` and `m` are the same."""

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
        Seconds; negative ones are possible only if *value* is a number.

    Raises:
        ValueError: it is no time; the message says how to write one.
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
        ValueError: as in `read_seconds`, or the time is negative or infinite.
    """
    seconds = read_seconds(value)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(TIME)
    return round(seconds * 1e9)


def given(name: str, value: str | float | None, read: Callable[[str | float], Number]) -> Number | None:
    """Read a quantity that a caller in Python gave; None stays None.

    Args:
        name: name of the argument, for messages.

    Raises:
        UsageError: it cannot be read; the message says how to write it.
    """
    if value is None:
        return None
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} {value}: {error}") from None


def has_unit(text: str) -> bool:
    """Tell whether a text is a time with a unit."""
    return _TIME.fullmatch(text.strip()) is not None


def read_rate(value: str | float) -> float:
    """Read a rate.

    Args:
        value: a text, or requests per second.

    Returns:
        Requests per second.

    Raises:
        ValueError: it is no rate; the message says how to write one.
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
        ValueError: it is not a whole number; the message says how to write one.
    """
    number = _number(value, COUNT) if isinstance(value, str) else value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d[\d_]*", value.strip()):
        try:
            return int(value)  # exact, whatever its size
        except ValueError:  # Python reads at most 4300 digits
            raise ValueError(COUNT) from None
    if not (math.isfinite(number) and number == int(number)):
        raise ValueError(COUNT)
    return int(number)


def _number(text: str, form: str) -> float:
    """Read a number, also with a scale: `1.5k`, `1e6`, `1_000`."""
    text = text.strip()
    scale = _SCALES.get(text[-1:])
    try:
        # The scale becomes a decimal exponent: 1.1k is exactly 1100. A product would be a little more.
        return float(text) if scale is None else float(f"{text[:-1]}e{scale}")
    except ValueError:
        raise ValueError(form) from None
