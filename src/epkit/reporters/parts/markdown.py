"""Escapes text for Markdown."""

import re

from epkit.core.http.masking import clean


def escape(text: str) -> str:
    """Escape characters that have a meaning in Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>|#~@&])", r"\\\1", clean(text, 1000))


def code(text: str) -> str:
    """Make a text safe between backticks."""
    return clean(text, 1000).replace("`", "'")
