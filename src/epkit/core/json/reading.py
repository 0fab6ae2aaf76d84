"""Reads JSON: decodes it like the inference server, or refuses it with the place and the reason.

orjson reads plain texts. The standard library's parser, which the genuine server uses, reads the others: those with NaN
and the infinities, half surrogate pairs, UTF-16, whole numbers of any size. It also finds where a text is not JSON.
"""

import codecs
import json
import re
from typing import Any, Final, NamedTuple

import orjson

from epkit.core.json.faults import JsonFault, fault_at, parser_fault
from epkit.errors import UsageError

MAX_DEPTH: Final = 500
"""Number of levels that every server can read: Python's parser refuses a number somewhere below 1,000."""

MAX_DIGITS: Final = 4300
"""Greatest number of digits of a whole number that Python reads (sys.int_info.default_max_str_digits)."""

_BLANKS: Final = b" \t\r\n"
_LONG: Final = b"0" * 19
_DIGITS: Final = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else 0 for byte in range(256))
_HUGE: Final = re.compile(rf'"(?:[^"\\]|\\.)*"?|(?P<digits>[0-9]{{{MAX_DIGITS + 1}}})|[0-9]++', re.DOTALL)
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_NEITHER_BRACKET_NOR_QUOTE: Final = bytes(set(range(256)) - set(b'[]{}"'))


class JsonReading(NamedTuple):
    """A decoded text.

    Args:
        value: meaningless if there is a *fault*.
        text: the text in UTF-8, without a byte order mark.
        fault: why the text cannot be read.
        careful: whether the standard library's parser has read it.
        encoding: the original encoding of the text, by Python's name: `utf-8` or another.
        duplicates: keys that an object has twice or more; only a careful reading finds them.
    """

    value: Any
    text: bytes
    fault: JsonFault | None = None
    careful: bool = False
    encoding: str = "utf-8"
    duplicates: tuple[str, ...] = ()


def loads(text: bytes | str) -> Any:
    """Decode a text if only its value matters.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
        except RecursionError:
            raise ValueError("nested too deeply") from None


def loads_row(text: bytes) -> Any:
    """Decode a row; its whole numbers may have any size.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
    # orjson turns whole numbers over 64 bits into floats.
    big = isinstance(value, dict) and any(isinstance(cell, float) and abs(cell) >= 2**63 for cell in value.values())
    return json.loads(text) if big else value


def parse(data: bytes, *, name: str, first_line: int = 1) -> Any:
    """Decode a text that a user has written; its whole numbers may have any size.

    Args:
        name: name of the file, for the message.
        first_line: number of the line where the text begins.

    Raises:
        UsageError: `NAME:LINE:COLUMN: not JSON: …`.
    """
    reading = read(data)
    if not reading.careful and has_long_number(data):
        reading = read_carefully(data)
    if (fault := reading.fault) is not None:
        place = f":{fault.line + first_line - 1}:{fault.column}" if fault.line else ""
        raise UsageError(f"{name}{place}: {fault.sentence}")
    return reading.value


def read(data: bytes) -> JsonReading:
    """Decode a text with the fast parser, which ignores duplicate keys, and reads whole numbers over 64 bits as floats.

    Returns:
        The reading; that of `read_carefully` if the fast parser fails.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return JsonReading(orjson.loads(data), data)
    except orjson.JSONDecodeError:
        return read_carefully(data)


def read_carefully(data: bytes) -> JsonReading:
    """Decode a text as Python does."""
    data, encoding = as_utf8(data)
    duplicates: dict[str, None] = {}
    value: Any = None
    fault = not_utf8(data)
    if fault is None:
        text = data.decode("utf-8")
        fault = _too_deep(data, text)
        if not data.strip(_BLANKS):
            fault = JsonFault("not JSON: the text is empty", 1, 1)
    if fault is None:
        try:
            value = json.loads(text, object_pairs_hook=_noting(duplicates))
        except json.JSONDecodeError as error:
            fault = parser_fault(error)
        except RecursionError:
            fault = JsonFault("nested too deeply to be read", 0, 0)
        except ValueError:
            fault = _too_many_digits(text)
    return JsonReading(value, data, fault, True, encoding, tuple(duplicates))


def has_long_number(data: bytes) -> bool:
    """Tell whether a text has a run of digits that may be a whole number of more than 64 bits."""
    return _LONG in data.translate(_DIGITS)  # twenty times as fast as a regular expression


def as_utf8(data: bytes) -> tuple[bytes, str]:
    """Return a text in UTF-8 without a byte order mark, and its original encoding, detected as Python does."""
    encoding = json.detect_encoding(data)
    if not encoding.startswith("utf-8"):
        try:
            return data.decode(encoding).encode("utf-8", "surrogatepass"), encoding
        except UnicodeDecodeError:
            pass
    return data.removeprefix(codecs.BOM_UTF8), "utf-8"


def not_utf8(data: bytes) -> JsonFault | None:
    """Find the first byte that is not valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return fault_at(before, len(before), f"not UTF-8: byte {data[error.start]:#04x}", "save the file as UTF-8")
    return None


def _noting(duplicates: dict[str, None]) -> Any:
    """Return a function that makes an object of its members, and notes duplicate keys."""

    def make(members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) != len(members):
            seen: set[str] = set()
            for key, _ in members:
                if key in seen:
                    duplicates[key] = None
                seen.add(key)
        return value

    return make


def _too_deep(data: bytes, text: str) -> JsonFault | None:
    """Find where brackets are first nested deeper than `MAX_DEPTH`."""
    if not _may_be_deep(data):
        return None
    depth = 0
    for match in _BRACKETS.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                why = f"nested deeper than {MAX_DEPTH} levels, more than servers read"
                return fault_at(text, match.start(), why)
        elif match[0] in "]}":
            depth -= 1
    return None


def _may_be_deep(data: bytes) -> bool:
    """Tell quickly whether a text may be too deep; many brackets are no reason if they are rows of plain cells."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    # If all characters except brackets and quotes are removed, a pair of quotes is a text, and a pair of brackets is a
    # plain row.
    bare = _ESCAPED.sub(b"", data) if b"\\" in data else data
    bare = bare.translate(None, _NEITHER_BRACKET_NOR_QUOTE)
    bare = bare.replace(b'""', b"").replace(b"{}", b"").replace(b"[]", b"")
    # Each of the two replacements of brackets removes at most one level.
    return bare.count(b"[") + bare.count(b"{") > MAX_DEPTH - 2


def _too_many_digits(text: str) -> JsonFault:
    why = f"a number of more than {MAX_DIGITS:,} digits, more than servers read"
    for match in _HUGE.finditer(text):
        if match["digits"]:
            return fault_at(text, match.start(), why)
    return JsonFault(why, 0, 0)
