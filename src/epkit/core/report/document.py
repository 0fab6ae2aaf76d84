"""The report as a JSON document, back again, and the schema of it: all three read off the dataclasses.

A field is a key, in the order of the class; nothing is left out, and nothing is added but `format` at the top and the
kinds of caveats. A field that comes later has a default, so that the documents in old saved runs are read for ever.
JSON knows no infinity: an infinite latency (of failures, where those are counted so) or observation of a threshold is
null.

Caveats are two arrays of one length: their texts, which is all that there was at first, and their kinds. A reader of
the texts alone goes on as before, and the caveats of a document without kinds get theirs from `kind_before_kinds`.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from epkit.core.report.caveats import CaveatKind, kind_before_kinds
from epkit.core.report.report import FORMAT, Report
from epkit.core.samples.rows import FAILURES
from epkit.core.stats.distribution import PERCENTILES

Part = TypeVar("Part")

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

KEYS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("Distribution", "percentiles"): PERCENTILES,
    ("Distribution", "ci95"): (*PERCENTILES, "mean"),
    ("Counts", "failures"): tuple(kind.name.lower() for kind in FAILURES),
    ("Generator", "lag_ms"): ("p50", "p99", "max"),
    ("WorkerInfo", "lag_ms"): ("p50", "p99", "max"),
}
"""The mappings that have the same keys in every report."""

INFINITE: Final[Mapping[str, tuple[str, ...]]] = {
    "Threshold": ("observed",),
    "Distribution": ("min", "mean", "sd", "median", "max", "percentiles"),
}
"""What may be infinite, which JSON writes as null."""

CAVEATS: Final[Mapping[str, tuple[str, str]]] = {
    "Report": ("warnings", "warning_kinds"),
    "Validity": ("reasons", "reason_kinds"),
}
"""The field of a class that holds caveats, which is the key of their texts, and the key of their kinds."""

MOST: Final = 2**63 - 1
"""The largest whole number of a document."""

SCALARS: Final[Mapping[Any, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def to_document(report: Report) -> dict[str, Any]:
    """Turn a report into plain dicts, lists, strings and finite numbers.

    Raises:
        ValueError: a number is not finite, where it should be.
    """
    return {"format": FORMAT, **to_plain(report)}


def from_document(document: Mapping[str, Any]) -> Report:
    """Make the report again: `from_document(to_document(report)) == report`.

    Args:
        document: as `to_document` makes it, or as it was read from JSON.

    Raises:
        ValueError: it is of another format, or not of the shape of the schema.
    """
    if document.get("format") != FORMAT:
        raise ValueError(f"format is {document.get('format')!r}, not {FORMAT!r}")
    report = from_plain(Report, {key: value for key, value in document.items() if key != "format"})
    counts = report.counts
    if min(counts.ok, counts.failed) < 0 or counts.sent != counts.ok + counts.failed:
        raise ValueError(
            f"counts: {counts.sent} requests are not {counts.ok} that succeeded and {counts.failed} that failed"
        )
    return report


def from_plain(kind: type[Part], value: Any) -> Part:
    """Make a part of a report again.

    Raises:
        ValueError: it is not of that shape.
    """
    made: Part = _made(kind, value)
    return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, strict: every key is required and no other is allowed."""
    definitions: dict[str, Any] = {}
    _shape(Report, definitions)
    top = definitions.pop("Report")
    top["properties"] = {"format": {"const": FORMAT}, **top["properties"]}
    top["required"] = list(top["properties"])
    return {"$schema": DIALECT, "title": FORMAT, **top, "$defs": dict(sorted(definitions.items()))}


def to_plain(value: Any) -> Any:
    """Turn a part of a report into what JSON knows, as `to_document` does the whole."""
    if is_dataclass(value):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        for name in INFINITE.get(type(value).__name__, ()):
            found[name] = _swapped(found[name], math.inf, None)
        if names := CAVEATS.get(type(value).__name__):
            caveats = found[names[0]]
            found[names[0]] = [caveat.text for caveat in caveats]
            found[names[1]] = [caveat.kind.value for caveat in caveats]
        return to_plain(found)
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"JSON has no number for {value}")
    return value


def _swapped(value: Any, one: float | None, other: float | None) -> Any:
    """Return *other* for *one*, in a mapping in each of its values."""
    if isinstance(value, Mapping):
        return {key: _swapped(item, one, other) for key, item in value.items()}
    return other if value == one else value


def _made(kind: Any, value: Any) -> Any:
    """Make a value of a type from what JSON knows.

    Raises:
        ValueError: it is not of that type, or out of its bounds.
    """
    if isinstance(kind, UnionType):
        return None if value is None else _made(get_args(kind)[0], value)
    if is_dataclass(kind) and isinstance(kind, type):
        return _made_part(kind, _wanted(value, Mapping, "an object"))
    if get_origin(kind) is Mapping:
        return {
            _text(key): _made(get_args(kind)[1], item) for key, item in _wanted(value, Mapping, "an object").items()
        }
    if get_origin(kind) is tuple:
        items, inner = _wanted(value, list | tuple, "an array"), get_args(kind)
        if inner[-1] is not Ellipsis and len(inner) != len(items):
            raise ValueError(f"{len(inner)} values are wanted, not {len(items)}")
        return tuple(_made(inner[0], item) for item in items)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if kind is float and type(value) is int:  # JSON has one kind of number
        value = float(value) if abs(value) <= MOST else value
    if kind in SCALARS and type(value) is not kind:
        raise ValueError(f"{SCALARS[kind]} is wanted, not a {type(value).__name__}")
    if kind is str:
        return _text(value)
    if kind is int and abs(value) > MOST:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _made_part(kind: type, value: Mapping[str, Any]) -> Any:
    given = dict(value)
    name = kind.__name__
    for key in INFINITE.get(name, ()):
        if key in given:
            given[key] = _swapped(given[key], None, math.inf)
    if names := CAVEATS.get(name):
        _join_caveats(given, *names)
    hints = get_type_hints(kind)
    # A saved run of an older epkit lacks what came later, and what came later has a default.
    late = {field.name for field in fields(kind) if field.default is not MISSING}
    if not hints.keys() - late <= given.keys() <= hints.keys():
        raise ValueError(f"{name} wants the keys {sorted(hints)}, not {sorted(given)}")
    made = {}
    for key in [key for key in hints if key in given]:
        try:
            item = made[key] = _made(hints[key], given[key])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        keys = KEYS.get((name, key))
        if keys and sorted(item) != sorted(keys):
            raise ValueError(f"{key} of {name} wants the keys {', '.join(keys)}")
        infinite = key in INFINITE.get(name, ())
        if not infinite and isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{key} of {name} is not finite")
    return kind(**made)


def _wanted(value: Any, kind: Any, name: str) -> Any:
    """Return a value that is of a kind of containers.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} is wanted, not a {type(value).__name__}")  # noqa: TRY004 - of a document, as the others
    return value


def _text(text: str) -> str:
    """Take what a terminal would act on out of a text, and what no file can be written with."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _join_caveats(given: dict[str, Any], texts: str, kinds: str) -> None:
    """Make caveats of the two arrays under the keys *texts* and *kinds*, the second of which old documents lack.

    Raises:
        ValueError: the arrays are not of one length.
    """
    if texts in given:
        said = _wanted(given[texts], list | tuple, "an array")
        named = given.pop(kinds, None)
        if named is None:
            named = [kind_before_kinds(text) for text in said]
        pairs = zip(said, _wanted(named, list | tuple, "an array"), strict=True)
        given[texts] = [{"text": text, "kind": kind} for text, kind in pairs]


def _shape(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type; those of dataclasses go into *definitions* and are referred to."""
    if kind is Any:
        return {}
    if kind in SCALARS:
        return {"type": SCALARS[kind]}
    if isinstance(kind, UnionType):
        return {"anyOf": [_shape(each, definitions) for each in get_args(kind)]}
    if get_origin(kind) is Mapping:
        return {"type": "object", "additionalProperties": _shape(get_args(kind)[1], definitions)}
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        item = {"type": "array", "items": _shape(inner[0], definitions)}
        return item if inner[-1] is Ellipsis else {**item, "minItems": len(inner), "maxItems": len(inner)}
    if issubclass(kind, StrEnum):
        definitions[kind.__name__] = {"description": _summary(kind), "enum": [each.value for each in kind]}
    elif kind.__name__ not in definitions:
        hints = get_type_hints(kind)
        if names := CAVEATS.get(kind.__name__):
            hints |= {names[0]: tuple[str, ...], names[1]: tuple[CaveatKind, ...]}
        shapes = {name: _shape(hint, definitions) for name, hint in hints.items()}
        for name in INFINITE.get(kind.__name__, ()):
            inner = shapes[name].get("additionalProperties", shapes[name])
            nullable = {"anyOf": [inner, {"type": "null"}]}
            shapes[name] = nullable if inner is shapes[name] else {**shapes[name], "additionalProperties": nullable}
        for name, shape in shapes.items():
            keys = KEYS.get((kind.__name__, name))
            if keys:
                shapes[name] = _object(dict.fromkeys(keys, shape["additionalProperties"]))
        definitions[kind.__name__] = {"description": _summary(kind), **_object(shapes)}
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _object(shapes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(shapes),
        "required": list(shapes),
        "additionalProperties": False,
    }


def _summary(kind: type) -> str:
    return (kind.__doc__ or " ").splitlines()[0]
