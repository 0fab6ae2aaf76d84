"""The display of a value in a notebook's cell: a small page, or text if pages are not supported."""

from typing import Final

from epkit.reporters.notebook.style import style
from epkit.reporters.parts.page import Sheet

LINES: Final = 80
"""Greatest number of lines of a text; a longer text is cut."""


def html(sheet: Sheet) -> str:
    """Return self-contained HTML that does not affect the page around it; details are folded."""
    folded = f"<details><summary>More</summary>{''.join(sheet.rest)}</details>" if sheet.rest else ""
    return f'<div class="epkit"><style>{style()}</style>\n{"".join(sheet.first)}{folded}</div>'


def shortened(text: str) -> str:
    """Shorten a long text; the page has the complete text."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"… and {len(lines) - LINES + 1} more lines"]
    return "\n".join(lines)
