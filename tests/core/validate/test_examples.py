"""Bodies made from a contract conform to it, and equal seeds make equal bytes."""

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


def contract_of(schema: dict[str, Any] | None) -> ParsedContract:
    content = {"content": {"application/json": {"schema": schema}}} if schema is not None else None
    post = {"responses": {}} | ({"requestBody": content} if content else {})
    return parse({"openapi": "3.0.3", "paths": {"/score": {"post": post}}})


def of_row(**properties: Any) -> ParsedContract:
    items = {"type": "object", "properties": properties, "required": list(properties)}
    return contract_of({"type": "object", "properties": {"data": {"type": "array", "items": items}}})


def test_the_examples_rows_come_first_then_others() -> None:
    items = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    example = {"data": [{"a": 7, "b": "x"}, {"a": 8, "b": "y"}], "method": "predict"}
    properties = {"data": {"type": "array", "items": items}, "method": {"type": "string"}}
    contract = contract_of({"type": "object", "properties": properties, "example": example})
    five = sample(contract, rows=5, seed=1)

    assert (example["data"], "predict", 5) == (five["data"][:2], five["method"], len(five["data"]))
    assert example == sample(contract)
    assert example["data"][:1] == sample(contract, rows=1)["data"]
    assert five == sample(contract, rows=5, seed=1)
    assert five != sample(contract, rows=5, seed=2)


CELLS = [
    {"type": "integer"},
    {"type": "integer", "format": "int8"},
    {"type": "integer", "minimum": 1000},
    {"type": "integer", "maximum": -1000},
    {"type": "integer", "minimum": 18, "maximum": 99, "multipleOf": 9},
    {"type": "number"},
    {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
    {"type": "number", "maximum": 1, "exclusiveMaximum": True},
    {"type": "number", "multipleOf": 2.5},
    {"type": "boolean"},
    {"type": "string"},
    {"type": "string", "enum": ["yes", "no"]},
    {"type": "string", "minLength": 20},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "byte"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "time"},
    {"type": "string", "format": "timedelta"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
    {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
    {"oneOf": [{"type": "string", "maxLength": 2}]},
    {"allOf": [{"type": "integer"}, {"minimum": 5}]},
    {"type": "integer", "nullable": True},
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_made_within_what_is_declared(cell: dict[str, Any]) -> None:
    contract = of_row(x=cell)
    body = sample(contract, rows=30, seed=5)
    verdict = Validator(contract).check(dumps_payload(body))

    assert 30 == len(body["data"])
    assert () == verdict.violations


def test_what_cannot_be_made_is_the_examples() -> None:
    items = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}}}
    example = {"data": [{"x": "ABC-1"}]}
    properties = {"data": {"type": "array", "items": items}}
    contract = contract_of({"type": "object", "properties": properties, "example": example})

    assert [{"x": "ABC-1"}] * 3 == sample(contract, rows=3)["data"]


def test_a_pattern_without_an_example_gives_nothing() -> None:
    with pytest.raises(UsageError, match=r"pattern, .*, and no example"):
        sample(of_row(x={"type": "string", "pattern": "^[A-Z]$"}))


def test_what_only_json_can_say_is_written_as_json_has_it() -> None:
    schema = {"type": "object", "example": {"half": "\ud800", "huge": 10**30}}

    assert b'{"half":"\\ud800","huge":1000000000000000000000000000000}' == dumps_payload(sample(contract_of(schema)))


def test_schemas_that_cannot_be_kept_inside_each_other_end_in_time() -> None:
    schema: dict[str, Any] = {"type": "integer", "not": {"type": "integer"}}
    for _ in range(8):
        schema = {"type": "array", "items": schema, "minItems": 2, "not": {"type": "array"}}

    with pytest.raises(UsageError, match="too strict or too large"):
        sample(of_row(x=schema), rows=1)


def test_a_contract_that_contradicts_itself_gives_rows_all_the_same() -> None:
    rows = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "boolean"}}}}
    contract = contract_of({"type": "number", "properties": {"data": rows}})

    assert 2 == len(sample(contract, rows=2)["data"])


def test_rows_may_be_the_body_itself_or_have_no_names() -> None:
    rows = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}, "example": [[1, 2, 3]]}
    body = sample(contract_of(rows), rows=4, seed=2)

    assert [3] * 4 == [len(row) for row in body]
    assert [1, 2, 3] == body[0]


@pytest.mark.parametrize(
    ("contract", "rows"),
    [(contract_of(None), None), (contract_of({"type": "object", "example": {}}), 5)],
)
def test_a_contract_that_says_too_little_gives_nothing(contract: ParsedContract, rows: int | None) -> None:
    with pytest.raises(UsageError):
        sample(contract, rows=rows)


def test_a_contract_that_says_nothing_gives_its_example() -> None:
    assert {} == sample(contract_of({"type": "object", "example": {}}))


@given(rows=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_the_corpus_gives_bodies_that_are_valid_in_both_readings(rows: int, seed: int) -> None:
    for file in sorted(shared("data/swagger").glob("1[0-7]*.json")):
        contract = parse(decode(file.read_bytes(), name=file.name))
        body = dumps_payload(sample(contract, rows=rows, seed=seed))

        assert () == Validator(contract).check(body).violations
        assert Validator(contract, as_declared=True).check(body).valid
