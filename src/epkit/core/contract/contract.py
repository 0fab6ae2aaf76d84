"""A Swagger or OpenAPI document, reduced to the parts that a client needs: the scoring operation and its schemas.

`parse` finds the operation and examines every schema that its request and reply can reach. So a `ParsedContract`
guarantees three things: each `$ref` leads to a place inside the document, each keyword has a value that a schema
allows, and both schemas can be compiled. No URL in a document is ever fetched. The walk is a loop, not a recursion:
schemas may refer to themselves, and may be deep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from epkit.core.contract import operations
from epkit.core.contract.operations import bases_of
from epkit.core.contract.schemas import Resolver, escape, fault, is_schema, schema_fault, subschemas
from epkit.core.shortening import cut

MAX_DEPTH: Final = 100
"""Greatest number of levels of nested schemas; references do not count. Real contracts have ten."""

_BYTES: Final = "application/octet-stream"

MAX_SCHEMAS: Final = 100_000
"""Greatest number of schemas that an operation may reach."""

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedContract:
    """The scoring operation of a contract.

    Args:
        version: the version in the document: `2.0`, `3.0.3`, `3.1.0`.
        path: path of the operation: a key of the document's paths.
        method: HTTP method in capitals.
        request: schema of the JSON body, None if there is none.
        reply: schema of a successful reply, or None.
        example: a request body that the contract contains, or None. Many examples break their own schema.
        reply_pointer: place of the reply's schema in the document, for messages.
        document: the whole document, to which `$ref`s refer.
        media: the content type of a body that is not JSON: the server takes its bytes unchanged.
        source: the source of the document, for messages.
    """

    version: str
    path: str
    method: str
    request: Schema | None = field(repr=False)
    reply: Schema | None = field(repr=False)
    example: Any = field(repr=False)
    reply_pointer: str
    document: Mapping[str, Any] = field(repr=False)
    media: str | None = None
    source: str = ""


def parse(document: Mapping[str, Any], *, path: str | None = None, at: str | None = None) -> ParsedContract:
    """Read a decoded Swagger 2.0, OpenAPI 3.0 or 3.1 document.

    Args:
        document: JSON values with string keys.
        path: path of the scoring operation; by default the target's, otherwise `/score`, otherwise the only path with
            a POST.
        at: the path of the target, without a query.

    Raises:
        UsageError: the contract is broken; the message says where (a JSON pointer) and what is wrong.
    """
    from epkit.core.contract.compiled import SchemaSet  # late: the import takes 40 ms

    version = _version(document)
    resolver = Resolver(document)
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        raise fault(
            "/paths",
            "the contract has no paths" if "paths" not in document else "not an object with a path",
        )
    name = _find_path(paths, resolver, path, at, bases_of(document))
    pointer = f"/paths/{escape(name)}"
    item, pointer = resolver.target(paths[name], pointer)
    operation, pointer = resolver.target(item["post"], f"{pointer}/post")
    media = None
    if version == "2.0":
        request, example = _body_parameter(resolver, item, operation, pointer)
    else:
        request, example, media = _request_body(resolver, operation, pointer)
    if request[0] is not None and _is_binary(request[0], resolver):
        request, example, media = (None, request[1]), None, media or _BYTES
    reply = _reply(resolver, operation, pointer, version)
    schemas = SchemaSet(document)
    for schema, where in (request, reply):
        if schema is not None:
            _survey(schema, where, resolver)
            schemas.compile(schema, where=where)
    if example is None and request[0] is not None:
        example = _example_of(resolver.schema(request[0]))
    return ParsedContract(
        version=version,
        path=name,
        method="POST",
        request=None if request[0] is None else resolver.schema(request[0]),
        reply=None if reply[0] is None else resolver.schema(reply[0]),
        example=example,
        reply_pointer=reply[1],
        document=document,
        media=media if request[0] is None else None,
    )


def _version(document: object) -> str:
    if not isinstance(document, Mapping):
        raise fault("", "a contract is a JSON object")
    for key in ("swagger", "openapi"):
        if key in document:
            version = str(document[key])
            if version == "2.0" if key == "swagger" else version.startswith(("3.0", "3.1")):
                return version
            raise fault(f"/{key}", f"version {cut(version, 20)!r} is not known: Swagger 2.0, OpenAPI 3.0 and 3.1 are")
    raise fault("", "neither a Swagger 2.0 nor an OpenAPI 3 document: it has no key swagger or openapi")


def _find_path(
    paths: Mapping[str, Any], resolver: Resolver, wanted: str | None, at: str | None, bases: Sequence[str]
) -> str:
    """Return the path of the scoring operation."""
    posts = []
    for name, item in paths.items():
        resolved, where = resolver.target(item, f"/paths/{escape(name)}")
        if "post" in resolved:
            if not isinstance(resolved["post"], Mapping):
                raise fault(f"{where}/post", "not an object")
            posts.append(name)
    listed = ", ".join(posts[:10]) + (", …" if len(posts) > 10 else "")
    if wanted is not None:
        asked = "/" + wanted.strip("/")
        for name in posts:
            if name in (wanted, asked) or name.rstrip("/") == asked:
                return name
        if len(meant := operations.find(posts, asked)) == 1:
            return meant[0]
        raise fault("/paths", f"there is no POST {asked}; there is {listed or 'no POST at all'}")
    if at is not None and len(meant := operations.find(posts, at, bases)) == 1:
        return meant[0]
    if "/score" in posts:
        return "/score"
    if len(posts) == 1:
        return posts[0]
    if not posts:
        raise fault("/paths", "no path has a POST operation")
    which = "" if at is None else f", and none is {cut(at, 80)} alone"
    raise fault("/paths", f"more than one path has a POST ({listed}){which}: name the scoring one with --path")


_Place = tuple[Schema | None, str]


def _body_parameter(resolver: Resolver, item: Schema, operation: Schema, pointer: str) -> tuple[_Place, object]:
    """Find the request schema of a Swagger 2.0 operation: the parameter with `in: body`."""
    for owner, base in ((operation, pointer), (item, pointer.rpartition("/")[0])):
        parameters = owner.get("parameters", ())
        if not isinstance(parameters, list | tuple):
            raise fault(f"{base}/parameters", "not a list")
        for index, entry in enumerate(parameters):
            parameter, where = resolver.target(entry, f"{base}/parameters/{index}")
            if parameter.get("in") == "body":
                example = parameter.get("x-example", parameter.get("example"))
                return (_schema_at(parameter, where), example)
    return ((None, pointer), None)


def _request_body(resolver: Resolver, operation: Schema, pointer: str) -> tuple[_Place, object, str | None]:
    """Find the request schema of an OpenAPI 3 operation, and the content type of a body that is not JSON."""
    if "requestBody" not in operation:
        return ((None, pointer), None, None)
    body, where = resolver.target(operation["requestBody"], f"{pointer}/requestBody")
    media, inside = _json_media(resolver, body, where)
    if inside != where:
        return (_schema_at(media, inside), _example_of(media), None)
    content = body.get("content") or {}
    kind = next(iter(content), None)
    return ((None, where), None, _BYTES if kind is not None and "*" in kind else kind)


def _is_binary(schema: object, resolver: Resolver) -> bool:
    """Tell whether a body is bytes, whatever its content type is.

    Source: OpenAPI 3.0, *Considerations for File Uploads* (`format: binary`); Swagger 2.0 (`type: file`).
    """
    if not isinstance(schema, Mapping):
        return False
    where = "/schema"
    found, _ = resolver.target(schema, where) if "$ref" in schema else (schema, where)
    return found.get("type") in ("string", "file") and (found.get("format") == "binary" or found.get("type") == "file")


def _reply(resolver: Resolver, operation: Schema, pointer: str, version: str) -> _Place:
    """Find the schema of a successful reply: status 200, otherwise the first 2xx."""
    responses = operation.get("responses", {})
    if not isinstance(responses, Mapping):
        raise fault(f"{pointer}/responses", "not an object")
    status = next((s for s in ("200", *sorted(map(str, responses))) if s in responses and s.startswith("2")), None)
    if status is None:
        return (None, f"{pointer}/responses")
    response, where = resolver.target(responses[status], f"{pointer}/responses/{escape(status)}")
    if version != "2.0":
        response, where = _json_media(resolver, response, where)
    return _schema_at(response, where)


def _json_media(resolver: Resolver, owner: Schema, pointer: str) -> tuple[Schema, str]:
    """Pick the JSON media type of a body; `{}` if it has none."""
    content = owner.get("content", {})
    if not isinstance(content, Mapping):
        raise fault(f"{pointer}/content", "not an object")
    for kind in content:
        bare = kind.partition(";")[0].strip().lower()
        if bare in ("application/json", "*/*", "application/*") or bare.endswith("+json"):
            return resolver.target(content[kind], f"{pointer}/content/{escape(kind)}")
    return {}, pointer


def _schema_at(owner: Schema, pointer: str) -> _Place:
    if "schema" not in owner:
        return (None, pointer)
    schema = owner["schema"]
    if not is_schema(schema):
        raise fault(f"{pointer}/schema", "not a schema: an object is expected")
    return ({} if schema is True else schema, f"{pointer}/schema")


def _example_of(owner: Schema) -> object:
    """Return the example of a schema or media type: `example`, or the first of `examples`."""
    if owner.get("example") is not None:
        return owner["example"]
    examples = owner.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    if isinstance(examples, Mapping):
        for entry in examples.values():
            if isinstance(entry, Mapping) and "value" in entry:
                return entry["value"]
    return None


def _survey(root: Schema, pointer: str, resolver: Resolver) -> None:
    """Examine every schema that *root* can reach.

    Raises:
        UsageError: a schema is broken, a reference leads nowhere, or there are too many schemas or too deep ones.
    """
    seen: set[int] = set()
    pending: list[tuple[object, str, int]] = [(root, pointer, 0)]
    while pending:
        schema, where, depth = pending.pop()
        if not is_schema(schema):
            raise fault(where, "not a schema: an object is expected")
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        if depth > MAX_DEPTH:
            raise fault(where, f"schemas are nested deeper than {MAX_DEPTH} levels")
        if len(seen) > MAX_SCHEMAS:
            raise fault(where, f"the operation reaches more than {MAX_SCHEMAS:,} schemas")
        if "$ref" in schema:
            target, there = resolver.target(schema, where)
            pending.append((target, there, 0))
        elif problem := schema_fault(schema):
            keyword, text = problem
            raise fault(f"{where}/{escape(keyword)}", text)
        pending += [(child, f"{where}/{step}", depth + 1) for child, step in subschemas(schema)]
