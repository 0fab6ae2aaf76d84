"""Charts as SVG, written directly: a few kilobytes each; the page sets the colours for light, dark and paper.

Every point, bar and span has readable values. The page's script shows them under the pointer or with the arrow keys.
Without the script they are in a table below, in titles or next to the drawing.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from epkit.core.http.masking import clean
from epkit.core.shortening import ELLIPSIS
from epkit.reporters.parts.axes import Axis, around, counted, figure, linear, logarithmic, number
from epkit.reporters.parts.figures import Values, framed, ink, values_table
from epkit.reporters.parts.xml import attribute, text

__all__ = [
    "Axis",
    "Series",
    "around",
    "bars",
    "counted",
    "dots",
    "figure",
    "fit",
    "linear",
    "lines",
    "logarithmic",
    "number",
    "pairs",
    "ranks",
    "spans",
    "width",
]

WIDTH: Final = 480
HEIGHT: Final = 250
LEFT, RIGHT, TOP, BOTTOM = 56, 18, 12, 40
"""Space for the axes; the rest is the plot."""

ROOM: Final = LEFT + 34
"""Space for the names of rows, in units of a chart; a character has seven."""

WHOLE: Final = 120
"""Greatest number of characters of a row's name that are shown under the pointer."""

MOST_DOTS: Final = 30
"""A series with more points is drawn without dots, only as a line."""

Point = tuple[float, float | None]
"""A place, and a value; None is a gap."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series.

    Args:
        points: in the order in which the line joins them.
        colour: number of the page's colour, from 1; numbers above the last colour are dashed.
        band: the shaded range around each point, lower and upper bound; `()` for no band.
    """

    name: str
    points: Sequence[Point]
    colour: int
    band: Sequence[tuple[float, float]] = ()


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
        notes: place, value, and text that is written above that point.
        guide: a thin line for comparison with the series.
        below: put the names of the series below the plot, not above it.
    """
    parts = [_axes(x, y)]
    parts += [f'<path class="a" fill="none" stroke-dasharray="2 4" d="{_path(guide, x, y)}"/>'] if guide else []
    for place, line in enumerate(series):
        curve = f'<path class="l {ink(line.colour)}" d="{_path(line.points, x, y)}"/>'
        parts.append(f'<g data-s="{place}">{_band(line, x, y)}{curve}{_stops(line, x, y)}</g>')
    parts += _noted(notes, x, y)
    places = dict.fromkeys(place for line in series for place, _ in line.points)
    orders = [list(map(x.word, order)) for order in (places, sorted(places))]
    table = values_table(x.name or x.title, [(line.name, _read(line, x, y)) for line in series], orders)
    return framed(_svg(label, parts), [(line.name, line.colour) for line in series], table, below=below)


def bars(label: str, groups: Sequence[tuple[float, float, Sequence[tuple[float, int]]]], x: Axis, y: Axis, names: Sequence[tuple[str, int]]) -> str:  # fmt: skip  # noqa: E501
    """Draw stacked bars.

    Args:
        groups: begin, end, and the parts from bottom to top: height and colour. Each group has the same number of
            parts.
        names: names of the colours, for the legend.
    """
    parts = [_axes(x, y)]
    said: list[tuple[str, Values]] = []
    values: list[tuple[str, str]] = []
    for place, (_, colour) in enumerate(groups[0][2] if groups else ()):
        shapes, values = [], []
        for begin, end, stack in groups:
            base = sum(height for height, _ in stack[:place])
            height = stack[place][0]
            left, right, top, bottom = _x(x, begin), _x(x, end), _y(y, base + height), _y(y, base)
            wide, tall = max(0.6, right - left - 0.4), max(0.4, bottom - top) if height > 0 else 0.0
            shapes.append(f"M{left:.1f} {top:.1f}h{wide:.1f}v{tall:.1f}h-{wide:.1f}z")
            values.append((f"{x.word(begin)} to {x.word(end)}", y.word(height)))
        parts.append(f'<g data-s="{place}"><path class="b c{colour}" d="{"".join(shapes)}"/></g>')
        said.append((names[place][0] if place < len(names) else "", values))
    return framed(_svg(label, parts), names, values_table(x.name or x.title, said, [[where for where, _ in values]]))


def spans(
    label: str,
    rows: Sequence[tuple[str, float, float, float, int]],
    x: Axis,
    room: int = ROOM,
    said: Callable[[Axis, float, float, float], str] | None = None,
) -> str:
    """Draw a span and a point in each row.

    Args:
        rows: name, low, middle, high, colour.
        room: space for the names.
        said: formats low, middle and high; by default the middle, and the span in brackets.
    """
    at = room + 6
    parts = []
    for (name, low, middle, high, colour), y in _places(rows):
        left, centre, right = (_x(x, value, at) for value in (low, middle, high))
        words = (said or _interval)(x, low, middle, high)
        parts.append(
            f'<g class="p"><title>{text(clean(name, WHOLE))}: {text(words)}</title>{_name(name, room, y)}'
            f'<line class="s c{colour}" x1="{left:.1f}" y1="{y}" x2="{right:.1f}" y2="{y}"/>'
            f'<circle class="d c{colour}" cx="{centre:.1f}" cy="{y}" r="4"/></g>'
        )
    return _rows(label, parts, len(rows), x, at)


def ranks(label: str, rows: Sequence[tuple[str, float, str, int]], room: int = ROOM) -> str:
    """Draw one bar per row; the longest bar uses all the space.

    Args:
        rows: name, value (below 0 there is no bar), text behind the bar, colour.
        room: space for the names.
    """
    at = room + 6
    most = max((value for _, value, _, _ in rows), default=0.0) or 1.0
    behind = max((7 * len(words) for _, _, words, _ in rows), default=0) + 6
    parts = []
    for (name, value, words, colour), y in _places(rows):
        width = max(0.0, value / most) * (WIDTH - RIGHT - at - behind)
        parts.append(
            f'<g class="p">{_name(name, room, y)}'
            f'<rect class="b c{colour}" x="{at}" y="{y - 7}" width="{max(1.0, width):.1f}" height="14"/>'
            f'<text class="t" x="{at + width + 6:.1f}" y="{y + 4}">{text(words)}</text></g>'
        )
    return framed(_svg(label, parts, TOP + 24 * len(rows) + TOP))


def pairs(
    label: str, rows: Sequence[tuple[str, float, float, str]], names: Sequence[tuple[str, int]], room: int = ROOM
) -> str:
    """Draw two bars per row, one under the other.

    Args:
        rows: name, both values, and the text behind the longer bar.
        names: names of the two colours, for the legend.
        room: space for the names.
    """
    at = room + 6
    most = max((max(first, second) for _, first, second, _ in rows), default=0.0) or 1.0
    behind = max((width(words) for *_, words in rows), default=0) + 6
    parts = []
    for (name, first, second, words), y in _places(rows):
        values = (first, second)
        longest = max(values) / most * (WIDTH - RIGHT - at - behind)
        drawn = "".join(
            f'<rect class="b c{colour}" data-s="{place}" x="{at}" y="{y + below}" height="8" '
            f'width="{max(1.0, value / most * (WIDTH - RIGHT - at - behind)):.1f}"/>'
            for place, (value, (_, colour), below) in enumerate(zip(values, names, (-9, 0), strict=True))
            if value > 0
        )
        shown = f'<text class="t" x="{at + longest + 6:.1f}" y="{y + 4}">{text(words)}</text>'
        parts.append(f'<g class="p">{_name(name, room, y)}{drawn}{shown}</g>')
    return framed(_svg(label, parts, TOP + 24 * len(rows) + 6), names, below=True)


def dots(
    label: str,
    rows: Sequence[tuple[str, Sequence[float]]],
    x: Axis,
    names: Sequence[tuple[str, int]],
    room: int = ROOM,
) -> str:
    """Draw several points per row, and a thin line between them.

    Args:
        rows: name, and a value for each colour.
        names: names of the colours, for the legend.
        room: space for the names.
    """
    at = room + 6
    parts = []
    for (row, values), y in _places(rows):
        places = [_x(x, value, at) for value in values]
        parts += [
            _name(row, room, y),
            f'<line class="a" x1="{min(places):.1f}" y1="{y}" x2="{max(places):.1f}" y2="{y}"/>',
            *(
                f'<g class="p" data-s="{series}"><title>{text(clean(row, WHOLE))}: {text(name)} {text(x.word(value))}'
                f'</title><circle class="d c{colour}" cx="{place:.1f}" cy="{y}" r="4"/></g>'
                for series, (place, value, (name, colour)) in enumerate(zip(places, values, names, strict=True))
            ),
        ]
    return _rows(label, parts, len(rows), x, at, names)


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
        if at - free > 8 * len(words):  # labels must not overlap
            parts.append(f'<text class="t m" x="{at:.1f}" y="{bottom + 16}">{text(words)}</text>')
            free = at
    parts.append(f'<text class="t m" x="{(left + WIDTH - RIGHT) / 2}" y="{bottom + 33}">{text(x.title)}</text>')
    return "".join(parts)


def _places(rows: Sequence[Row]) -> Iterable[tuple[Row, int]]:
    """Yield each row with its vertical position."""
    return ((row, TOP + 24 * place + 12) for place, row in enumerate(rows))


def _name(name: str, room: int, y: int) -> str:
    """Write the name of a row to the left of it, cut to the available space; the pointer shows the whole name."""
    shown = fit(name, room)
    whole = "" if shown == name else f"<title>{text(clean(name, WHOLE))}</title>"
    return f'<text class="t e" x="{room}" y="{y + 4}">{whole}{text(shown)}</text>'


def _rows(
    label: str, parts: Sequence[str], count: int, x: Axis, left: int, names: Sequence[tuple[str, int]] = ()
) -> str:
    """Place rows above their axis."""
    bottom = TOP + 24 * count
    return framed(_svg(label, [_x_axis(x, bottom, left), *parts], bottom + BOTTOM), names, below=True)


def _interval(x: Axis, low: float, middle: float, high: float) -> str:
    around = "" if low == high else f" ({x.word(low)} to {x.word(high)})"
    return f"{x.word(middle)}{around}"


def _path(points: Sequence[Point], x: Axis, y: Axis) -> str:
    """Join points; after a gap or an infinite value, a new stretch begins. A single point has length zero."""
    stretches: list[list[str]] = [[]]
    for place, value in points:
        if value is None or not math.isfinite(value):
            stretches.append([])
        else:
            stretches[-1].append(f"{_x(x, place):.1f} {_y(y, value):.1f}")
    return "".join(f"M{'L'.join(stretch)}{'' if len(stretch) > 1 else 'h0'}" for stretch in stretches if stretch)


def _noted(notes: Sequence[tuple[float, float, str]], x: Axis, y: Axis) -> Iterable[str]:
    """Write text above points, or below if there is no space above; text without space is left out."""
    taken: list[tuple[float, float, float]] = []
    for place, value, words in notes:
        at, height, long = _x(x, place), _y(y, value), 7.0 * len(words)
        left = min(max(at - long / 2, LEFT), WIDTH - RIGHT - long)
        for top in (max(TOP + 12, height - 7), height + 18):
            if all(abs(top - other) > 12 or left > end or left + long < begin for begin, end, other in taken):
                taken.append((left, left + long, top))
                yield f'<text class="t" x="{left:.1f}" y="{top:.1f}">{text(words)}</text>'
                break


def _stops(line: Series, x: Axis, y: Axis) -> str:
    """Mark the points of a short series, as strokes of length zero with round ends."""
    known = [(place, value) for place, value in line.points if value is not None and math.isfinite(value)]
    if len(known) > MOST_DOTS:
        return ""
    stops = "".join(f"M{_x(x, place):.1f} {_y(y, value):.1f}h0" for place, value in known)
    return f'<path class="o {ink(line.colour)}" d="{stops}"/>'


def _band(line: Series, x: Axis, y: Axis) -> str:
    """Shade the band around a line."""
    if len(line.band) < 2:
        return ""
    places = [_x(x, place) for place, _ in line.points]
    below, above = ([_y(y, end) for end in side] for side in zip(*line.band, strict=True))
    there, back = zip(places, below, strict=True), zip(reversed(places), reversed(above), strict=True)
    way = [f"{at:.1f} {height:.1f}" for at, height in (*there, *back)]
    return f'<path class="f {ink(line.colour)}" d="M{"L".join(way)}z"/>'


def _read(line: Series, x: Axis, y: Axis) -> Values:
    """Format the points of a series, with their bands."""
    bands = line.band or ((),) * len(line.points)
    return [
        (x.word(place), y.word(value) + (f" ({y.word(band[0])} to {y.word(band[1])})" if band else ""))
        for (place, value), band in zip(line.points, bands, strict=True)
        if value is not None and math.isfinite(value)
    ]


def fit(name: str, room: int) -> str:
    """Cut a name to a number of units of a chart; a wide character counts twice."""
    shown = clean(name, room)
    if width(shown) <= room:
        return shown
    while shown and width(shown) > room - 7:
        shown = shown[:-1]
    return shown + ELLIPSIS


def width(words: str) -> int:
    """Estimate the width of a text, in units of a chart."""
    return sum(14 if unicodedata.east_asian_width(char) in "WF" else 7 for char in words)
