"""Shortens external texts. The result is marked, so that a mask can find what the cut left of a key."""

from typing import Final

ELLIPSIS: Final = "…"
"""Ends a text that was cut; `epkit.core.http.masking.mask_text` looks for the beginning of a secret before it."""


def cut(text: str, limit: int) -> str:
    """Shorten a text.

    Args:
        limit: characters, ≥ 1, the ellipsis among them.
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_bytes(data: bytes, limit: int) -> str:
    """Return a text of which only the first bytes are shown, with an ellipsis where there are more than *limit*."""
    if len(data) <= limit:
        return data.decode("utf-8", "replace")
    return data[:limit].decode("utf-8", "replace").rstrip("\ufffd") + ELLIPSIS
