"""Decodes a request or reply body like the inference server, and reports oddities."""

import codecs
import re
from typing import Final

from epkit.core.json.faults import JsonFault
from epkit.core.json.places import JsonPlaces
from epkit.core.json.reading import JsonReading, read, read_carefully
from epkit.core.shortening import cut
from epkit.core.validate.violations import Findings, Path, Places

MAX_CONTAINERS: Final = 250_000
"""Objects and arrays of one body, brackets in its texts counted too: a row each."""

MAX_KEYS: Final = 1_000_000
"""Keys of one body, colons in its texts counted too."""

MAX_VALUES: Final = 4_000_000
"""Values of one body, commas in its texts counted too."""

_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


def fault_place(fault: JsonFault) -> Places:
    """Place every finding where the text stops being JSON."""
    return lambda _finding: (fault.line or None, fault.column or None)


def body_places(text: bytes) -> Places:
    """Place findings where their values, or keys, are in the text of the body."""
    places = JsonPlaces(text)
    return lambda finding: places.position(finding.path, at_key=finding.at_key)


def quickly(data: bytes, findings: Findings) -> JsonReading:
    """Decode a body the fast way, noting in *findings* what a strict reader would refuse, as far as that way sees it.

    Returns:
        The reading; a careful one where the fast way fails.
    """
    if (fault := _too_much(data)) is not None:
        return JsonReading(None, data.removeprefix(codecs.BOM_UTF8), fault)
    return _noted(read(data), findings)


def thoroughly(data: bytes, findings: Findings) -> JsonReading:
    """Decode a body as Python does, noting in *findings* what a strict reader would refuse."""
    return _noted(read_carefully(data), findings)


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


def _noted(body: JsonReading, findings: Findings) -> JsonReading:
    """Note what is odd about a body that was read carefully."""
    if not body.careful or body.fault is not None:
        return body
    if body.encoding != "utf-8":
        text = f"the body is {body.encoding[:6].upper()}: JSON is UTF-8"
        findings.add("encoding", (), text, severity="warning")
    for key in body.duplicates:
        findings.add(
            "duplicate-key",
            (),
            f'the key "{cut(key, 40)}" occurs more than once in one object: the server takes the last',
            severity="warning",
            place=("duplicate", key),
        )
    if b"\\ud" in body.text or b"\\uD" in body.text:
        _look_for_surrogates(body.value, findings)
    return body


def _too_much(data: bytes) -> JsonFault | None:
    """Refuse a body that no endpoint would take in one piece, before it takes minutes and gigabytes here."""
    if len(data) <= MAX_CONTAINERS * len(b"[],"):
        return None
    hint = "send fewer rows at a time, or give them as .jsonl, .csv or .parquet"
    for marks, most, shortest, what in (
        ((b"{", b"["), MAX_CONTAINERS, b"[],", "objects and arrays"),
        ((b":",), MAX_KEYS, b'"":1,', "keys"),
        ((b",",), MAX_VALUES, b"1,", "values"),
    ):
        # Counting costs more than a little: not where the body is too short to exceed the limit.
        if len(data) > most * len(shortest) and sum(map(data.count, marks)) > most:
            return JsonFault(f"more than {most:,} {what} in one body", 0, 0, hint)
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
