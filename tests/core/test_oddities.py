"""Rare branches in the reading of contracts, values and texts."""

from typing import Any

import pytest

from epkit.core.contract.compiled import SchemaSet, accepts, breaches
from epkit.core.contract.contract import parse
from epkit.core.contract.schemas import Resolver, bundle, flatten
from epkit.core.contract.shown import show
from epkit.core.validate.cells import coerced, exact
from epkit.core.validate.validation import Validator
from epkit.errors import UsageError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (None, "null"),
        ("a\tb", '"a\\u0009b"'),
        ("x" * 60, '"' + "x" * 40 + '…"'),
        pytest.param(10**5000, "a number of about 5,000 digits", id="huge"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
        ([], "[]"),
        ([1], "an array of 1"),
        ({}, "{}"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, 'an object with "a", "b", "c", …'),
        (b"x", "bytes"),
    ],
)
def test_a_value_is_shown_in_a_few_words(value: Any, shown: str) -> None:
    assert shown == show(value)


@pytest.mark.parametrize(
    ("value", "kind", "format_", "severity"),
    [
        (5, "integer", "int8", None),
        (300, "integer", "int8", "error"),
        (2**70, "integer", None, "error"),
        (5.0, "integer", None, "error"),
        (float("nan"), "number", None, "warning"),
        (1, "number", None, None),
        (True, "number", None, "error"),
        ("x", "string", None, None),
        ("x", "string", "date-time", "error"),
        ("2020-01-01T10:00:00Z", "string", "date-time", None),
        ("2020-01-01 00:00:00.000000 +0000", "string", "date-time", None),
        ([], "array", None, None),
        ({}, "object", None, None),
        (None, "null", None, None),
        (None, "string", None, "error"),
        (True, "boolean", None, None),
        (1, "boolean", None, "error"),
    ],
)
def test_a_parameter_is_not_coerced(value: Any, kind: str, format_: str | None, severity: str | None) -> None:
    remark = exact(value, kind, format_)

    assert severity == (remark and remark.severity)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("2020-02-30", "error"),
        ("2/30/2020", "error"),
        ("2020-1-1", None),
        ("2020-01", None),
        ("2020-01-01T24:00:00", "error"),
        ("2262-01-01", "error"),
        ("1/1/2013 00:00:00", "warning"),
        ("", "error"),
    ],
)
def test_a_date_is_one_that_the_calendar_and_the_server_know(text: str, severity: str | None) -> None:
    remark = coerced(text, "string", "date-time")

    assert severity == (remark and remark.severity)


def test_parts_of_a_schema_are_taken_together_as_far_as_they_agree() -> None:
    resolver = Resolver({"definitions": {"A": {"type": "object", "properties": {"a": {}}, "required": ["a"]}}})
    schema = {
        "allOf": [
            {"$ref": "#/definitions/A"},
            {"properties": {"b": {}}, "required": ["b"], "minProperties": 1},
            {"minProperties": 2},
        ]
    }
    flat = flatten(schema, resolver)

    assert (["a", "b"], ["a", "b"]) == (list(flat["properties"]), flat["required"])
    assert [{"minProperties": 2}] == flat["allOf"]


def test_inheritance_without_end_is_left_as_it_is() -> None:
    schema: dict[str, Any] = {}
    schema["allOf"] = [schema]

    assert "allOf" in flatten(schema, Resolver({}))


@pytest.mark.parametrize(("version", "count"), [("3.0.3", 0), ("3.1.0", 1)])
def test_what_stands_beside_a_reference_counts_from_openapi_3_1_on(version: str, count: int) -> None:
    document = {"openapi": version, "s": {"type": "string"}}
    schemas = SchemaSet(document)
    validator = schemas.compile({"$ref": "#/s", "maxLength": 1})
    column = schemas.flat({"$ref": "#/s", "maxLength": 1})

    assert count == len(list(breaches(validator, "ab")))
    assert (count == 1) is ("maxLength" in column)


def test_booleans_are_schemas_too() -> None:
    schemas = SchemaSet({"openapi": "3.1.0"})
    schema = {"type": "object", "properties": {"yes": True, "no": False}, "additionalProperties": False}
    validator = schemas.compile(schema)

    assert [True, False, False] == [accepts(validator, value) for value in ({"yes": 1}, {"no": 1}, {"x": 1})]
    assert ({}, {"not": {}}) == (schemas.flat(True), schemas.flat(False))


def test_a_bundle_names_each_schema_once_and_nothing_remote() -> None:
    document = {"d": {"n": {"$id": "http://localhost/", "properties": {"next": {"$ref": "#/d/n"}}, "nullable": True}}}
    bundled = bundle({"$ref": "#/d/n"}, Resolver(document))

    assert {"0": {"properties": {"next": {"$ref": "#/definitions/0"}}}} == bundled["definitions"]


def test_a_reference_reaches_into_lists() -> None:
    resolver = Resolver({"a": [{"type": "string"}]})

    assert {"type": "string"} == resolver.schema({"$ref": "#/a/0"})
    with pytest.raises(UsageError, match="leads nowhere"):
        resolver.schema({"$ref": "#/a/1"})


def test_half_a_surrogate_cannot_be_held_against_a_schema() -> None:
    schemas = SchemaSet({"openapi": "3.0.0"})
    validator = schemas.compile({"type": "string", "maxLength": 5})

    assert not accepts(validator, "\ud800")
    assert ["unreadable"] == [breach.keyword for breach in breaches(validator, "\ud800")]


def test_as_declared_rows_and_bodies_without_rows_are_told_by_their_place() -> None:
    body = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    document = {"swagger": "2.0", "paths": {"/": {"post": {"parameters": [{"in": "body", "schema": body}]}}}}
    validator = Validator(parse(document), as_declared=True)
    verdict = validator.check(b'{"a": "x"}')

    assert [("/a", None)] == [(v.pointer, v.row) for v in verdict.violations]
    assert validator.check(b'{"a": 1}').valid
    assert ["duplicate-key"] == [v.rule for v in validator.check(b'{"a": 1, "a": 2}').violations]


def body_contract(schema: dict[str, Any], version: str = "3.0.3", **media: Any) -> dict[str, Any]:
    """Return a contract whose request body has the given schema."""
    post = {"requestBody": {"content": {"application/json": {"schema": schema, **media}}}, "responses": {}}
    return {"openapi": version, "paths": {"/score": {"post": post}}}


def rules(schema: dict[str, Any], body: Any, version: str = "3.0.3", **media: Any) -> list[tuple[str, str, str]]:
    verdict = Validator(parse(body_contract(schema, version, **media))).check_value(body)
    return [(v.severity, v.rule, v.pointer) for v in verdict.violations]


ROWS = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}}


@pytest.mark.parametrize(
    ("schema", "body", "expected"),
    [
        ({"type": "object"}, [], [("error", "type", ""), ("warning", "undeclared", "")]),
        ({"type": "string"}, 3, [("error", "type", "")]),
        ({"properties": {"a": {"type": "integer"}}}, [], [("error", "type", "")]),
        (
            {"properties": {"a": {}}, "maxProperties": 1},
            {"a": 1, "b": 2},
            [("error", "maxProperties", ""), ("warning", "additionalProperties", "/b")],
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"a": 1, "b": 2},
            [("error", "additionalProperties", "/b")],
        ),
        ({"properties": {"a": {}}, "additionalProperties": True}, {"a": 1, "b": 2}, []),
        (
            {"properties": {"data": {**ROWS, "items": {**ROWS["items"], "maxProperties": 0}}}},
            {"data": [{"a": 1}]},
            [("error", "maxProperties", "/data/0")],
        ),
        (
            {
                "properties": {
                    "Inputs": {
                        "properties": {"data": ROWS, "id": {"type": "integer"}},
                        "required": ["id", "who", "data"],
                    }
                }
            },
            {"Inputs": {"data": [{"a": 1}], "id": "x"}},
            [("error", "type", "/Inputs/id"), ("error", "required", "/Inputs")],
        ),
        (
            {"properties": {"data": {"items": {**ROWS["items"], "additionalProperties": {}}}}},
            {"data": [{"a": 1, "z": 10**30}]},
            [("error", "format", "/data/0/z"), ("warning", "additionalProperties", "/data/0/z")],
        ),
        ({"properties": {"data": ROWS}}, {"data": {"a": [1], "b": [1, 2]}}, [("error", "type", "/data")]),
        (
            {"properties": {"p": {"items": {"type": "integer"}, "maxItems": 1}}},
            {"p": [1, "x"]},
            [("error", "maxItems", "/p"), ("error", "type", "/p/1")],
        ),
    ],
)
def test_what_stands_around_and_beside_rows_is_checked(schema: dict[str, Any], body: Any, expected: Any) -> None:
    assert expected == rules(schema, body)


def test_several_types_are_one_after_the_other() -> None:
    schema = {"properties": {"p": {"type": ["integer", "null"]}}}
    found = [rules(schema, {"p": value}, "3.1.0") for value in (1, None, "x")]

    assert [[], [], [("error", "type", "/p")]] == found


def test_a_parameter_that_differs_deep_down_is_told_at_its_place() -> None:
    schema = {"properties": {"data": ROWS, "p": {"properties": {"a": {}, "b": {}}}}}
    example = {"data": [{"a": 1}], "p": {"a": 1, "b": 2}}
    found = [
        rules(schema, {**example, "p": p}, example=example) for p in ({"a": 1, "b": 3}, {"a": 1}, {"a": 1, "b": 2})
    ]

    assert [[("warning", "parameter", "/p/b")], [("warning", "parameter", "/p")], []] == found


@pytest.mark.parametrize(("examples", "example"), [({"a": {}}, None), ({"a": {}, "b": {"value": 1}}, 1), ([2], 2)])
def test_the_first_of_several_examples_counts(examples: Any, example: Any) -> None:
    contract = parse(body_contract({"type": "object"}, examples=examples))

    assert example == contract.example


def test_a_body_that_is_no_json_has_no_schema() -> None:
    document = body_contract({})
    document["paths"]["/score"]["post"]["requestBody"]["content"] = {"image/png": {}}

    assert parse(document).request is None


def test_schemas_in_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from epkit.core.contract import contract

    monkeypatch.setattr(contract, "MAX_SCHEMAS", 3)
    with pytest.raises(UsageError, match="more than 3 schemas"):
        parse(body_contract({"allOf": [{"type": "object"}, {}, {}, {}]}))


@pytest.mark.parametrize("limit", [1, 3, 5])
@pytest.mark.parametrize("keyword", ["minLength", "enum", "additionalProperties", "uniqueItems"])
def test_every_breach_of_json_schema_is_one_short_line(keyword: str, limit: int) -> None:
    schema = {
        "minLength": {"minLength": limit * 100},
        "enum": {"enum": ["x" * 300, *range(limit * 3)]},
        "additionalProperties": {"additionalProperties": False, "properties": {}},
        "uniqueItems": {"uniqueItems": True},
    }[keyword]
    value: Any = {"additionalProperties": {"q" * 99: 1}, "uniqueItems": ["y" * 300, "y" * 300]}.get(keyword, "z" * 50)
    validator = SchemaSet({"openapi": "3.1.0"}).compile(schema)
    (breach,) = breaches(validator, value)

    assert keyword == breach.keyword
    assert len(breach.message) < 500
    assert "\n" not in breach.message
