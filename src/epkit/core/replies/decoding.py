"""Decodes a reply, and finds the error that it may hide."""

import json

from epkit.core.json.reading import loads
from epkit.core.replies.finding import unwrapped


def decode(body: bytes) -> object:
    """Decode a reply's body.

    A JSON string that contains a JSON object or array is decoded once more. `NaN` and `Infinity` are accepted, as
    Python's json does, because model servers written in Python send them.

    Returns:
        Dicts, lists, strings, numbers, booleans, None.

    Raises:
        ValueError: *body* is not JSON, or nested too deeply.

    Source: AutoML's scoring scripts of 2020–21 return `json.dumps(…)` from `run()`, and the inference server
    encodes that string again.
    """
    value = loads(body)
    return unwrapped(value) if isinstance(value, str) else value


def hidden_error(decoded: object) -> str | None:
    """Find the error that a reply with a 2xx status hides.

    Args:
        decoded: what `decode` returned; a string that still contains JSON is decoded.

    Returns:
        The text under `error`, as JSON if it is not a string. None if the key is missing, or its value is null or
        otherwise empty.

    Source: AutoML's scoring scripts catch every exception and return `{"error": str(e)}` under status 200.
    """
    if isinstance(decoded, str):
        decoded = unwrapped(decoded)
    if not isinstance(decoded, dict) or not (error := decoded.get("error")):
        return None
    if isinstance(error, str):
        return error
    try:
        return json.dumps(error)
    except RecursionError:
        # orjson reads deeper nesting than json can write.
        return "an error that is nested too deeply to be shown"
