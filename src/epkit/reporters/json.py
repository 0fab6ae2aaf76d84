"""The JSON report as text; `epkit.core.report.document` says what is in it."""

from collections.abc import Mapping
from typing import Any

from epkit.core.json import writing


def render(document: Mapping[str, Any]) -> str:
    """Render a document.

    Args:
        document: of JSON's own types.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return writing.document(document)
