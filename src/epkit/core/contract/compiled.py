"""Validates with JSON Schema (jsonschema-rs): whole schemas, and the keywords that the server ignores.

Patterns run on an engine with linear time, so no input can make one hang. A pattern that this engine does not support
(look-around, back-references) is a fault of the contract.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from epkit.core.contract.schemas import Resolver, bundle, constraints, fault, flatten, subschemas
from epkit.core.contract.shown import show
from epkit.core.shortening import cut

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20)
_DEEPEST_CHOICE = 8
_STRUCTURE = ("type", "properties", "items", "required", "additionalProperties")


class Breach(NamedTuple):
    """One error of JSON Schema."""

    path: tuple[str | int, ...]
    keyword: str
    message: str
    detail: str | None = None  # for example, the missing key


class SchemaSet:
    """Compiles the schemas of one contract, each at most once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.resolver = Resolver(document)
        self._modern = str(document.get("openapi", "")).startswith("3.1")
        # The key is the id of a schema. The value refers to the schema, because an id is valid only while it exists.
        self._residuals: dict[int, tuple[Mapping[str, Any], Any]] = {}
        self._flat: dict[int, tuple[Mapping[str, Any] | bool, Mapping[str, Any]]] = {}

    def flat(self, schema: Mapping[str, Any] | bool) -> Mapping[str, Any]:
        """Return a schema, resolved and with its inheritance flattened: for the same schema the same object."""
        known = self._flat.get(id(schema))
        if known is None:
            known = self._flat[id(schema)] = (schema, flatten(self.resolver.schema(schema), self.resolver))
        return known[1]

    def compile(self, schema: Mapping[str, Any] | bool, *, where: str = "") -> Any:
        """Compile a schema into a validator of jsonschema-rs.

        Raises:
            UsageError: it is not a valid schema.
        """
        kind = jsonschema_rs.Draft202012Validator if self._modern else jsonschema_rs.Draft4Validator
        bundled = bundle(schema, self.resolver)
        try:
            return kind(bundled, pattern_options=_PATTERNS, retriever=_refuse)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            # ValidationError is a ValueError; its first line describes the fault.
            pattern = _broken_pattern(bundled)
            words = pattern or _reference(schema, modern=self._modern) or str(error).splitlines()[0]
            raise fault(where, f"the schema cannot be used: {cut(words, 160)}") from None

    def residual(self, schema: Mapping[str, Any]) -> Any:
        """Compile the keywords of a schema other than type and structure; None if there are none."""
        known = self._residuals.get(id(schema))
        if known is None:
            rest = constraints(schema, but=_STRUCTURE)
            if "nullable" in schema and rest:
                rest["nullable"] = schema["nullable"]
            known = self._residuals[id(schema)] = (schema, self.compile(rest) if rest else None)
        return known[1]


def _broken_pattern(bundled: Mapping[str, Any]) -> str | None:
    """Find the pattern that the engine does not support."""
    pending: list[Any] = [bundled]
    while pending:
        schema = pending.pop()
        if not isinstance(schema, Mapping):
            continue
        patterns = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        for pattern in [*patterns, *schema.get("patternProperties", ())]:
            try:
                jsonschema_rs.Draft4Validator({"pattern": pattern}, pattern_options=_PATTERNS)
            except ValueError:
                return f"the pattern {show(pattern)} is broken, very large, or looks around or back"
        pending += [child for child, _ in subschemas(schema)]
        pending += schema.get("definitions", {}).values()
    return None


def _reference(schema: Mapping[str, Any] | bool, *, modern: bool) -> str | None:
    """Return the reference implementation's message on the fault of a schema; None if it finds no fault."""
    import jsonschema  # late: only broken contracts need it

    kind = jsonschema.Draft202012Validator if modern else jsonschema.Draft4Validator
    try:
        kind.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError) as error:
        path = "/".join(map(str, getattr(error, "absolute_path", ())))
        return f"{path}: {error}".splitlines()[0] if path else str(error).splitlines()[0]
    return None


def breaches(validator: Any, value: object) -> Iterator[Breach]:
    """Yield the errors of *value*.

    A value that cannot be checked (half a surrogate pair, too deep) gets one error that says so.
    """
    try:
        for error in validator.iter_errors(value):
            error, choice = _nearest(error)
            details = error.kind.as_dict()
            detail = details.get("property") or str(details.get("unexpected", ""))
            path = _path(value, error.instance_path)
            found = error.instance if error.instance is not None else _at(value, path)
            yield Breach(path, error.kind.name, _worded(error, details, show(found)) + choice, detail)
    except (UnicodeEncodeError, ValueError, RecursionError):
        yield Breach((), "unreadable", "the value cannot be checked: it is too deep, or no Unicode text")


def _nearest(error: Any) -> tuple[Any, str]:
    """Find the error in the nearest branch of a choice.

    The nearest branch is the one that the value fits to the greatest depth: for a body that is an object, it is the
    branch that requires an object.

    Returns:
        The error, and the text to add to its message.
    """
    said = ""
    for _ in range(_DEEPEST_CHOICE):
        if error.kind.name not in ("anyOf", "oneOf"):
            break
        branches = [branch for branch in error.kind.as_dict().get("context") or () if branch]
        if not branches:
            break
        place, branch = max(enumerate(branches), key=lambda one: (_depth(one[1]), -len(one[1]), -one[0]))
        if all(inner.kind.name == "type" and _at_top(inner, error) for one in branches for inner in one):
            break  # no branch is nearer than the others
        error, said = branch[0], f" (in the choice that comes nearest, number {place + 1} of {len(branches)})"
    return error, said


def _at_top(inner: Any, outer: Any) -> bool:
    return len(list(inner.instance_path)) <= len(list(outer.instance_path))


def _depth(branch: list[Any]) -> int:
    """Return a measure of the depth of a branch's first error; at equal depth, a wrong type counts as less deep."""
    least = min(len(list(error.instance_path)) * 2 + (error.kind.name != "type") for error in branch)
    return int(least)


def accepts(validator: Any, value: object) -> bool:
    """Tell whether a value is valid; a value that cannot be checked is not."""
    try:
        return bool(validator.is_valid(value))
    except (UnicodeEncodeError, ValueError, RecursionError):
        return False


def _path(value: Any, steps: Iterable[Any]) -> tuple[str | int, ...]:
    """Return a path with the real keys: jsonschema-rs reports a key of digits as an index of an array."""
    path: list[str | int] = []
    for step in steps:
        path.append(str(step) if isinstance(value, dict) else step)
        value = value.get(path[-1]) if isinstance(value, dict) else value[step] if isinstance(value, list) else None
    return tuple(path)


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return the value at a path: jsonschema-rs reports null for NaN and for numbers that are too great for it."""
    for step in path:
        value = value[step]
    return value


def _worded(error: Any, details: dict[str, Any], found: str) -> str:
    """Return an error as one line of limited length."""
    match error.kind.name:
        case "type":
            return f"{found} is not of type {' or '.join(details['types'])}"
        case "enum":
            options = details["options"]
            return f"{found} is not one of {', '.join(map(show, options[:8]))}{', …' if len(options) > 8 else ''}"
        case "required":
            return f'the key "{details["property"]}" is missing'
        case "additionalProperties":
            return f"unknown key {', '.join(map(show, details['unexpected'][:3]))}"
        case "pattern":
            return f"{found} does not match {cut(details['pattern'], 80)}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"{found} breaks {error.kind.name} {details.get('limit')}"
    message = str(error.message).replace("\n", " ")
    return message if len(message) <= 160 else f"{found} breaks {error.kind.name}"


def _refuse(uri: str) -> Any:
    raise ValueError(f"nothing remote is fetched: {cut(uri, 80)}")
