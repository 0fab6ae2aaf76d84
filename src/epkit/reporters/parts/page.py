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
    """What a page holds, in pieces of HTML.

    Args:
        title: of the window.
        first: what a reader sees at once.
        rest: what is looked up; a notebook folds it away.
    """

    title: str
    first: Sequence[str]
    rest: Sequence[str] = ()


def render(sheet: Sheet) -> str:
    """Make a page of a sheet."""
    return page(sheet.title, [*sheet.first, *sheet.rest])


def page(title: str, body: Iterable[str]) -> str:
    """Put a page together; where it has a chart, with the script that reads its values out."""
    content = "".join(body)
    script = f"<script>{SCRIPT}</script>" if "<figure" in content else ""
    # Nothing is loaded, and nothing runs but the page's own script, whatever a reply may have put into the text.
    policy = f"default-src 'none';style-src 'unsafe-inline';script-src 'sha256-{DIGEST}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{said(title)}</title><style>{STYLE}</style></head><body><main>\n"
        f"{content}</main>{script}</body></html>\n"
    )


def verdict(lines: Iterable[VerdictLine], notes: Iterable[str] = ()) -> str:
    """Say what came of it, good or bad, and below it what else should be known."""
    judged = (f'<p class="{"bad" if line.bad else "ok"}">{said(line.text)}</p>' for line in lines)
    return "".join([*judged, *(note(words) for words in notes)])


def note(words: str) -> str:
    """Say something in passing."""
    return f'<p class="dim">{said(words)}</p>'


def said(words: str) -> str:
    """Fit a text from anywhere between tags."""
    return text(clean(words, 2000))


def section(heading: str, *content: str, wide: bool = False) -> str:
    """Frame something under a heading.

    Args:
        wide: whether it may be wider than a phone and is scrolled then.
    """
    inner = "".join(content)
    if wide:
        inner = f'<div class="wide">{inner}</div>'
    return f"<section><h2>{text(heading)}</h2>{inner}</section>\n"


def grid(sections: Iterable[str]) -> str:
    """Lay out sections side by side if there is room."""
    return f'<div class="grid">{"".join(sections)}</div>\n'


def tiles(entries: Iterable[tuple[str, str]]) -> str:
    """Show numbers large: value and what it is."""
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
        words: whether all cells are prose, which may be broken.
        prose: places of the columns that are, where others are not.
        lists: places of columns with much on a line, which is not broken: on a phone it would make a row a screen high.
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
    """Lay out a table whose cells are the darker the more they are.

    Args:
        corner: what the rows and the columns are.
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
        words: what it is.
        figure: its number.
        share: how dark that is, 0 … 1.
        below: what it falls into.
    """

    words: str
    figure: str
    share: float
    below: "tuple[Branch, ...]" = ()


def tree(branches: Sequence[Branch], colour: int = 3) -> str:
    """Draw trees as lists in lists, which a phone breaks as it needs."""

    def item(branch: Branch) -> str:
        inner = f"<ul>{''.join(map(item, branch.below))}</ul>" if branch.below else ""
        figure = f"<b {_tint(branch.share, colour)}>{said(branch.figure)}</b>"
        return f"<li>{figure} {said(branch.words)}{inner}</li>"

    return f'<ul class="tree">{"".join(map(item, branches))}</ul>'


def _tint(share: float, colour: int) -> str:
    """Colour what is behind a text, so little that it is read in light and in dark."""
    return f'style="background:color-mix(in srgb,var(--c{colour}) {round(50 * share)}%,transparent)"'
