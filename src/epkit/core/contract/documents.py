"""Decodes the text of a contract: JSON or YAML, also with a byte order mark or `//` comment lines."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import orjson

from epkit.core.contract.oip import as_openapi
from epkit.core.json.reading import as_utf8, not_utf8, parse
from epkit.core.shortening import cut
from epkit.errors import UsageError

MAX_YAML_BYTES: Final = 512 << 10
"""Greatest size of a YAML document: YAML is about a hundred times slower to read than JSON. Real contracts have 4 to
200 kB."""

MAX_VALUES: Final = 1_000_000
"""Greatest number of values in a YAML document whose aliases are expanded: nested aliases can multiply to a bomb."""

MAX_DEPTH: Final = 500

_COMMENT: Final = re.compile(rb"^[ \t]*//[^\n]*", re.MULTILINE)


def decode(data: bytes, *, name: str) -> Any:
    """Decode the text of a contract; the description of a model becomes the OpenAPI document of its only operation.

    Args:
        data: in UTF-8, or another encoding that JSON may have.
        name: name of the source; messages begin with it. `.yaml` and `.yml` are read as YAML. Another source is read
            as YAML only if it does not begin like a JSON object or array, or like an HTML page.

    Raises:
        UsageError: it is neither JSON nor YAML; the message has line and column.
    """
    return as_openapi(_decoded(data, name))


def _decoded(data: bytes, name: str) -> Any:
    data, _ = as_utf8(data)
    if (fault := not_utf8(data)) is not None:
        raise UsageError(f"{name}:{fault.line}:{fault.column}: {fault.sentence}")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    # Real files have comment lines. A JSON string never spans lines, so such a line is never inside a string.
    stripped = _COMMENT.sub(b"", data)
    if not stripped.strip(b" \t\r\n\0"):
        raise UsageError(f"{name}: the file is empty")
    if name.lower().endswith((".yaml", ".yml")) or stripped.lstrip()[:1] not in (b"{", b"[", b"<"):
        return _yaml(data, name)
    return parse(stripped, name=name)


def _yaml(data: bytes, name: str) -> Any:
    """Decode YAML safely: no tags that build objects, no dates, and a limit on the expanded aliases."""
    import yaml  # late: most contracts are JSON

    if len(data) > MAX_YAML_BYTES:
        raise UsageError(f"{name}: a YAML contract of more than {MAX_YAML_BYTES >> 10} kB; write it as JSON")
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        # Dates remain strings, as in JSON.
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    _check_nesting(data, name)
    try:
        loaded = yaml.load(data, Loader)  # noqa: S506  (a subclass of the safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{name}{place}: neither JSON nor YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        reason = cut(str(error).splitlines()[0], 100) if str(error) else type(error).__name__
        raise UsageError(f"{name}: neither JSON nor YAML: {reason}") from None
    _measure(loaded, name)
    return _with_string_keys(loaded)


def _check_nesting(data: bytes, name: str) -> None:
    """Refuse text whose brackets or indentation are deeper than in any contract: the C parser is recursive."""
    depth = deepest = 0
    for match in re.finditer(rb"[\[{]|[\]}]", data):
        depth += 1 if match[0] in b"[{" else -1
        deepest = max(deepest, depth)
    # Each block level is indented by at least one more column, or begins with a dash on the same line.
    for line in data.splitlines():
        lead = re.match(rb"[ \t?:-]*", line)
        deepest = max(deepest, len(lead[0]) if lead else 0)
    if deepest > MAX_DEPTH:
        raise UsageError(f"{name}: nested deeper than {MAX_DEPTH} levels")


def _measure(loaded: object, name: str) -> None:
    """Refuse a document whose aliases are circular, or expand to more values than a contract can have."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    stack: list[tuple[object, Iterator[object]]] = [(loaded, _children(loaded))]
    while stack:
        value, children = stack[-1]
        open_.add(id(value))
        for child in children:
            if isinstance(child, dict | list) and id(child) not in sizes:
                if id(child) in open_:
                    raise UsageError(f"{name}: a YAML alias refers to a value that contains it")
                stack.append((child, _children(child)))
                break
        else:
            stack.pop()
            open_.discard(id(value))
            sizes[id(value)] = 1 + sum(sizes.get(id(child), 1) for child in _children(value))
            if sizes[id(value)] > MAX_VALUES:
                raise UsageError(f"{name}: YAML aliases amount to more than {MAX_VALUES:,} values")


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())


def _with_string_keys(loaded: Any) -> Any:
    """Convert every key to its JSON text (`200:` is a number in YAML); shared values stay shared."""
    done: dict[int, Any] = {}

    def copy(value: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        if id(value) not in done:
            if isinstance(value, dict):
                done[id(value)] = {_key(key): copy(child) for key, child in value.items()}
            else:
                done[id(value)] = [copy(child) for child in value]
        return done[id(value)]

    return copy(loaded)


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
