"""What a reply says: decoded, and the error it may hide."""

import json

from epkit.core.json.reading import loads
from epkit.core.replies.finding import unwrapped


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
    return unwrapped(value) if isinstance(value, str) else value


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
        decoded = unwrapped(decoded)
    if not isinstance(decoded, dict) or not (error := decoded.get("error")):
        return None
    if isinstance(error, str):
        return error
    try:
        return json.dumps(error)
    except RecursionError:
        # orjson reads deeper than json writes.
        return "an error that is nested too deeply to be shown"
