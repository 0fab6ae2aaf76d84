"""Escapes text for XML: a character that XML does not allow becomes a question mark."""

import re
from xml.sax.saxutils import escape, quoteattr

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(content: str) -> str:
    """Escape text between tags."""
    return escape(_FORBIDDEN.sub("?", content))


def attribute(content: str) -> str:
    """Escape and quote text inside a tag."""
    return quoteattr(_FORBIDDEN.sub("?", content))
