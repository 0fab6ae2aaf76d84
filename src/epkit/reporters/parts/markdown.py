"""Escapes text for Markdown."""

import re

from epkit.core.http.masking import clean


def escape(text: str) -> str:
    """Take from text what Markdown or HTML would act on."""
    return re.sub(r"([\\`*_{}\[\]<>|#~@&])", r"\\\1", clean(text, 1000))


def code(text: str) -> str:
    """Fit text between backticks."""
    return clean(text, 1000).replace("`", "'")
