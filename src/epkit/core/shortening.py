"""Shortens external texts. The result is marked, so that a mask can find the remaining part of a key that was cut."""

from typing import Final

ELLIPSIS: Final = "…"
"""The end of a text that was cut; `epkit.core.http.masking.mask_text` searches for a cut secret before it."""


def cut(text: str, limit: int) -> str:
    """Shorten a text.

    Args:
        limit: greatest number of characters with the ellipsis, ≥ 1.
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_bytes(data: bytes, limit: int) -> str:
    """Return the first *limit* bytes as a text, with an ellipsis if there are more."""
    if len(data) <= limit:
        return data.decode("utf-8", "replace")
    return data[:limit].decode("utf-8", "replace").rstrip("\ufffd") + ELLIPSIS
