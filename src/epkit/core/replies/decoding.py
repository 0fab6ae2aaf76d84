"""What a reply says: decoded, the error it may hide, the predictions it holds."""

import json
from typing import Any

from epkit.core.json.reading import loads
from epkit.core.shapes.forms import same_length

_PREDICTIONS = ("result", "results", "Results", "predictions", "outputs", "output", "forecast")


def decode(body: bytes) -> object:
    """Decode a reply's body.

    A JSON string that itself contains a JSON object or array is decoded once more. `NaN` and `Infinity` are
    taken as Python takes them, because model servers written in Python send them.

    Returns:
        Dicts, lists, strings, numbers, booleans, None.

    Raises:
        ValueError: *body* is not JSON, or nested too deeply to be read.

    Source: AutoML's scoring scripts of 2020–21 return `json.dumps(…)` from `run()`, and the inference server
    encodes that string again.
    """
    value = loads(body)
    return _unwrap(value) if isinstance(value, str) else value


def hidden_error(decoded: object) -> str | None:
    """Find the error that a reply with a status of success hides.

    Args:
        decoded: what `decode` returned; a string that still has JSON in it is looked into.

    Returns:
        The text under `error`, as JSON where it is not a string; None without such a key or where its value
        is null or otherwise empty.

    Source: AutoML's scoring scripts catch every exception and return `{"error": str(e)}` under status 200.
    """
    if isinstance(decoded, str):
        decoded = _unwrap(decoded)
    if not isinstance(decoded, dict) or not (error := decoded.get("error")):
        return None
    if isinstance(error, str):
        return error
    try:
        return json.dumps(error)
    except RecursionError:
        # orjson reads deeper than json writes.
        return "an error that is nested too deeply to be shown"


def predictions(decoded: object) -> list[Any] | None:
    """Find the predictions in a decoded reply.

    Known are a bare list; `result`, `Results`, `predictions`, `outputs`, `output`, `forecast`, in each other too
    (`{"Results": {"forecast": […]}}`); and columns of one length under any of them.

    Returns:
        One a row, of columns as a dict; None where there is nothing known.
    """
    under_key = False
    while isinstance(decoded, dict):
        key = next((key for key in _PREDICTIONS if key in decoded), None)
        if key is None:
            if not under_key or same_length(decoded.values()) is None:
                return None
            return [dict(zip(decoded, row, strict=True)) for row in zip(*decoded.values(), strict=True)]
        decoded, under_key = decoded[key], True
    return decoded if isinstance(decoded, list) else None


def _unwrap(text: str) -> object:
    """Decode the JSON object or array in *text*, if there is one."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return loads(text)
    except ValueError:
        return text
