"""Turns dataclasses into a JSON document and back, and makes its schema; the classes define all three.

Each field becomes a key, in the order of the class. No field is left out; only `format` is added at the top. A field
that is added later has a default, so that old documents can always be read. JSON has no infinity: an infinite number is
null in the document.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

Part = TypeVar("Part")

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

MOST: Final = 2**63 - 1
"""The largest whole number of a document."""

SCALARS: Final[Mapping[Any, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


class DocumentFormat(Generic[Part]):
    """A format of documents; a subclass defines which parts are written in a shape that differs from their class.

    Args:
        name: name and version, the value of the key `format`.
        root: the dataclass of a whole document.
        keys: keys of the mappings that have the same keys in every document, by class and field.
        infinite: the fields of a class that may be infinite, by the name of the class.
    """

    def __init__(
        self,
        name: str,
        root: type[Part],
        *,
        keys: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
        infinite: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.name = name
        self._root = root
        self._keys = keys or {}
        self._infinite = infinite or {}

    def hints(self, kind: type) -> dict[str, Any]:
        """Return the types of a part's keys in a document, in their order."""
        return get_type_hints(kind)

    def write(self, kind: type, found: dict[str, Any]) -> None:
        """Convert the fields of a part to the shape of the document, in place."""

    def read(self, kind: type, given: dict[str, Any]) -> None:
        """Convert the keys of a part to the shape of its class, in place.

        Raises:
            ValueError: they do not have the document's shape.
        """

    def to_document(self, value: Part) -> dict[str, Any]:
        """Convert a whole value to plain dicts, lists, strings and finite numbers.

        Raises:
            ValueError: a number that must be finite is not.
        """
        return {"format": self.name, **self.to_plain(value)}

    def from_document(self, document: Mapping[str, Any]) -> Part:
        """Make the value from a document: `from_document(to_document(value)) == value`.

        Args:
            document: a result of `to_document`, or the same document read from JSON.

        Raises:
            ValueError: it has another format, or does not have the shape of the schema.
        """
        if document.get("format") != self.name:
            raise ValueError(f"format is {document.get('format')!r}, not {self.name!r}")
        made: Part = self.from_plain(self._root, {key: value for key, value in document.items() if key != "format"})
        return made

    def schema(self) -> dict[str, Any]:
        """Return the strict JSON Schema of the document: every key is required, and no other is allowed."""
        definitions: dict[str, Any] = {}
        self._shape(self._root, definitions)
        top = definitions.pop(self._root.__name__)
        top["properties"] = {"format": {"const": self.name}, **top["properties"]}
        top["required"] = list(top["properties"])
        return {"$schema": DIALECT, "title": self.name, **top, "$defs": dict(sorted(definitions.items()))}

    def to_plain(self, value: Any) -> Any:
        """Convert a part to JSON values, as `to_document` converts the whole.

        Raises:
            ValueError: a number that must be finite is not.
        """
        if is_dataclass(value) and not isinstance(value, type):
            found = {field.name: getattr(value, field.name) for field in fields(value)}
            for name in self._infinite.get(type(value).__name__, ()):
                found[name] = _swapped(found[name], math.inf, None)
            self.write(type(value), found)
            return self.to_plain(found)
        if isinstance(value, Mapping):
            return {key: self.to_plain(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [self.to_plain(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"JSON has no number for {value}")
        return value

    def from_plain(self, kind: Any, value: Any) -> Any:
        """Make a value of a type from JSON values.

        Raises:
            ValueError: it does not have that type, or is out of bounds.
        """
        if isinstance(kind, UnionType):
            return None if value is None else self.from_plain(get_args(kind)[0], value)
        if is_dataclass(kind) and isinstance(kind, type):
            return self._part(kind, wanted(value, Mapping, "an object"))
        if get_origin(kind) is Mapping:
            items = wanted(value, Mapping, "an object").items()
            return {_text(key): self.from_plain(get_args(kind)[1], item) for key, item in items}
        if get_origin(kind) is tuple:
            items, inner = wanted(value, list | tuple, "an array"), get_args(kind)
            if inner[-1] is not Ellipsis and len(inner) != len(items):
                raise ValueError(f"{len(inner)} values are expected, not {len(items)}")
            return tuple(self.from_plain(inner[0], item) for item in items)
        return _scalar(kind, value)

    def _part(self, kind: type, value: Mapping[str, Any]) -> Any:
        given = dict(value)
        name = kind.__name__
        for key in self._infinite.get(name, ()):
            if key in given:
                given[key] = _swapped(given[key], None, math.inf)
        self.read(kind, given)
        hints = get_type_hints(kind)
        # A document of an older epkit lacks the fields that were added later; those have defaults.
        late = {field.name for field in fields(kind) if field.default is not MISSING}
        if not hints.keys() - late <= given.keys() <= hints.keys():
            raise ValueError(f"{name} wants the keys {sorted(hints)}, not {sorted(given)}")
        made = {}
        for key in [key for key in hints if key in given]:
            try:
                item = made[key] = self.from_plain(hints[key], given[key])
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
            keys = self._keys.get((name, key))
            if keys and sorted(item) != sorted(keys):
                raise ValueError(f"{key} of {name} wants the keys {', '.join(keys)}")
            infinite = key in self._infinite.get(name, ())
            if not infinite and isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"{key} of {name} is not finite")
        return kind(**made)

    def _shape(self, kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a type; a dataclass gets an entry in *definitions*, and the schema refers to it."""
        if kind is Any:
            return {}
        if kind in SCALARS:
            return {"type": SCALARS[kind]}
        if isinstance(kind, UnionType):
            return {"anyOf": [self._shape(each, definitions) for each in get_args(kind)]}
        if get_origin(kind) is Mapping:
            return {"type": "object", "additionalProperties": self._shape(get_args(kind)[1], definitions)}
        if get_origin(kind) is tuple:
            inner = get_args(kind)
            item = {"type": "array", "items": self._shape(inner[0], definitions)}
            return item if inner[-1] is Ellipsis else {**item, "minItems": len(inner), "maxItems": len(inner)}
        if issubclass(kind, StrEnum):
            definitions[kind.__name__] = {"description": _summary(kind), "enum": [each.value for each in kind]}
        elif kind.__name__ not in definitions:
            shapes = {name: self._shape(hint, definitions) for name, hint in self.hints(kind).items()}
            for name in self._infinite.get(kind.__name__, ()):
                inner = shapes[name].get("additionalProperties", shapes[name])
                nullable = {"anyOf": [inner, {"type": "null"}]}
                shapes[name] = nullable if inner is shapes[name] else {**shapes[name], "additionalProperties": nullable}
            for name, shape in shapes.items():
                keys = self._keys.get((kind.__name__, name))
                if keys:
                    shapes[name] = _object(dict.fromkeys(keys, shape["additionalProperties"]))
            definitions[kind.__name__] = {"description": _summary(kind), **_object(shapes)}
        return {"$ref": f"#/$defs/{kind.__name__}"}


def wanted(value: Any, kind: Any, name: str) -> Any:
    """Return a value if it has the wanted type of container.

    Raises:
        ValueError: it has another type.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} is expected, not a {type(value).__name__}")  # noqa: TRY004 - as the others
    return value


def _scalar(kind: Any, value: Any) -> Any:
    """Return a value that is neither an object nor an array.

    Raises:
        ValueError: it does not have that type, or is out of bounds.
    """
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if kind is float and type(value) is int:  # JSON has only one type of number
        value = float(value) if abs(value) <= MOST else value
    if kind in SCALARS and type(value) is not kind:
        raise ValueError(f"{SCALARS[kind]} is expected, not a {type(value).__name__}")
    if kind is str:
        return _text(value)
    if kind is int and abs(value) > MOST:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _swapped(value: Any, one: float | None, other: float | None) -> Any:
    """Replace *one* by *other*; in a mapping, in each of its values."""
    if isinstance(value, Mapping):
        return {key: _swapped(item, one, other) for key, item in value.items()}
    return other if value == one else value


def _text(text: str) -> str:
    """Replace characters that a terminal acts on, and those that cannot be written to a file, by blanks."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _object(shapes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(shapes),
        "required": list(shapes),
        "additionalProperties": False,
    }


def _summary(kind: type) -> str:
    return (kind.__doc__ or " ").splitlines()[0]
