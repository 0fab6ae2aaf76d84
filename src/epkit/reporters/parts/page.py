"""The frame of a report to look at: one file that fetches nothing, for a screen light or dark, a phone, and paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.http.masking import clean
from epkit.reporters.parts.verdict import VerdictLine
from epkit.reporters.parts.xml import text

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5c6672;--line:#d9dee4;--card:#f6f8fa;
--c1:#1f6feb;--c2:#d9730d;--c3:#c4314b;--c4:#1a8a6e;--c5:#8250df;--ok:#1a7f37;--bad:#c4314b}
@media(prefers-color-scheme:dark){:root{--bg:#0e1116;--fg:#e6e9ee;--dim:#9aa5b1;--line:#30363d;--card:#171c23;
--c1:#6cb0ff;--c2:#f0a35e;--c3:#ff7b8a;--c4:#4fd1a8;--c5:#c4a5ff;--ok:#56d364;--bad:#ff7b8a}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:1200px;margin:0 auto;padding:16px}h1{font-size:1.35rem;margin:.2em 0;overflow-wrap:anywhere}
h2{font-size:1.02rem;margin:0 0 .5em}p{margin:.3em 0}p,h2,.tile{overflow-wrap:anywhere}
.dim{color:var(--dim)}.ok{color:var(--ok)}.bad{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(112px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px}
.tile b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:.85rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:14px}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;margin:0 0 14px;min-width:0}
.grid section{margin:0}.grid{margin-bottom:14px}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.88rem}
th,td{text-align:right;padding:3px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:600}
td.w{white-space:normal;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block}.t{font:12px system-ui,sans-serif;fill:var(--dim)}.e{text-anchor:end}
.m{text-anchor:middle}.a{stroke:var(--dim)}.g{stroke:var(--line);stroke-width:.7}.l{fill:none;stroke-width:2}
.s{stroke-width:3}.b,.d{stroke:none}
.l.c1,.s.c1{stroke:var(--c1)}.l.c2,.s.c2{stroke:var(--c2)}.l.c3,.s.c3{stroke:var(--c3)}.l.c4,.s.c4{stroke:var(--c4)}
.l.c5,.s.c5{stroke:var(--c5)}.b.c1,.d.c1{fill:var(--c1)}.b.c2,.d.c2{fill:var(--c2)}.b.c3,.d.c3{fill:var(--c3)}
.b.c4,.d.c4{fill:var(--c4)}.b.c5,.d.c5{fill:var(--c5)}
td.p,th.p,td.n,th.n{text-align:left}td.p{white-space:normal;overflow-wrap:anywhere;min-width:200px}
td.p:last-child{min-width:400px}td.w:first-child{min-width:9em}.heat{width:auto}.heat td{min-width:64px}
td[style],.tree b{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.tree,.tree ul{list-style:none;margin:0;padding:0}.tree{font-size:.9rem}.tree li{overflow-wrap:anywhere;padding:3px 0}
.tree ul li{border-left:2px solid var(--line);padding-left:14px}.tree b{border-radius:4px;padding:0 5px}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--card:#fff;--c1:#1f6feb;--c2:#d9730d;--c3:#c4314b;
--c4:#1a8a6e;--c5:#8250df;--ok:#1a7f37;--bad:#c4314b}main{max-width:none;padding:0}section{break-inside:avoid}
.grid{grid-template-columns:1fr 1fr}body{font-size:11px}table{font-size:8px}th,td{padding:2px 3px}
td.p,td.p:last-child{min-width:0}}
"""


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
    """Put a page together."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        # Nothing is loaded and nothing runs, whatever a reply may have put into the text.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"<title>{said(title)}</title><style>{STYLE}</style></head><body><main>\n"
        f"{''.join(body)}</main></body></html>\n"
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
    """Lay sections beside each other where there is room."""
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


def leaves(name: str, value: Any) -> Iterable[tuple[str, str]]:
    """Give the leaves of a document by their paths, of a list the first twenty."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value[:20]):
            yield from leaves(f"{name}.{place}", inner)
        if len(value) > 20:
            yield name, f"and {len(value) - 20} more"
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif isinstance(value, float):
        yield name, f"{value:g}"
    elif value is not None:
        yield name, str(value)


def _tint(share: float, colour: int) -> str:
    """Colour what is behind a text, so little that it is read in light and in dark."""
    return f'style="background:color-mix(in srgb,var(--c{colour}) {round(50 * share)}%,transparent)"'
