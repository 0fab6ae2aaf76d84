"""Reads the JSON Schema of contracts: follows `$ref`, visits subschemas, and reports broken keywords."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from epkit.core.shortening import cut
from epkit.errors import UsageError

TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

_ONE: Final = (
    "additionalProperties",
    "items",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_LIST: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_MAP: Final = ("properties", "patternProperties", "dependentSchemas")
_COUNTS: Final = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
)
_DEEPEST_INHERITANCE: Final = 8
_LONGEST: Final = 300
_NUMBERS: Final = ("minimum", "maximum", "multipleOf")


def fault(pointer: str, text: str) -> UsageError:
    """Make the error for a fault of a contract, with its place."""
    where = cut(pointer, _LONGEST)
    return UsageError(f"{where or '/'}: {text}")


def escape(token: object) -> str:
    """Write one token of a JSON pointer (RFC 6901, section 3)."""
    return str(token).replace("~", "~0").replace("/", "~1")


def is_schema(value: object) -> bool:
    """Tell whether a value can be a schema: an object, or (since OpenAPI 3.1) a boolean."""
    return isinstance(value, Mapping | bool)


class Resolver:
    """Follows references inside one document, and never out of it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        # Keywords next to a $ref count only since OpenAPI 3.1.
        self._siblings = str(document.get("openapi", "")).startswith("3.1")

    def target(self, value: object, pointer: str) -> tuple[Mapping[str, Any], str]:
        """Return the object that *value* is or refers to, and its pointer.

        Raises:
            UsageError: a reference is circular or remote, leads nowhere, or leads to a value that is no object.
        """
        hops: set[str] = set()
        while isinstance(value, Mapping) and "$ref" in value:
            reference, origin = value["$ref"], f"{pointer}/$ref"
            if not isinstance(reference, str):
                raise fault(origin, "not a string")
            if reference in hops:
                raise fault(origin, f"refers to itself, by way of {cut(reference, 80)!r}")
            hops.add(reference)
            value, pointer = self._at(reference, origin)
        if not isinstance(value, Mapping):
            raise fault(pointer, "not an object")
        return value, pointer

    def schema(self, schema: Mapping[str, Any] | bool) -> Mapping[str, Any]:
        """Return the schema that *schema* is or refers to; `true` and `false` are written as objects.

        In OpenAPI 3.1 constraints next to a `$ref` count too.
        """
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if "$ref" not in schema:
            return schema
        target, _ = self.target(schema, "")
        siblings = self.siblings(schema)
        return {"allOf": [target, siblings]} if siblings else target

    def siblings(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the constraints that count next to a schema's `$ref`."""
        return constraints(schema) if self._siblings else {}

    def _at(self, reference: str, origin: str) -> tuple[object, str]:
        """Return the value that a reference's JSON pointer points at."""
        if not reference.startswith("#"):
            raise fault(origin, f"{cut(reference, 80)!r} leads out of the document: epkit fetches nothing, inline it")
        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            raise fault(origin, f"{cut(reference, 80)!r} is an anchor: epkit follows JSON pointers (#/…) only")
        value: object = self._document
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(value):
                value = value[int(key[:9])]
            else:
                raise fault(origin, f"{cut(reference, 80)!r} leads nowhere")
        return value, pointer


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield the schemas directly inside *schema*, each with its relative JSON pointer."""
    for keyword in _ONE:
        if keyword in schema and not (keyword == "items" and isinstance(schema[keyword], list)):
            yield schema[keyword], keyword
    for keyword in _LIST:
        if isinstance(schema.get(keyword), list):
            for index, child in enumerate(schema[keyword]):
                yield child, f"{keyword}/{index}"
    for keyword in _MAP:
        if isinstance(schema.get(keyword), Mapping):
            for name, child in schema[keyword].items():
                yield child, f"{keyword}/{escape(name)}"


def schema_fault(schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find a keyword with a value that no schema allows.

    Returns:
        The keyword and its fault, or None.
    """
    if (types := schema.get("type")) is not None:
        for name in types if isinstance(types, list) and types else [types]:
            if name not in TYPES:
                return "type", f"{_shown(name)} is no type: {', '.join(TYPES)} are"
    for keyword in _MAP:
        if keyword in schema and not isinstance(schema[keyword], Mapping):
            return keyword, "not an object"
    for keyword in _LIST[:-1]:
        if keyword in schema and not (isinstance(schema[keyword], list) and schema[keyword]):
            return keyword, "not a list of schemas"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return "required", "not a list of names"
    if "enum" in schema and not isinstance(schema["enum"], list):
        return "enum", "not a list"
    for keyword in _COUNTS:
        if keyword in schema and not (_is_number(schema[keyword]) and schema[keyword] >= 0):
            return keyword, "not a count"
    for keyword in _NUMBERS:
        if keyword in schema and not _is_number(schema[keyword]):
            return keyword, "not a number"
    if _is_number(schema.get("multipleOf")) and schema["multipleOf"] <= 0:
        return "multipleOf", "not greater than 0"
    for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        if keyword in schema and not (isinstance(schema[keyword], bool) or _is_number(schema[keyword])):
            return keyword, "neither a number nor a boolean"
    if "pattern" in schema and not isinstance(schema["pattern"], str):
        return "pattern", "not a string"
    return None


_CONSTRAINTS: Final = frozenset(
    (
        *(*_ONE, *_LIST, *_MAP, *_COUNTS, *_NUMBERS, "type", "enum", "const", "required", "pattern"),
        *("uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "format"),
    )
)


def constraints(schema: Mapping[str, Any], *, but: Collection[str] = ()) -> dict[str, Any]:
    """Return the keywords of a schema that constrain a value, without remarks, formats and those of *but*."""
    return {key: value for key, value in schema.items() if key in _CONSTRAINTS and key not in (*but, "format")}


def is_nullable(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema of Swagger 2.0 or OpenAPI 3.0 allows null in addition to its type."""
    return schema.get("nullable") is True or schema.get("x-nullable") is True


def flatten(schema: Mapping[str, Any], resolver: Resolver, *, depth: int = 0) -> Mapping[str, Any]:
    """Return a schema that includes the schemas of its `allOf`.

    OpenAPI writes a record in parts with `allOf`; here its columns are needed in one place. Keywords on which two parts
    differ stay in `allOf`. A choice between one schema and null becomes that schema, nullable.
    """
    if depth > _DEEPEST_INHERITANCE:
        return schema
    if (only := _or_null(schema)) is not None:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        schema = {**rest, **flatten(resolver.schema(only), resolver, depth=depth + 1), "x-nullable": True}
    parts = schema.get("allOf")
    if not isinstance(parts, list):
        return schema
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    others = []
    for part in parts:
        whole = flatten(resolver.schema(part), resolver, depth=depth + 1)
        for key, value in whole.items():
            if key == "properties":
                known = merged.get(key, {})
                merged[key] = known | {name: child for name, child in value.items() if name not in known}
                others += [{key: {name: child}} for name, child in value.items() if known.get(name, child) != child]
            elif key == "required":
                merged[key] = list(dict.fromkeys([*merged.get(key, []), *value]))
            elif key in _CONSTRAINTS and key in merged and merged[key] != value:
                others.append({key: value})
            else:
                merged.setdefault(key, value)
    return merged | ({"allOf": others} if others else {})


def _or_null(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of a choice between it and null; OpenAPI 3.1 writes a nullable value so. Otherwise None."""
    for keyword in ("anyOf", "oneOf"):
        parts = schema.get(keyword)
        if not isinstance(parts, list) or {"allOf", "type", "$ref", "properties"} & schema.keys():
            continue
        bare = [part for part in parts if not (isinstance(part, Mapping) and part.get("type") == "null")]
        if len(bare) == 1 and len(parts) > 1 and isinstance(bare[0], Mapping):
            return bare[0]
    return None


def bundle(schema: Mapping[str, Any] | bool, resolver: Resolver) -> dict[str, Any]:
    """Copy a schema and all that it can reach into one self-contained JSON Schema.

    References become `#/definitions/…`, and `nullable` becomes a type. Remarks, formats (only annotations in JSON
    Schema) and identifiers (a validator might fetch them) are left out.
    """
    names: dict[int, str] = {}
    pending: list[Mapping[str, Any]] = []

    def convert(part: Any) -> Any:
        if isinstance(part, bool):
            return {} if part else {"not": {}}
        if "$ref" in part:
            target, _ = resolver.target(part, "")
            if id(target) not in names:
                names[id(target)] = str(len(names))
                pending.append(target)
            reference = {"$ref": f"#/definitions/{names[id(target)]}"}
            siblings = resolver.siblings(part)
            return {"allOf": [reference, convert(siblings)]} if siblings else reference
        copy = constraints(part)
        for key, value in copy.items():
            if key in _MAP:
                copy[key] = {name: convert(child) for name, child in value.items()}
            elif key in _LIST and isinstance(value, list):
                copy[key] = [convert(child) for child in value]
            elif key in _ONE and (key not in ("additionalProperties", "items") or not isinstance(value, bool)):
                copy[key] = convert(value)
        if is_nullable(part) and isinstance(copy.get("type"), str):
            copy["type"] = [copy["type"], "null"]
        return copy

    root: dict[str, Any] = convert(schema)
    definitions = {}
    while pending:
        target = pending.pop()
        definitions[names[id(target)]] = convert(target)
    if definitions:
        # Draft 4 ignores everything next to a $ref.
        root = {"allOf": [root], "definitions": definitions}
    return root


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return cut(re.sub(r"\s+", " ", repr(value)), 60)
