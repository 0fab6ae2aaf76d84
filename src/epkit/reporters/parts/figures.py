"""The parts around a drawing: a legend whose entries hide their series, and a table of the values in the drawing.

The script of a page (`script.SCRIPT`) takes the values that it shows from here. A series is identified by its place:
`data-s` in the drawing and in the legend, a column or a row in the table.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from epkit.core.http.masking import clean
from epkit.reporters.parts.style import COLOURS
from epkit.reporters.parts.xml import attribute, text

Values = Sequence[tuple[str, str]]
"""The values of a series that are shown: a text for each place and for its value."""


def framed(drawing: str, names: Sequence[tuple[str, int]] = (), table: str = "", *, below: bool = False) -> str:
    """Frame a drawing.

    Args:
        names: names and colours of the series; a single series has its name in the heading above.
        below: put the legend below the drawing instead of above it.
    """
    named = legend(names)
    return f'<figure class="chart">{"" if below else named}{drawing}{named if below else ""}{table}</figure>'


def legend(names: Sequence[tuple[str, int]]) -> str:
    """Return the names of the series, each with a box that hides it."""
    if len(names) < 2:
        return ""
    entries = (
        f'<label><input type="checkbox" checked data-s="{place}"><i class="k {ink(colour)}"></i>{_said(name)}</label>'
        for place, (name, colour) in enumerate(names)
    )
    return f'<div class="legend">{"".join(entries)}</div>'


def ink(colour: int) -> str:
    """Return the CSS classes of a colour; a number above the last one repeats the colours, dashed."""
    return f"c{1 + (colour - 1) % COLOURS}{' h' if colour > COLOURS else ''}"


def values_table(place: str, series: Sequence[tuple[str, Values]], orders: Iterable[Sequence[str]] = ()) -> str:
    """Return a table of the drawn values: one row for each place if the series share them, otherwise one per series.

    Args:
        place: the quantity of the places, for the heading.
        series: names and values, in the order of the drawing.
        orders: possible orders of all places; the first one that fits every series is used.
    """
    if not any(values for _, values in series):
        return ""
    shared = [order for order in orders if all(_is_within(values, order) for _, values in series)]
    if not shared:
        joined = ((name, "; ".join(map(": ".join, values))) for name, values in series)
        rows = (_row("th", [name], words) for name, words in joined)
        return _details(f"<tr>{_cells('th', ['', place])}</tr>", rows, place, " list")
    cells = [dict(values) for _, values in series]
    head = f"<tr>{_cells('th', [place, *(name or 'value' for name, _ in series)])}</tr>"
    lines = (_row("td", [where, *(cell.get(where, "") for cell in cells)]) for where in shared[0])
    return _details(head, lines, place)


def _is_within(values: Values, order: Sequence[str]) -> bool:
    """Tell whether places follow an order, and are at least half of it."""
    at = {where: row for row, where in enumerate(order)}
    rows = [at.get(where, -1) for where, _ in values]
    return 2 * len(rows) >= len(order) and all(before < after for before, after in pairwise([-1, *rows]))


def _row(tag: str, cells: Sequence[str], long: str | None = None) -> str:
    last = "" if long is None else f'<td class="p">{_said(long, 60_000)}</td>'
    return f"<tr>{_cells(tag, cells)}{last}</tr>"


def _cells(tag: str, cells: Iterable[str]) -> str:
    return "".join(f"<{tag}>{_said(cell)}</{tag}>" for cell in cells)


def _details(head: str, rows: Iterable[str], place: str, kind: str = "") -> str:
    return (
        f'<details class="values{kind}" data-x={attribute(place)}><summary>Values</summary><div class="wide"><table>'
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _said(words: str, limit: int = 100) -> str:
    return text(clean(words, limit))
