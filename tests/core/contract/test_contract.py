"""Contracts are read, and an error of a broken one names its cause."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.contract.documents import decode
from epkit.core.json.writing import dumps_payload
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import Validator
from epkit.errors import UsageError
from support.shared import shared

SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "bank"},
    "paths": {
        "/": {"get": {"responses": {}}},
        "/score": {
            "post": {
                "parameters": [{"name": "body", "in": "body", "schema": {"$ref": "#/definitions/Input"}}],
                "responses": {"200": {"schema": {"$ref": "#/definitions/Output"}}},
            }
        },
    },
    "definitions": {
        "Input": {
            "type": "object",
            "properties": {"data": {"type": "array", "items": {"$ref": "#/definitions/Row"}}},
            "example": {"data": [{"age": 0}]},
        },
        "Row": {"type": "object", "properties": {"age": {"type": "integer"}}},
        "Output": {"type": "array", "items": {"type": "string"}},
    },
}
OPENAPI: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/predict": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "text/plain": {},
                        "application/json; charset=utf-8": {
                            "schema": {"type": "object", "properties": {"a": {"type": "number"}}},
                            "examples": {"one": {"value": {"a": 1.5}}},
                        },
                    },
                },
                "responses": {"201": {"content": {"application/json": {"schema": {"type": "array"}}}}},
            }
        }
    },
}


def changed(document: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    """Return a copy with one value replaced."""
    document = copy.deepcopy(document)
    part: Any = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = to
    return document


POST = ("paths", "/score", "post")


def test_a_swagger_contract_gives_its_operation_schemas_and_example() -> None:
    contract = parse(SWAGGER)

    assert ("2.0", "/score", "POST") == (contract.version, contract.path, contract.method)
    assert SWAGGER["definitions"]["Input"] == contract.request
    assert SWAGGER["definitions"]["Output"] == contract.reply
    assert {"data": [{"age": 0}]} == contract.example


def test_an_openapi_contract_gives_the_json_of_its_only_post() -> None:
    contract = parse(OPENAPI)

    assert ("/predict", {"a": 1.5}) == (contract.path, contract.example)
    assert {"type": "array"} == contract.reply


@pytest.mark.parametrize("path", ["/score", "score", "/score/"])
def test_a_path_can_be_named(path: str) -> None:
    document = changed(SWAGGER, "paths", "/other", to={"post": {"responses": {}}})
    contract = parse(document, path=path)

    assert "/score" == contract.path


@pytest.mark.parametrize("name", ["Input", "In~put", "In/put", "In put"])
def test_a_reference_is_followed_through_escapes(name: str) -> None:
    reference = "#/definitions/" + name.replace("~", "~0").replace("/", "~1").replace(" ", "%20")
    document = changed(SWAGGER, "definitions", name, to=SWAGGER["definitions"]["Input"])
    document = changed(document, *POST, "parameters", 0, "schema", to={"$ref": reference})
    contract = parse(document)

    assert "data" in (contract.request or {})["properties"]


def test_a_schema_that_refers_to_itself_is_no_fault() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/definitions/Row"}, "age": {"type": "integer"}}}
    contract = parse(changed(SWAGGER, "definitions", "Row", to=tree))
    validator = Validator(contract)
    body: Any = {"age": "x"}
    for _ in range(200):
        body = {"left": body, "age": 1}

    verdict = validator.check_value({"data": [body]})

    assert 1 == verdict.errors
    assert verdict.violations[0].pointer.endswith("/left/age")
    assert isinstance(dumps_payload(sample(contract, rows=3)), bytes)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "neither a Swagger"),
        ([], "a JSON object"),
        ({"swagger": "1.2"}, "/swagger: version '1.2'"),
        ({"openapi": "4.0.0"}, "/openapi: version"),
        ({"swagger": "2.0"}, "/paths: the contract has no paths"),
        ({"swagger": "2.0", "paths": []}, "/paths: not an object"),
        ({"swagger": "2.0", "paths": {}}, "/paths: not an object"),
        ({"swagger": "2.0", "paths": {"/": {"get": {}}}}, "no path has a POST"),
        (
            {"swagger": "2.0", "paths": {"/a": {"post": {}}, "/b": {"post": {}}}},
            "more than one path has a POST (/a, /b)",
        ),
        ({"swagger": "2.0", "paths": {"/a": {"post": []}}}, "/paths/~1a/post: not an object"),
        ({"swagger": "2.0", "paths": {"/a": 3}}, "/paths/~1a: not an object"),
        (changed(SWAGGER, *POST, "parameters", to={}), "/paths/~1score/post/parameters: not a list"),
        (changed(SWAGGER, *POST, "parameters", 0, "schema", to=3), "parameters/0/schema: not a schema"),
        (changed(SWAGGER, *POST, "responses", to=[]), "/responses: not an object"),
        (changed(SWAGGER, "definitions", "Row", to={"$ref": "#/definitions/Row"}), "refers to itself"),
        (
            changed(SWAGGER, "definitions", "Row", to={"$ref": "#/definitions/Gone"}),
            "'#/definitions/Gone' leads nowhere",
        ),
        (changed(SWAGGER, "definitions", "Row", to={"$ref": "http://localhost/x"}), "epkit fetches nothing"),
        (changed(SWAGGER, "definitions", "Row", to={"$ref": "other.json"}), "epkit fetches nothing"),
        (changed(SWAGGER, "definitions", "Row", to={"$ref": "#row"}), "is an anchor"),
        (changed(SWAGGER, "definitions", "Row", to={"$ref": 3}), "$ref: not a string"),
        (changed(SWAGGER, "definitions", "Row", to=[]), "/definitions/Row: not an object"),
        (changed(SWAGGER, "definitions", "Row", to={"type": "integr"}), "/definitions/Row/type: 'integr' is no type"),
        (changed(SWAGGER, "definitions", "Row", to={"properties": []}), "/properties: not an object"),
        (changed(SWAGGER, "definitions", "Row", to={"properties": {"a": 1}}), "/properties/a: not a schema"),
        (changed(SWAGGER, "definitions", "Row", to={"allOf": {}}), "/allOf: not a list of schemas"),
        (changed(SWAGGER, "definitions", "Row", to={"required": "a"}), "/required: not a list of names"),
        (changed(SWAGGER, "definitions", "Row", to={"enum": 1}), "/enum: not a list"),
        (changed(SWAGGER, "definitions", "Row", to={"minLength": -1}), "/minLength: not a count"),
        (changed(SWAGGER, "definitions", "Row", to={"minimum": "1"}), "/minimum: not a number"),
        (changed(SWAGGER, "definitions", "Row", to={"multipleOf": 0}), "/multipleOf: not greater than 0"),
        (changed(SWAGGER, "definitions", "Row", to={"exclusiveMinimum": "1"}), "/exclusiveMinimum: neither"),
        (changed(SWAGGER, "definitions", "Row", to={"pattern": 1}), "/pattern: not a string"),
        (changed(OPENAPI, "paths", "/predict", "post", "requestBody", "content", to=[]), "/content: not an object"),
    ],
)
def test_a_broken_contract_names_its_fault(document: Any, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(document)

    assert words in str(raised.value)


def test_a_path_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no POST /nope; there is /score"):
        parse(SWAGGER, path="/nope")


def test_schemas_without_end_are_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"type": "array", "items": schema}

    with pytest.raises(UsageError, match="deeper than 100"):
        parse(changed(SWAGGER, "definitions", "Row", to=schema))


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1"])
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties"])
def test_a_pattern_that_does_not_run_in_linear_time_is_a_fault(keyword: str, pattern: str) -> None:
    value = pattern if keyword == "pattern" else {pattern: {"type": "integer"}}
    row = {"type": "object", "properties": {"a": {keyword: value}}}

    with pytest.raises(UsageError, match=r"schema cannot be used: the pattern .* is broken, very large, or looks"):
        parse(changed(SWAGGER, "definitions", "Row", to=row))


def test_a_pattern_made_to_hang_does_not() -> None:
    row = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    validator = Validator(parse(changed(SWAGGER, "definitions", "Row", to=row)))

    verdict = validator.check_value({"data": [{"a": "a" * 5000 + "b"}]})

    assert ["pattern"] == [violation.rule for violation in verdict.violations]


def test_the_corpus_is_read_whole() -> None:
    files = sorted(shared("data/swagger").glob("*.json"))
    contracts = [parse(decode(file.read_bytes(), name=file.name)) for file in files]

    assert ["/score"] * 15 == [contract.path for contract in contracts]
    assert all(contract.request and contract.reply and contract.example is not None for contract in contracts)


def as_yaml() -> bytes:
    import yaml

    text: str = yaml.safe_dump(json.loads(json.dumps(SWAGGER)))
    return text.encode()


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(SWAGGER).encode(),
        b"\xef\xbb\xbf" + json.dumps(SWAGGER).encode(),
        json.dumps(SWAGGER, indent=1).encode("utf-16"),
        b"// what AutoML wrote\n" + json.dumps(SWAGGER, indent=1).replace("\n", "\n  // a line\n", 3).encode(),
        as_yaml(),
        b"\xef\xbb\xbf" + as_yaml(),
        as_yaml().replace(b"'200'", b"200").replace(b"'2.0'", b"2.0"),
    ],
)
def test_a_contract_is_read_in_any_of_its_spellings(data: bytes) -> None:
    contract = parse(decode(data, name="swagger"))

    assert SWAGGER["definitions"]["Input"] == contract.request


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))
)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "x", "empty"),
        (b"\n// nothing\n", "x", "empty"),
        (b'{"a": 1,}', "x.json", "x.json:1:9: not JSON"),
        (b"\x00\xff\xfe", "x", "UTF-8"),
        (b"a: [1", "x.yaml", "neither JSON nor YAML"),
        (b"a: !!python/object/apply:os.system [ls]", "x.yaml", "neither JSON nor YAML"),
        (BOMB, "x.yaml", "amount to more than"),
        (b"a: &a [*a]", "x.yaml", "refers to a value that contains it"),
        (b"[" * 100_000, "x.yaml", "deeper"),
        (b"[" * 100_000, "x.json", "x.json:1:501: nested deeper"),
        (b"- " * 100_000, "x.yaml", "deeper"),
        (b"".join(b" " * n + b"a:\n" for n in range(600)), "x.yaml", "deeper"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "x.json", "x.json:1:7: a number of more than"),
        (b"a" * (1 << 20), "x.yaml", "more than 512 kB"),
    ],
)
def test_a_text_that_is_no_document_is_told_as_such(data: bytes, name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        decode(data, name=name)

    assert words in str(raised.value)


KEYS = st.sampled_from(
    [
        "swagger",
        "openapi",
        "paths",
        "/score",
        "post",
        "parameters",
        "in",
        "schema",
        "$ref",
        "type",
        "properties",
        "items",
        "required",
        "definitions",
        "enum",
        "allOf",
        "requestBody",
        "content",
        "application/json",
        "example",
        "pattern",
        "minimum",
        "additionalProperties",
        "format",
        "not",
    ]
)
VALUES = st.sampled_from(["2.0", "3.0.0", "3.1.0", "body", "#/definitions", "#", "object", "array", "integer", "x", ""])
DOCUMENTS = st.recursive(
    VALUES | st.none() | st.booleans() | st.integers(-2, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(DOCUMENTS)
def test_any_document_gives_a_contract_or_its_fault(schema: Any) -> None:
    for document in (schema, changed(SWAGGER, "definitions", "Row", to=schema), changed(OPENAPI, "paths", to=schema)):
        try:
            contract = parse(document)
            for validator in (Validator(contract), Validator(contract, as_declared=True)):
                validator.check(b'{"data": [{"age": 1, "x": null}]}')
            sample(contract)
        except UsageError:
            continue

        assert isinstance(contract, ParsedContract)
