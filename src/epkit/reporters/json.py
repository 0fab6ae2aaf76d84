"""The JSON report as text; `epkit.core.report.document` says what is in it."""

import json
from collections.abc import Mapping
from typing import Any


def render(document: Mapping[str, Any]) -> str:
    """Render a document.

    Args:
        document: of JSON's own types.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
