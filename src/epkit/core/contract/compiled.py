"""JSON Schema validation with jsonschema-rs: whole schemas, and the keywords that the server ignores.

Patterns run on an engine that takes linear time, so that none can be made to hang; one that needs more (look-around,
back-references) is a fault of the contract.
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
    detail: str | None = None  # the key that is missing, for one


class SchemaSet:
    """Compiles the schemas of one contract, each at most once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.resolver = Resolver(document)
        self._modern = str(document.get("openapi", "")).startswith("3.1")
        # The key is the id of a schema; the value holds on to it, because an id names it only as long as it lives.
        self._residuals: dict[int, tuple[Mapping[str, Any], Any]] = {}
        self._flat: dict[int, tuple[Mapping[str, Any] | bool, Mapping[str, Any]]] = {}

    def flat(self, schema: Mapping[str, Any] | bool) -> Mapping[str, Any]:
        """Return a schema resolved and with its inheritance flattened, always the same object for the same one."""
        known = self._flat.get(id(schema))
        if known is None:
            known = self._flat[id(schema)] = (schema, flatten(self.resolver.schema(schema), self.resolver))
        return known[1]

    def compile(self, schema: Mapping[str, Any] | bool, *, where: str = "") -> Any:
        """Compile a schema into a validator of jsonschema-rs.

        Raises:
            UsageError: it is no valid schema.
        """
        kind = jsonschema_rs.Draft202012Validator if self._modern else jsonschema_rs.Draft4Validator
        bundled = bundle(schema, self.resolver)
        try:
            return kind(bundled, pattern_options=_PATTERNS, retriever=_refuse)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            # ValidationError is a ValueError; its first line says what is wrong.
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
    """Find the pattern that the engine does not take."""
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
    """Word what is wrong with a schema as the reference implementation does; None where it sees nothing."""
    import jsonschema  # late: only a broken contract needs it

    kind = jsonschema.Draft202012Validator if modern else jsonschema.Draft4Validator
    try:
        kind.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError) as error:
        path = "/".join(map(str, getattr(error, "absolute_path", ())))
        return f"{path}: {error}".splitlines()[0] if path else str(error).splitlines()[0]
    return None


def breaches(validator: Any, value: object) -> Iterator[Breach]:
    """Yield what *value* breaks.

    A value that cannot be looked at (half a surrogate pair, too deep) is reported as such.
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
    """Go down into the branch of a choice that came nearest, to what is wrong in it.

    Nearest is the one that what was found fits deepest: of a body that is an object, the branch that wants an object.

    Returns:
        The error, and what to add to its words.
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
            break  # none is nearer than another
        error, said = branch[0], f" (in the choice that comes nearest, number {place + 1} of {len(branches)})"
    return error, said


def _at_top(inner: Any, outer: Any) -> bool:
    return len(list(inner.instance_path)) <= len(list(outer.instance_path))


def _depth(branch: list[Any]) -> int:
    """Say how deep in a value the first thing is that a branch has against it: a wrong type is none at all."""
    least = min(len(list(error.instance_path)) * 2 + (error.kind.name != "type") for error in branch)
    return int(least)


def accepts(validator: Any, value: object) -> bool:
    """Tell whether a value is valid; one that cannot be looked at is not."""
    try:
        return bool(validator.is_valid(value))
    except (UnicodeEncodeError, ValueError, RecursionError):
        return False


def _path(value: Any, steps: Iterable[Any]) -> tuple[str | int, ...]:
    """Write a path with the keys that there are: jsonschema-rs takes a key of digits for the place in an array."""
    path: list[str | int] = []
    for step in steps:
        path.append(str(step) if isinstance(value, dict) else step)
        value = value.get(path[-1]) if isinstance(value, dict) else value[step] if isinstance(value, list) else None
    return tuple(path)


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return what a path leads to: jsonschema-rs sees null for a NaN, and for a number beyond all bounds."""
    for step in path:
        value = value[step]
    return value


def _worded(error: Any, details: dict[str, Any], found: str) -> str:
    """Word an error in one line of bearable length."""
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
