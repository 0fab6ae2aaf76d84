"""Writes JSON: with the fast writer if its output is the same, otherwise with the standard library's."""

import json
from collections.abc import Mapping
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Write a decoded value in one line, whole numbers of any size too; half a surrogate pair becomes `?`.

    Raises:
        TypeError: there is something in it that JSON has no word for.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return _python(value, surrogates="replace")


def dumps_row(value: Any) -> bytes:
    """Write a row; NaN and the infinities as the words that Python's readers of JSON know, and the genuine server."""
    return dumps(value) if _is_finite(value) else dumps_words(value)


def dumps_words(value: Any) -> bytes:
    """Write a value that may hold NaN and the infinities, as `dumps_row` does."""
    return _python(value, surrogates="surrogatepass")


def dumps_payload(payload: object) -> bytes:
    """Write a payload from Python as the text that would be sent; arrays of numpy are arrays.

    Raises:
        TypeError: there is something in it that JSON has no word for.
    """
    try:
        return orjson.dumps(payload, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        # Half a surrogate pair, or a whole number of more than 64 bits: JSON can say either.
        try:
            return json.dumps(payload, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError):
            raise error from None


def dumps_record(value: Mapping[str, Any]) -> bytes:
    """Write a record of a file of ours in one line, floats as Python writes them.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return _python(value, surrogates="replace", allow_nan=False)


def document(value: Mapping[str, Any], *, indent: int = 2, allow_nan: bool = False) -> str:
    """Write a document that is printed: indented, with a final line break.

    Args:
        allow_nan: write NaN and the infinities as words, which not every reader of JSON knows.

    Raises:
        ValueError: a number is not finite, and that is not allowed.
    """
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=allow_nan) + "\n"


def _python(value: Any, *, surrogates: str, allow_nan: bool = True) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"))
    return text.encode("utf-8", surrogates)


def _is_finite(value: Any) -> bool:
    """Tell whether there is no float in a value that JSON has no number for."""
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))
