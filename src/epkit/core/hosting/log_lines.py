"""Makes the lines of a server's log safe for a terminal."""

import re
import unicodedata
from typing import Final

_COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")
"""Select Graphic Rendition of ECMA-48."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(line: str) -> str:
    r"""Escape characters that a terminal acts on or does not show: bidirectional overrides, controls, invisible ones.

    Returns:
        The line without its colours. Tabs are kept; every other such character becomes Python's escape: `\u202e`.
    """
    if line.isprintable():
        return line
    return "".join(
        char.encode("unicode-escape").decode() if char != "\t" and unicodedata.category(char) in _UNSEEN else char
        for char in _COLOURS.sub("", line)
    )
