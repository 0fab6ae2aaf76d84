"""The style of pages, limited to one element of a notebook, with the colours of JupyterLab's theme."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from epkit.reporters.parts.style import STYLE

SCOPE: Final = ".epkit.epkit"
"""The element's class, twice: JupyterLab's own rules for tables in an output have the specificity of one class."""

DARK: Final = '[data-jp-theme-light="false"]'
"""Selector of an ancestor that has JupyterLab's dark theme, with any colours of the system."""

# Without JupyterLab, the colours are those of a light page with its background, so the text is always readable.
THEME: Final = """
{scope}{background:var(--bg);color:var(--fg);padding:4px 8px;border-radius:8px;max-width:1200px;
font:var(--jp-ui-font-size1,13px)/1.5 var(--jp-ui-font-family,system-ui,sans-serif)}
{scope},{dark} {scope}{--bg:var(--jp-layout-color0,#fff);--fg:var(--jp-content-font-color0,#1b1f24);
--card:var(--jp-layout-color1,#f6f8fa);
--line:var(--jp-border-color2,#d9dee4)}
{scope} h1{font-size:1.15em;font-weight:600;line-height:1.4;margin:.2em 0}
{scope} h2{font-size:1.02em;font-weight:600;line-height:1.4;margin:0 0 .5em}
{scope} table{table-layout:auto;margin:0;border:0}
{scope} tr,{scope} tbody tr:nth-child(n),{scope} tbody tr:hover:nth-child(n){background:none}
{scope} summary{cursor:pointer;color:var(--dim);padding:2px 0 6px}
"""

_COMMA = re.compile(r",(?![^()\[\]]*[)\]])")
_PAGE = re.compile(r"^(?::root|html|body)\b")


@cache
def style() -> str:
    """Return the style sheet; its rules apply only inside the element."""
    return scoped(STYLE, SCOPE) + THEME.replace("{scope}", SCOPE).replace("{dark}", DARK)


def scoped(css: str, scope: str) -> str:
    """Change the rules of a page so that they apply only inside an element.

    The rules for a dark system become rules for a dark theme of JupyterLab.

    Raises:
        ValueError: there is an at-rule other than `@media`.
    """
    return "".join(_scoped(css, scope))


def _scoped(css: str, scope: str) -> Iterator[str]:
    for head, body in _rules(css):
        if head.startswith("@media"):
            if "prefers-color-scheme:dark" in head.replace(" ", ""):
                yield scoped(body, f"{DARK} {scope}")
            else:
                yield f"{head}{{{scoped(body, scope)}}}"
        elif head.startswith("@"):
            raise ValueError(f"{head}: only @media can be kept to an element")
        else:
            selectors = (_inside(selector.strip(), scope) for selector in _COMMA.split(head))
            yield f"{','.join(selectors)}{{{body}}}\n"


def _inside(selector: str, scope: str) -> str:
    return _PAGE.sub(scope, selector) if _PAGE.match(selector) else f"{scope} {selector}"


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield the outermost rules: the text before the braces, and the text inside them."""
    at = 0
    while (opening := css.find("{", at)) >= 0:
        depth, end = 1, opening + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        yield css[at:opening].strip(), css[opening + 1 : end - 1]
        at = end
