"""Charts as SVG, made by hand: a few kilobytes each, colours from the page, so that dark, light and paper all fit."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from epkit.core.http.masking import clean
from epkit.core.shortening import ELLIPSIS
from epkit.reporters.parts.xml import attribute, text

WIDTH: Final = 480
HEIGHT: Final = 250
LEFT, RIGHT, TOP, BOTTOM = 56, 18, 12, 40
"""Room for the axes; what remains is the plot."""

COLOURS: Final = 5
"""Of the page. A higher number is one of them again, dashed."""

ROOM: Final = LEFT + 34
"""For the names of rows, in units of a chart: a character has seven."""

Point = tuple[float, float | None]
"""A place, and a value or a gap."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series.

    Args:
        points: in the order in which they are joined.
        colour: number of the page's colour, from 1; above `COLOURS` dashed.
    """

    name: str
    points: Sequence[Point]
    colour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One direction: where a value lies, and what is written beside it.

    Args:
        low, high: of what is shown; *low* > 0 where *log*.
        ticks: values to mark, with their words.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, 0 … 1."""
        if self.log:
            value, low, high = (math.log10(max(v, 1e-12)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def linear(title: str, values: Iterable[float]) -> Axis:
    """Make an axis from 0 with some four round marks."""
    found = [value for value in values if math.isfinite(value)] or [0.0]
    high = max(found) if max(found) > 0 else 1.0
    step = _round_up(high / 5)
    high = math.ceil(high / step - 1e-9) * step
    ticks = [i * step for i in range(round(high / step) + 1)]
    return Axis(title=title, low=0.0, high=high, ticks=[(tick, number(tick)) for tick in ticks])


def around(title: str, values: Iterable[float]) -> Axis:
    """Make an axis from the least to the most, with some four round marks."""
    found = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(found), max(found)
    step = _round_up((high - low) / 4 or abs(high) / 10 or 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = [place * step for place in range(first, last + 1)]
    return Axis(title=title, low=ticks[0], high=ticks[-1], ticks=[(tick, number(tick)) for tick in ticks])


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """Make an axis of decades, with 2 and 5 marked where there are few."""
    found = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    first, last = math.floor(math.log10(min(found)) + 1e-9), math.ceil(math.log10(max(found)) - 1e-9)
    low, high = _around(min(found), max(found)) if last - first <= 2 else (10.0**first, 10.0**last)
    marks = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [m * 10.0**e for e in range(first, last + 1) for m in marks]
    return Axis(
        title=title,
        low=low,
        high=high,
        ticks=[(tick, number(tick)) for tick in ticks if low * 0.999 <= tick <= high * 1.001],
        log=True,
    )


def _around(low: float, high: float) -> tuple[float, float]:
    """Return the next of 1, 2, 5 below and above."""
    steps = [m * 10.0**e for e in range(-9, 12) for m in (1, 2, 5)]
    return (
        max(s for s in steps if s <= low * 1.0001),
        min(s for s in steps if s >= high * 0.9999 and s > low),
    )


def lines(
    label: str,
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    notes: Sequence[tuple[float, float, str]] = (),
    guide: Sequence[Point] = (),
    below: bool = False,
) -> str:
    """Draw series over a common axis.

    Args:
        notes: place, value, and the words that are written above that point.
        guide: a thin line that the series are held against.
        below: name the series below the plot, not inside it.
    """
    parts = [_axes(x, y)]
    parts += [f'<path class="a" fill="none" stroke-dasharray="2 4" d="{path}"/>' for path in _paths(guide, x, y)]
    for line in series:
        parts += [f'<path {_ink("l", line.colour)} d="{path}"/>' for path in _paths(line.points, x, y)]
        parts += _dots(line, x, y)
    for place, value, words in notes:
        at, height = _x(x, place), _y(y, value) - 7
        side = "e" if at > WIDTH - RIGHT - 40 else "m"
        parts.append(f'<text class="t {side}" x="{at:.1f}" y="{max(TOP + 12, height):.1f}">{text(words)}</text>')
    return _with_legend(label, parts, [(line.name, line.colour) for line in series], below=below)


def bars(label: str, groups: Sequence[tuple[float, float, Sequence[tuple[float, int]]]], x: Axis, y: Axis, names: Sequence[tuple[str, int]]) -> str:  # fmt: skip  # noqa: E501
    """Draw stacked bars.

    Args:
        groups: begin, end, and the parts from below: height and colour.
        names: of the colours, for the legend.
    """
    parts = [_axes(x, y)]
    for begin, end, stack in groups:
        base = 0.0
        left, right = _x(x, begin), _x(x, end)
        for height, colour in stack:
            top, bottom = _y(y, base + height), _y(y, base)
            if height > 0:
                shape = f'x="{left:.1f}" y="{top:.1f}" width="{max(0.6, right - left - 0.4):.1f}"'
                parts.append(f'<rect class="b c{colour}" {shape} height="{max(0.4, bottom - top):.1f}"/>')
            base += height
    return _with_legend(label, parts, names)


def spans(label: str, rows: Sequence[tuple[str, float, float, float, int]], x: Axis, room: int = ROOM) -> str:
    """Draw a span and a point a row.

    Args:
        rows: name, low, middle, high, colour.
        room: for the names.
    """
    at = room + 6
    parts = []
    for (name, low, middle, high, colour), y in _places(rows):
        left, centre, right = (_x(x, value, at) for value in (low, middle, high))
        parts += [
            _name(name, room, y),
            f'<line class="s c{colour}" x1="{left:.1f}" y1="{y}" x2="{right:.1f}" y2="{y}"/>',
            f'<circle class="d c{colour}" cx="{centre:.1f}" cy="{y}" r="4"/>',
        ]
    return _rows(label, parts, len(rows), x, at)


def ranks(label: str, rows: Sequence[tuple[str, float, str, int]], room: int = ROOM) -> str:
    """Draw a bar a row, the longest as long as there is room.

    Args:
        rows: name, value (below 0 there is no bar), the words that are written behind the bar, colour.
        room: for the names.
    """
    at = room + 6
    most = max((value for _, value, _, _ in rows), default=0.0) or 1.0
    behind = max((7 * len(words) for _, _, words, _ in rows), default=0) + 6
    parts = []
    for (name, value, words, colour), y in _places(rows):
        width = max(0.0, value / most) * (WIDTH - RIGHT - at - behind)
        parts += [
            _name(name, room, y),
            f'<rect class="b c{colour}" x="{at}" y="{y - 7}" width="{max(1.0, width):.1f}" height="14"/>',
            f'<text class="t" x="{at + width + 6:.1f}" y="{y + 4}">{text(words)}</text>',
        ]
    return _svg(label, parts, TOP + 24 * len(rows) + TOP)


def pairs(
    label: str, rows: Sequence[tuple[str, float, float, str]], names: Sequence[tuple[str, int]], room: int = ROOM
) -> str:
    """Draw two bars a row, one under the other.

    Args:
        rows: name, both values, and the words that are written behind the longer bar.
        names: of the two colours, for the legend.
        room: for the names.
    """
    at = room + 6
    most = max((max(first, second) for _, first, second, _ in rows), default=0.0) or 1.0
    behind = max((width(words) for *_, words in rows), default=0) + 6
    parts = []
    for (name, first, second, words), y in _places(rows):
        values = (first, second)
        longest = max(values) / most * (WIDTH - RIGHT - at - behind)
        parts += [
            _name(name, room, y),
            *(
                f'<rect class="b c{colour}" x="{at}" y="{y + below}" height="8" '
                f'width="{max(1.0, value / most * (WIDTH - RIGHT - at - behind)):.1f}"/>'
                for value, (_, colour), below in zip(values, names, (-9, 0), strict=True)
                if value > 0
            ),
            f'<text class="t" x="{at + longest + 6:.1f}" y="{y + 4}">{text(words)}</text>',
        ]
    bottom = TOP + 24 * len(rows)
    legend, more = _legend(names, bottom + 6, left=at, right=RIGHT)
    return _svg(label, [*parts, legend], bottom + 6 + more)


def dots(
    label: str,
    rows: Sequence[tuple[str, Sequence[float]]],
    x: Axis,
    names: Sequence[tuple[str, int]],
    room: int = ROOM,
) -> str:
    """Draw several points a row, and a thin line between them.

    Args:
        rows: name, and a value a colour.
        names: of the colours, for the legend.
        room: for the names.
    """
    at = room + 6
    parts = []
    for (name, values), y in _places(rows):
        places = [_x(x, value, at) for value in values]
        parts += [
            _name(name, room, y),
            f'<line class="a" x1="{min(places):.1f}" y1="{y}" x2="{max(places):.1f}" y2="{y}"/>',
            *(
                f'<circle class="d c{colour}" cx="{place:.1f}" cy="{y}" r="4"/>'
                for place, (_, colour) in zip(places, names, strict=True)
            ),
        ]
    return _rows(label, parts, len(rows), x, at, names)


def number(value: float) -> str:
    """Write a number short: 3 digits, thousands as k."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.4g}" if value else "0"


def _svg(label: str, parts: Iterable[str], height: int = HEIGHT) -> str:
    inner = "".join(parts)
    box = f'viewBox="0 0 {WIDTH} {height}"'
    return f'<svg {box} role="img" aria-label={attribute(label)} xmlns="http://www.w3.org/2000/svg">{inner}</svg>'


def _x(axis: Axis, value: float, left: int = LEFT) -> float:
    return left + axis.share(value) * (WIDTH - left - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _axes(x: Axis, y: Axis) -> str:
    parts = [_x_axis(x, HEIGHT - BOTTOM, LEFT)]
    for value, words in y.ticks:
        at = _y(y, value)
        parts.append(f'<line class="g" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
        parts.append(f'<text class="t e" x="{LEFT - 5}" y="{at + 4:.1f}">{text(words)}</text>')
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    parts.append(f'<text class="t m" transform="translate(12 {middle:.0f}) rotate(-90)">{text(y.title)}</text>')
    return "".join(parts)


def _x_axis(x: Axis, bottom: float, left: int) -> str:
    parts = [f'<line class="a" x1="{left}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>']
    free = -1e9
    for value, words in x.ticks:
        at = _x(x, value, left)
        parts.append(f'<line class="a" x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 4}"/>')
        if at - free > 8 * len(words):  # no two words over each other
            parts.append(f'<text class="t m" x="{at:.1f}" y="{bottom + 16}">{text(words)}</text>')
            free = at
    parts.append(f'<text class="t m" x="{(left + WIDTH - RIGHT) / 2}" y="{bottom + 33}">{text(x.title)}</text>')
    return "".join(parts)


def _places(rows: Sequence[Row]) -> Iterable[tuple[Row, int]]:
    """Give each row with its height."""
    return ((row, TOP + 24 * place + 12) for place, row in enumerate(rows))


def _name(name: str, room: int, y: int) -> str:
    """Write the name of a row to the left of it, cut to the room that there is; a pointer over it shows the whole."""
    shown = fit(name, room)
    whole = "" if shown == name else f"<title>{text(clean(name, 300))}</title>"
    return f'<text class="t e" x="{room}" y="{y + 4}">{whole}{text(shown)}</text>'


def _rows(
    label: str, parts: Sequence[str], count: int, x: Axis, left: int, names: Sequence[tuple[str, int]] = ()
) -> str:
    """Put rows above their axis, and a legend below it."""
    bottom = TOP + 24 * count
    legend, more = _legend(names, bottom + BOTTOM, left=0, right=0)
    return _svg(label, [_x_axis(x, bottom, left), *parts, legend], bottom + BOTTOM + more)


def _paths(points: Sequence[Point], x: Axis, y: Axis) -> Iterable[str]:
    """Give a path for each stretch without a gap."""
    stretch: list[str] = []
    for place, value in [*points, (math.inf, None)]:
        if value is None or not math.isfinite(value):
            if len(stretch) > 1:
                yield "M" + "L".join(stretch)
            stretch = []
            continue
        stretch.append(f"{_x(x, place):.1f} {_y(y, value):.1f}")


def _dots(line: Series, x: Axis, y: Axis) -> list[str]:
    """Mark the points of a series so short that a line alone would not be seen."""
    known = [(place, value) for place, value in line.points if value is not None and math.isfinite(value)]
    if len(known) > 30:
        return []
    at: Callable[[float, float], str] = lambda a, b: f'cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}"'  # noqa: E731
    return [f'<circle class="d c{line.colour}" {at(a, b)} r="2.5"/>' for a, b in known]


def _ink(kind: str, colour: int) -> str:
    """Return the attributes of a stroke."""
    dashed = ' stroke-dasharray="5 4"' if colour > COLOURS else ""
    return f'class="{kind} c{1 + (colour - 1) % COLOURS}"{dashed}'


def _with_legend(label: str, parts: Sequence[str], names: Sequence[tuple[str, int]], *, below: bool = False) -> str:
    """Name the colours inside the plot if they fit there, else below it."""
    width = sum(7.2 * len(name) + 28 for name, _ in names)
    if below or width > WIDTH - LEFT - RIGHT or any(colour > COLOURS for _, colour in names):
        legend, more = _legend(names, HEIGHT, left=LEFT, right=RIGHT)
        return _svg(label, [*parts, legend], HEIGHT + more)
    return _svg(label, [*parts, _short_legend(names)])


def _short_legend(names: Sequence[tuple[str, int]]) -> str:
    """Name the colours, from the right, above the plot; a single series is named by the chart's heading."""
    if len(names) < 2:
        return ""
    parts, right = [], float(WIDTH - RIGHT)
    for name, colour in reversed(names):
        parts.append(f'<text class="t e" x="{right:.0f}" y="{TOP}">{text(name)}</text>')
        right -= 7.2 * len(name) + 14
        parts.append(f'<rect class="b c{colour}" x="{right:.0f}" y="{TOP - 8}" width="8" height="8"/>')
        right -= 14
    return "".join(parts)


def _legend(names: Sequence[tuple[str, int]], top: int, *, left: int, right: int) -> tuple[str, int]:
    """Name the colours in lines from *top* on; return them and their height."""
    if len(names) < 2:
        return "", 0
    parts, at, y = [], float(left), top + 10
    for name, colour in names:
        shown = fit(name, 150)
        wide = width(shown) + 35
        if at > left and at + wide > WIDTH - right:
            at, y = float(left), y + 18
        parts.append(f'<line {_ink("s", colour)} x1="{at:.0f}" y1="{y - 4}" x2="{at + 16:.0f}" y2="{y - 4}"/>')
        parts.append(f'<text class="t" x="{at + 21:.0f}" y="{y}">{text(shown)}</text>')
        at += wide
    return "".join(parts), y + 8 - top


def fit(name: str, room: int) -> str:
    """Cut a name to a number of units of a chart, a wide character counting twice."""
    shown = clean(name, room)
    if width(shown) <= room:
        return shown
    while shown and width(shown) > room - 7:
        shown = shown[:-1]
    return shown + ELLIPSIS


def width(words: str) -> int:
    """Estimate how wide a text is, in units of a chart."""
    return sum(14 if unicodedata.east_asian_width(char) in "WF" else 7 for char in words)


def _round_up(step: float) -> float:
    """Return the next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= step * (1 - 1e-9))
