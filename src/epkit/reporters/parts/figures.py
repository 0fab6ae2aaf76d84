"""What surrounds a drawing: a legend whose entries hide their series, and a table of the values that are drawn.

The script of a page (`script.SCRIPT`) takes the values that it reads out from here. A series is known by its place:
`data-s` in the drawing and in the legend, a column or a row in the table.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from epkit.core.http.masking import clean
from epkit.reporters.parts.style import COLOURS
from epkit.reporters.parts.xml import attribute, text

Values = Sequence[tuple[str, str]]
"""What is read out of a series: the words of each place and of its value."""


def framed(drawing: str, names: Sequence[tuple[str, int]] = (), table: str = "", *, below: bool = False) -> str:
    """Frame a drawing.

    Args:
        names: of the series, and their colours; a single one is named by the heading above.
        below: put the legend below the drawing, not above it.
    """
    named = legend(names)
    return f'<figure class="chart">{"" if below else named}{drawing}{named if below else ""}{table}</figure>'


def legend(names: Sequence[tuple[str, int]]) -> str:
    """Name the series, each with a box that hides it."""
    if len(names) < 2:
        return ""
    entries = (
        f'<label><input type="checkbox" checked data-s="{place}"><i class="k {ink(colour)}"></i>{_said(name)}</label>'
        for place, (name, colour) in enumerate(names)
    )
    return f'<div class="legend">{"".join(entries)}</div>'


def ink(colour: int) -> str:
    """Return the classes of a colour; a number above the last is one of them again, dashed."""
    return f"c{1 + (colour - 1) % COLOURS}{' h' if colour > COLOURS else ''}"


def values_table(place: str, series: Sequence[tuple[str, Values]], orders: Iterable[Sequence[str]] = ()) -> str:
    """Write what is drawn: a row a place where the series share them, else a row a series.

    Args:
        place: what the places are.
        series: name and values, in the order in which they are drawn.
        orders: in which all places may be written; the first is taken in which each series is in order.
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
    """Tell whether places come one after the other in an order, and are at least half of it."""
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
