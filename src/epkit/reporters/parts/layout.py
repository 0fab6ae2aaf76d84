"""The layout of text for a terminal: labels, and wrapped prose."""

import textwrap
from typing import Final

WIDTH: Final = 80

LABEL: Final = 24
"""Width of a label in characters, as in ab's head block."""


def labelled(label: str, value: object) -> str:
    """Put a value after its label."""
    return f"{label + ':':<{LABEL}}{value}".rstrip()


def wrap(text: str, first: str = "", rest: str = "    ") -> list[str]:
    """Break prose into lines, never inside a word.

    Args:
        first, rest: indents of the first line and of the others.
    """
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
