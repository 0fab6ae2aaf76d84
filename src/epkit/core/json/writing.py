"""Writes JSON: with the fast writer if its output is the same, otherwise with the standard library's."""

import json
from collections.abc import Mapping
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Write a decoded value in one line; whole numbers may have any size, and half a surrogate pair becomes `?`.

    Raises:
        TypeError: it contains a value that JSON cannot represent.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return _python(value, surrogates="replace")


def dumps_row(value: Any) -> bytes:
    """Write a row; NaN and the infinities become the words that Python's JSON readers and the genuine server accept."""
    return dumps(value) if _is_finite(value) else dumps_words(value)


def dumps_words(value: Any) -> bytes:
    """Write a value that may contain NaN and the infinities; they become the same words as in `dumps_row`."""
    return _python(value, surrogates="surrogatepass")


def dumps_payload(payload: object) -> bytes:
    """Write a payload from Python as the text that would be sent; numpy arrays become JSON arrays.

    Raises:
        TypeError: it contains a value that JSON cannot represent.
    """
    try:
        return orjson.dumps(payload, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        # It contains half a surrogate pair, or a whole number of more than 64 bits: JSON can represent both.
        try:
            return json.dumps(payload, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError):
            raise error from None


def dumps_record(value: Mapping[str, Any]) -> bytes:
    """Write a record of one of epkit's files in one line; floats are written as Python writes them.

    Raises:
        ValueError: a number is not finite: JSON cannot represent it.
    """
    return _python(value, surrogates="replace", allow_nan=False)


def document(value: Mapping[str, Any], *, indent: int = 2, allow_nan: bool = False) -> str:
    """Write a document to print: indented, with a final line break.

    Args:
        allow_nan: write NaN and the infinities as words, which some JSON readers do not accept.

    Raises:
        ValueError: a number is not finite, and *allow_nan* is false.
    """
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=allow_nan) + "\n"


def _python(value: Any, *, surrogates: str, allow_nan: bool = True) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"))
    return text.encode("utf-8", surrogates)


def _is_finite(value: Any) -> bool:
    """Tell whether all floats in a value are finite: JSON cannot represent others."""
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))
