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
"""Greatest number of objects and arrays in one body. Each row is one; brackets inside its texts count too."""

MAX_KEYS: Final = 1_000_000
"""Greatest number of keys in one body; colons inside its texts count too."""

MAX_VALUES: Final = 4_000_000
"""Greatest number of values in one body; commas inside its texts count too."""

_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


def fault_place(fault: JsonFault) -> Places:
    """Return places that put every finding at the position where the text stops being JSON."""
    return lambda _finding: (fault.line or None, fault.column or None)


def body_places(text: bytes) -> Places:
    """Return places that put each finding at its value, or its key, in the text of the body."""
    places = JsonPlaces(text)
    return lambda finding: places.position(finding.path, at_key=finding.at_key)


def quickly(data: bytes, findings: Findings) -> JsonReading:
    """Decode a body with the fast parser; add to *findings* what a strict reader would refuse, if this parser sees it.

    Returns:
        The reading; a careful one if the fast parser fails.
    """
    if (fault := _too_much(data)) is not None:
        return JsonReading(None, data.removeprefix(codecs.BOM_UTF8), fault)
    return _noted(read(data), findings)


def thoroughly(data: bytes, findings: Findings) -> JsonReading:
    """Decode a body as Python does; add to *findings* what a strict reader would refuse."""
    return _noted(read_carefully(data), findings)


def has_no_duplicates(data: bytes, keys: int) -> bool:
    """Tell whether the number of colons proves that no object of a text has a key twice; False if it proves nothing.

    Args:
        data: valid JSON.
        keys: number of keys in the decoded value.
    """
    # Each key in the text has a colon outside strings; strings can only increase the number of colons.
    if data.count(b":") == keys:
        return True
    return data.count(b'":') == keys and not _SPACED_COLON.search(data)


def count_keys(value: object, *, flat: list[dict[str, object]] | None = None) -> int:
    """Count the keys of all objects in a decoded value.

    Args:
        flat: a list somewhere in the value; all its elements are objects that contain no other objects.
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
    """Add the oddities of a body that was read carefully to the findings."""
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
    """Refuse a body that no endpoint would accept in one piece; here it would take minutes and gigabytes."""
    if len(data) <= MAX_CONTAINERS * len(b"[],"):
        return None
    hint = "send fewer rows at a time, or give them as .jsonl, .csv or .parquet"
    for marks, most, shortest, what in (
        ((b"{", b"["), MAX_CONTAINERS, b"[],", "objects and arrays"),
        ((b":",), MAX_KEYS, b'"":1,', "keys"),
        ((b",",), MAX_VALUES, b"1,", "values"),
    ):
        # Counting takes noticeable time, so a body that is too short to exceed the limit is not counted.
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
