"""Axes of charts: they end with the data, and have round tick values."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Ticks = Sequence[tuple[float, str]]
"""Tick values, with their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis of a chart: the places of values, and the labels.

    Args:
        low, high: bounds of the axis; *low* > 0 if *log*.
        ticks: tick values, with their labels.
        name: name of the quantity, if it differs from the title.
        unit: unit of the values, for their text.
        said: formats a value; by default the number and the unit.
    """

    title: str
    low: float
    high: float
    ticks: Ticks
    log: bool = False
    name: str = ""
    unit: str = ""
    said: Callable[[float], str] | None = None

    def share(self, value: float) -> float:
        """Return the place of a value, 0 … 1; 0.5 on an axis with a single value."""
        if self.log:
            value, low, high = (math.log10(max(v, 1e-12)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5

    def word(self, value: float) -> str:
        """Format a value for display next to a point."""
        return self.said(value) if self.said else with_unit(figure(value), self.unit)


def linear(title: str, values: Iterable[float], *, name: str = "", unit: str = "") -> Axis:
    """Make an axis from 0 to the maximum."""
    high = max((value for value in values if math.isfinite(value)), default=0.0)
    high = high if high > 0 else 1.0
    return Axis(title=title, low=0.0, high=high, ticks=_round_ticks(0.0, high, 5), name=name, unit=unit)


def around(title: str, values: Iterable[float], *, name: str = "", unit: str = "") -> Axis:
    """Make an axis from the minimum to the maximum."""
    found = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(found), max(found)
    return Axis(title=title, low=low, high=high, ticks=_round_ticks(low, high, 4), name=name, unit=unit)


def counted(title: str, values: Iterable[float]) -> Axis:
    """Make an axis of whole numbers, from the minimum to the maximum."""
    found = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(found), max(found)
    step = max(1, math.ceil(_round_up(max(1.0, (high - low) / 8))))
    ticks = [(float(place), f"{place:,}") for place in range(math.ceil(low / step) * step, int(high) + 1, step)]
    return Axis(
        title=title, low=low, high=high, ticks=ticks or [(low, f"{low:.0f}")], said=lambda value: f"{value:,.0f}"
    )


def logarithmic(title: str, values: Iterable[float], *, name: str = "", unit: str = "") -> Axis:
    """Make a logarithmic axis from the minimum to the maximum, with ticks at 2 and 5 if it has few decades."""
    found = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = min(found), max(found)
    marks = (1, 2, 5) if high / low <= 2000 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: Ticks = [(m * 10.0**e, number(m * 10.0**e)) for e in exponents for m in marks]
    ticks = [tick for tick in ticks if low * 0.999 <= tick[0] <= high * 1.001]
    if len(ticks) < 2:
        ticks = _round_ticks(low, high, 3)
    return Axis(title=title, low=low, high=high, ticks=ticks, log=True, name=name, unit=unit)


def number(value: float) -> str:
    """Format a tick value: 4 digits, thousands as k."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.4g}" if value else "0"


def figure(value: float) -> str:
    """Format a measured number: 4 digits, or all digits of a whole number."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_unit(number: str, unit: str) -> str:
    """Append a unit to a number."""
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}".rstrip()


def _round_ticks(low: float, high: float, parts: int) -> Ticks:
    """Return round tick values; the value itself if there is only one."""
    if high <= low:
        return [(low, number(low))]
    step = _round_up((high - low) / parts)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    marks = [place * step for place in range(first, last + 1)]
    words = [number(mark) for mark in marks]
    if len(set(words)) < len(words):  # enough digits to distinguish neighbours
        words = [f"{mark:.{max(0, 1 - math.floor(math.log10(step)))}f}" for mark in marks]
    return list(zip(marks, words, strict=True))


def _round_up(step: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= step * (1 - 1e-9))
