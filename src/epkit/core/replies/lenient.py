"""JSON that is decoded leniently: orjson first, and the standard library for what orjson refuses."""

from typing import Any

import orjson


def orjson_or_json(text: bytes) -> Any:
    """Decode a row; NaN, the infinities and whole numbers of any size too."""
    import json

    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
    # The fast way makes floats of whole numbers over 64 bits.
    big = isinstance(value, dict) and any(isinstance(cell, float) and abs(cell) >= 2**63 for cell in value.values())
    return json.loads(text) if big else value
