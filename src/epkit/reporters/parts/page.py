"""The frame of an HTML report: one file without external resources, for light and dark screens, phones, and paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from epkit.core.http.masking import clean
from epkit.reporters.parts.script import DIGEST, SCRIPT
from epkit.reporters.parts.style import STYLE
from epkit.reporters.parts.verdict import VerdictLine
from epkit.reporters.parts.xml import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The contents of a page, in pieces of HTML.

    Args:
        title: title of the window.
        first: the parts that are visible at once.
        rest: the details; a notebook folds them.
    """

    title: str
    first: Sequence[str]
    rest: Sequence[str] = ()


def render(sheet: Sheet) -> str:
    """Make a page of a sheet."""
    return page(sheet.title, [*sheet.first, *sheet.rest])


def page(title: str, body: Iterable[str]) -> str:
    """Assemble a page; if it has a chart, with the script that shows the chart's values."""
    content = "".join(body)
    script = f"<script>{SCRIPT}</script>" if "<figure" in content else ""
    # The page loads nothing and runs only its own script, even if a reply puts other code into the text.
    policy = f"default-src 'none';style-src 'unsafe-inline';script-src 'sha256-{DIGEST}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{said(title)}</title><style>{STYLE}</style></head><body><main>\n"
        f"{content}</main>{script}</body></html>\n"
    )


def verdict(lines: Iterable[VerdictLine], notes: Iterable[str] = ()) -> str:
    """Show the result, good or bad, and notes below it."""
    judged = (f'<p class="{"bad" if line.bad else "ok"}">{said(line.text)}</p>' for line in lines)
    return "".join([*judged, *(note(words) for words in notes)])


def note(words: str) -> str:
    """Show a remark in small emphasis."""
    return f'<p class="dim">{said(words)}</p>'


def said(words: str) -> str:
    """Escape any text so that it is safe between tags."""
    return text(clean(words, 2000))


def section(heading: str, *content: str, wide: bool = False) -> str:
    """Put contents under a heading.

    Args:
        wide: whether it may be wider than a phone; then it scrolls.
    """
    inner = "".join(content)
    if wide:
        inner = f'<div class="wide">{inner}</div>'
    return f"<section><h2>{text(heading)}</h2>{inner}</section>\n"


def grid(sections: Iterable[str]) -> str:
    """Lay out sections side by side if there is room."""
    return f'<div class="grid">{"".join(sections)}</div>\n'


def tiles(entries: Iterable[tuple[str, str]]) -> str:
    """Show numbers large: a value and its description."""
    cells = (f'<div class="tile"><b>{said(value)}</b><span>{said(name)}</span></div>' for value, name in entries)
    return f'<div class="tiles">{"".join(cells)}</div>\n'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: bool = False,
    prose: Sequence[int] = (),
    lists: Sequence[int] = (),
) -> str:
    """Lay out a table.

    Args:
        words: whether all cells are prose, in which lines may break.
        prose: places of the columns that are prose, if the others are not.
        lists: places of columns with long lines that do not break: on a phone, breaks would make a row as high as the
            screen.
    """
    named = dict.fromkeys(range(len(heads)), "w") if words else dict.fromkeys(prose, "p") | dict.fromkeys(lists, "n")
    kinds = [f' class="{named[place]}"' if place in named else "" for place in range(len(heads))]
    head = "".join(f"<th{'' if words else kind}>{said(cell)}</th>" for cell, kind in zip(heads, kinds, strict=True))
    lines = "".join(
        f"<tr>{''.join(f'<td{kind}>{said(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def heat(corner: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[tuple[str, float, int]]]]) -> str:
    """Lay out a table whose cells are darker for greater shares.

    Args:
        corner: the description of the rows and the columns.
        rows: name and cells: text, share of the whole (0 … 1), number of the page's colour.
    """
    head = "".join(f"<th>{said(cell)}</th>" for cell in (corner, *heads))
    lines = "".join(
        f"<tr><th>{said(name)}</th>"
        f"{''.join(f'<td {_tint(share, colour)}>{said(words)}</td>' for words, share, colour in cells)}</tr>"
        for name, cells in rows
    )
    return f'<table class="heat"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A node of a tree.

    Args:
        words: description.
        figure: its number, as text.
        share: how dark the number's background is, 0 … 1.
        below: its children.
    """

    words: str
    figure: str
    share: float
    below: "tuple[Branch, ...]" = ()


def tree(branches: Sequence[Branch], colour: int = 3) -> str:
    """Draw trees as nested lists, in which a phone can break lines."""

    def item(branch: Branch) -> str:
        inner = f"<ul>{''.join(map(item, branch.below))}</ul>" if branch.below else ""
        figure = f"<b {_tint(branch.share, colour)}>{said(branch.figure)}</b>"
        return f"<li>{figure} {said(branch.words)}{inner}</li>"

    return f'<ul class="tree">{"".join(map(item, branches))}</ul>'


def _tint(share: float, colour: int) -> str:
    """Return a background colour so light that text is readable on it in light and in dark."""
    return f'style="background:color-mix(in srgb,var(--c{colour}) {round(50 * share)}%,transparent)"'
