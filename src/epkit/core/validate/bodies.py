"""The text of a request body, decoded as the genuine server decodes it, with what is odd about it."""

import codecs
import json
import re
from typing import Any, Final, NamedTuple

import orjson

from epkit.core.contract.json_faults import fault
from epkit.core.validate.violations import Finding, Findings, Path, Places

MAX_DEPTH: Final = 500
"""Levels that the server is sure to take: Python's parser refuses somewhere below 1,000."""

MAX_DIGITS: Final = 4300
"""Digits of a whole number that Python reads (sys.int_info.default_max_str_digits)."""

MAX_CONTAINERS: Final = 250_000
"""Objects and arrays of one body, brackets in its texts counted too: a row each."""

MAX_KEYS: Final = 1_000_000
"""Keys of one body, colons in its texts counted too."""

MAX_VALUES: Final = 4_000_000
"""Values of one body, commas in its texts counted too."""

_HUGE: Final = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_LONG: Final = re.compile(rb"[0-9]{19}")
_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


class Fault(NamedTuple):
    """Why a text is not JSON, and where: line and column from 1, 0 where no place is known."""

    text: str
    line: int
    column: int
    hint: str | None = None


class FaultPlace(Places):
    """Every finding is where the text stops being JSON."""

    def __init__(self, fault: Fault) -> None:
        self._place = (fault.line or None, fault.column or None)

    def __call__(self, finding: Finding) -> tuple[int | None, int | None]:  # noqa: ARG002  (there is one place)
        """Return line and column of the fault."""
        return self._place


class Body(NamedTuple):
    """A decoded body; *value* means nothing where there is a *fault*; *careful* tells which way it was decoded."""

    value: Any
    text: bytes
    fault: Fault | None = None
    careful: bool = False


def quickly(data: bytes, findings: Findings) -> Body:
    """Decode a body the fast way, which sees no duplicate keys and takes whole numbers over 64 bits for floats.

    Returns:
        The body; from `thoroughly` where the fast way fails.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    if (fault := _too_much(data)) is not None:
        return Body(None, data, fault)
    try:
        return Body(orjson.loads(data), data)
    except orjson.JSONDecodeError:
        return thoroughly(data, findings)


def thoroughly(data: bytes, findings: Findings) -> Body:
    """Decode a body as Python does, noting in *findings* what a strict reader would refuse."""
    data, encoding = _as_utf8(data)
    if not data.strip(b" \t\r\n"):
        return Body(None, data, Fault("the body is empty: a JSON object is expected", 1, 1))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _position(data, error.start)
        hint = "save the file as UTF-8"
        return Body(None, data, Fault(f"not UTF-8: byte {data[error.start]:#04x}", line, column, hint))
    if (deep := _too_deep(data)) is not None:
        return Body(None, data, Fault(f"nested deeper than {MAX_DEPTH} levels", *_position(data, deep)))
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(items)
        if len(value) != len(items):
            seen: set[str] = set()
            duplicates.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return value

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        at = fault(error)
        return Body(None, data, Fault(f"not JSON: {at.words}", at.line, at.column, _advice(text, at.position)))
    except ValueError:
        # The one other ValueError of the parser: a whole number of too many digits.
        huge = _HUGE.search(data)
        line, column = _position(data, huge.start()) if huge else (0, 0)
        return Body(None, data, Fault(f"a number of more than {MAX_DIGITS:,} digits", line, column))
    if encoding != "8":
        findings.add("encoding", (), f"the body is UTF-{encoding[:2]}: JSON is UTF-8", severity="warning")
    for key in dict.fromkeys(duplicates):
        findings.add(
            "duplicate-key",
            (),
            f'the key "{key[:40]}" stands more than once in one object: the server takes the last',
            severity="warning",
            place=("duplicate", key),
        )
    if "\\ud" in text or "\\uD" in text:
        _look_for_surrogates(value, findings)
    return Body(value, data, careful=True)


def has_no_duplicates(data: bytes, keys: int) -> bool:
    """Tell from the number of colons alone that no key of a text was lost to a duplicate; else say False.

    Args:
        data: valid JSON.
        keys: how many keys the decoded value has.
    """
    # Each key written has a colon outside of strings; strings can only add to the number of colons.
    if data.count(b":") == keys:
        return True
    return data.count(b'":') == keys and not _SPACED_COLON.search(data)


def has_long_number(data: bytes) -> bool:
    """Tell whether there is a run of digits that may be a whole number of more than 64 bits."""
    return _LONG.search(data) is not None


def count_keys(value: object, *, flat: list[dict[str, object]] | None = None) -> int:
    """Count the keys of all objects in a decoded value.

    Args:
        flat: a list somewhere in the value, all of whose elements are objects without others in them.
    """
    count = 0
    pending = [value]
    while pending:
        value = pending.pop()
        if value is flat and flat is not None:
            count += sum(map(len, flat))
        elif isinstance(value, dict):
            count += len(value)
            pending += [child for child in value.values() if isinstance(child, dict | list)]
        elif isinstance(value, list):
            pending += [child for child in value if isinstance(child, dict | list)]
    return count


def _as_utf8(data: bytes) -> tuple[bytes, str]:
    """Return a text in UTF-8, and the encoding it came in: the server guesses at it as Python does."""
    encoding = json.detect_encoding(data)
    if not encoding.startswith("utf-8"):
        try:
            return data.decode(encoding).encode("utf-8", "surrogatepass"), encoding.partition("-")[2]
        except UnicodeDecodeError:
            pass
    return data.removeprefix(codecs.BOM_UTF8), "8"


def _too_much(data: bytes) -> Fault | None:
    """Refuse a body that no endpoint would take in one piece, before it takes minutes and gigabytes here."""
    hint = "send fewer rows at a time, or give them as .jsonl, .csv or .parquet"
    for marks, most, shortest, what in (
        ((b"{", b"["), MAX_CONTAINERS, b"[],", "objects and arrays"),
        ((b":",), MAX_KEYS, b'"":1,', "keys"),
        ((b",",), MAX_VALUES, b"1,", "values"),
    ):
        # Counting costs more than a little: not where the body is too short to have so many.
        if len(data) > most * len(shortest) and sum(map(data.count, marks)) > most:
            return Fault(f"more than {most:,} {what} in one body", 0, 0, hint)
    return None


_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def _too_deep(data: bytes) -> int | None:
    """Return where brackets first go deeper than `MAX_DEPTH`, or None."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return None
    depth = 0
    for match in _STRUCTURE.finditer(data):
        if match[0] in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return match.start()
        elif match[0] in b"]}":
            depth -= 1
    return None


def _position(data: bytes, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of a byte."""
    start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode("utf-8", "replace")) + 1


def _advice(text: str, offset: int) -> str | None:
    """Guess what was meant where the parser stopped."""
    rest = text[offset : offset + 8]
    if rest.startswith("'"):
        return "JSON strings stand in double quotes"
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if rest.startswith(("True", "False", "None")):
        return "JSON writes true, false and null"
    if rest[:1] in ("}", "]") and text[:offset].rstrip().endswith(","):
        return "no comma after the last element"
    if offset and not text[:offset].strip("\ufeff \t\r\n"):
        return None
    if rest.startswith("<") and offset <= 4:
        return "this is HTML or XML"
    return None


def _look_for_surrogates(value: object, findings: Findings) -> None:
    pending: list[tuple[object, Path]] = [(value, ())]
    while pending:
        part, path = pending.pop()
        if isinstance(part, str):
            try:
                part.encode("utf-8")
            except UnicodeEncodeError:
                text = "half of a surrogate pair: no Unicode text"
                findings.add("encoding", path, text, severity="warning", place=("surrogate",))
                return
        elif isinstance(part, dict):
            pending += [(child, (*path, key)) for key, child in part.items()]
            pending += [(key, path) for key in part]
        elif isinstance(part, list):
            pending += [(child, (*path, index)) for index, child in enumerate(part)]
