"""Rows of every form are checked, and each finding has the place of its cell in the body."""

import json
from typing import Any

import pytest

from epkit.core.contract.contract import parse
from epkit.core.contract.oip import as_openapi
from epkit.core.json.writing import dumps_payload
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Violation
from epkit.errors import UsageError
from support.made_contracts import (
    DICTS,
    INDEX,
    LISTS,
    REF,
    SPLIT,
    TABLE,
    TABLE_EXAMPLE,
    azure,
    fastapi,
    model,
    openapi,
)  # fmt: skip

SPLIT_EXAMPLE = {"columns": ["age", "city"], "index": [0], "data": [[1, "x"]]}


def tensor(name: str, data: list[Any], shape: list[int] | None = None, datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


VALIDATORS = {
    "split": Validator(parse(azure(SPLIT, SPLIT_EXAMPLE))),
    "index": Validator(parse(azure(INDEX, None))),
    "dicts": Validator(parse(azure(DICTS, None))),
    "lists": Validator(parse(openapi("/c", LISTS))),
    "table": Validator(parse(azure(TABLE, TABLE_EXAMPLE))),
    "row": Validator(parse(fastapi("/one", REF))),
    "rows": Validator(parse(fastapi("/some", {"type": "array", "items": REF}))),
    "tensor": Validator(parse(as_openapi(model(("x", "FP64", [-1, 2]))))),
    "tensors": Validator(parse(as_openapi(model(("age", "INT64", [-1]), ("v", "FP32", [-1, 2]))))),
}
AGE, V = tensor("age", [1, 2], datatype="INT64"), tensor("v", [1, 2, 3, 4], [2, 2], "FP32")


def found(form: str, body: Any) -> list[Violation]:
    return list(VALIDATORS[form].check(json.dumps(body).encode()).violations)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("split", {"data": {"columns": ["age", "city"], "data": [[1, "x"], [2, "y"]]}}),
        ("split", {"data": {"columns": ["age", "city"], "index": ["a"], "data": [[1, "x"]]}}),
        ("index", {"data": {"7": {"age": 1, "income": 2.5, "city": "x", "note": None}}}),
        ("dicts", {"data": {"age": {"0": 1, "1": 2}, "city": {"0": "x", "1": "y"}}}),
        ("lists", {"age": [1, 2], "city": ["x", "y"]}),
        ("lists", {"age": [1, 2]}),
        ("table", {"data": TABLE_EXAMPLE}),
        ("table", {"data": {"schema": {"fields": [{"name": "age", "type": "integer"}]}, "data": [{"age": 1}]}}),
        ("row", {"age": 1, "income": 2}),
        ("row", {"age": 1, "income": 2.5, "city": "x", "note": None}),
        ("rows", [{"age": 1, "income": 2}, {"age": 1, "income": 2.5, "note": "x"}]),
        ("tensor", {"inputs": [tensor("x", [1, 2, 3, 4], [2, 2])]}),
        ("tensor", {"inputs": [tensor("x", [[1, 2], [3, 4]], [2, 2])], "id": "1"}),
        ("tensors", {"inputs": [AGE, V]}),
        ("tensors", {"inputs": [AGE, tensor("v", [[1, 2], [3, 4]], [2, 2], "FP32")]}),
        ("tensors", {"inputs": [tensor("age", [1, 2], [2, 1], "INT64"), V]}),
    ],
)
def test_a_body_that_is_right_gets_no_remark(form: str, body: Any) -> None:
    assert [] == found(form, body)


@pytest.mark.parametrize(
    ("form", "body", "pointer", "message"),
    [
        ("split", {"data": {"columns": ["age", "city"], "data": [[1, "x"], ["old", "y"]]}}, "/data/data/1/0", '"old" is not an'),
        ("split", {"data": {"columns": ["age", "city"], "data": [[1, "x"], [1]]}}, "/data/data/1", "1 cells in a row under 2"),
        ("split", {"data": {"columns": ["age"], "data": [[1]]}}, "/data/columns", 'column "city" is missing'),
        ("split", {"data": {"columns": ["age", "town"], "data": [[1, "x"]]}}, "/data/columns", 'column "city" is missing'),
        ("split", {"data": {"columns": ["age", "city", "x"], "data": [[1, "x", 1]]}}, "/data/data/0/2", 'unknown column "x"'),
        ("split", {"data": {"data": [[1, "x"]]}}, "/data", 'the key "columns" is missing'),
        ("split", {"data": [[1, "x"]]}, "/data", "an array of 1 is not {"),
        ("split", {"data": {**SPLIT_EXAMPLE, "index": [0, 1]}}, "/data/index", "2 labels in the index for 1 rows"),
        ("split", {"data": {**SPLIT_EXAMPLE, "extra": 1}}, "/data/extra", 'unknown key "extra"'),
        ("split", {"data": {"columns": ["age", "city"], "data": []}}, "/data", "there are no rows"),
        ("index", {"data": {"a": {"age": 1, "income": "x", "city": "x", "note": "n"}}}, "/data/a/income", '"x" is not a'),
        ("dicts", {"data": {"age": {"0": 1, "1": "x"}, "city": {"0": "x", "1": "y"}}}, "/data/age/1", '"x" is not an'),
        ("dicts", {"data": {"age": {"0": 1}, "city": {"0": "x", "1": "y"}}}, "/data/age", "1 cells in a column where"),
        ("lists", {"age": [1, 2.5], "city": ["x", "y"]}, "/age/1", "2.5 is not an integer"),
        ("lists", {"age": [1], "city": ["x", "y"]}, "/age", "1 cells in a column where another has 2"),
        ("lists", {"age": 1, "city": ["x"]}, "/age", "1 is not an array of cells"),
        ("lists", {"city": ["x"]}, "", 'column "age" is missing'),
        ("table", {"data": {"data": [{"age": 1}]}}, "/data", 'the key "schema" is missing'),
        ("table", {"data": {**TABLE_EXAMPLE, "data": [{"index": 0, "age": "x"}]}}, "/data/data/0/age", '"x" is not an'),
        ("row", {"age": 1}, "", 'column "income" is missing'),
        ("row", {"age": "x", "income": 2}, "/age", '"x" is not an integer'),
        ("row", [{"age": 1, "income": 2}], "", "an array of 1 is not an object"),
        ("rows", [{"age": 1, "income": 2}, {"age": None, "income": 2}], "/1/age", "null is not an integer"),
        ("rows", [{"age": 1, "income": 2, "city": 3}], "/0/city", "3 is not a string"),
        ("tensor", {"inputs": [tensor("x", [1, 2, 3, "a"], [2, 2])]}, "/inputs/0/data/3", '"a" is not a number'),
        ("tensor", {"inputs": [tensor("x", [[1, 2], [3, None]], [2, 2])]}, "/inputs/0/data/1/1", "null is not a number"),
        ("tensor", {"inputs": [tensor("x", [1, 2, 3], [2, 2])]}, "/inputs/0/data", "3 elements do not fill the shape"),
        ("tensor", {"inputs": [tensor("x", [1, 2, 3], [1, 3])]}, "/inputs/0/shape", "a row has the shape [3] where"),
        ("tensor", {"inputs": [tensor("y", [1, 2], [1, 2])]}, "/inputs/0/name", 'the model has no input "y"'),
        ("tensor", {"inputs": [tensor("x", [1, 2.5], [1, 2], "INT64")]}, "/inputs/0/data/1", "2.5 is not an integer"),
        ("tensor", {"inputs": [tensor("x", [1, 2], [1, 2], "fp64")]}, "/inputs/0/datatype", '"fp64" is no datatype'),
        ("tensor", {"inputs": [tensor("x", ["1", "2"], [1, 2], "BYTES")]}, "/inputs/0/datatype", "BYTES where the model"),
        ("tensor", {"inputs": [{"name": "x", "data": [1, 2]}]}, "/inputs/0", 'the key "shape" is missing'),
        ("tensor", {"inputs": []}, "/inputs", "there are no tensors"),
        ("tensor", {}, "", 'the key "inputs", which holds the rows, is missing'),
        ("tensors", {"inputs": [V, AGE]}, "/inputs", "the inputs are in another order than the model's"),
        ("tensors", {"inputs": [AGE]}, "/inputs", 'the input "v" is missing'),
        ("tensors", {"inputs": [AGE, tensor("v", [1, 2], [1, 2], "FP32")]}, "/inputs", "different numbers of rows (age: 2, v: 1)"),
        ("tensors", {"inputs": [tensor("age", [[1], [2]], [2, 1], "INT64"), V]}, "/inputs/0/data", "nested arrays where"),
        ("tensors", {"inputs": [AGE, tensor("v", [1, 2, 3, None], [2, 2], "FP32")]}, "/inputs/1/data/3", "null is not a number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is_written(form: str, body: Any, pointer: str, message: str) -> None:
    first = found(form, body)[0]

    assert ("error", pointer) == (first.severity, first.pointer)
    assert message in first.message


def test_line_and_column_are_those_of_the_cell() -> None:
    text = b'{"data": {\n"columns": ["age", "city"],\n"data": [\n[1, "x"],\n["old", "y"]]}}'
    first = VALIDATORS["split"].check(text).violations[0]

    assert (5, 2, 1) == (first.line, first.column, first.row)


@pytest.mark.parametrize(
    ("cell", "severity"),
    [("1", "warning"), (1.0, "warning"), (True, "error"), (1.5, "error"), ("1.5", "error"), (None, "error"), (10**30, "error"), (float("nan"), "error")],
)  # fmt: skip
def test_a_cell_is_judged_as_pydantic_takes_it(cell: Any, severity: str) -> None:
    assert [severity] == [one.severity for one in found("row", {"age": cell, "income": 2})]


def test_keys_that_a_schema_leaves_open_are_remarked_and_those_it_can_do_without_are_not() -> None:
    assert [("warning", "/extra")] == [
        (one.severity, one.pointer) for one in found("row", {"age": 1, "income": 2, "extra": 1})
    ]
    optional = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": REF}}}
    optional["properties"] |= {
        "threshold": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    validator = Validator(parse(fastapi("/rows", optional)))

    assert () == validator.check_value({"rows": [{"age": 1, "income": 2}]}).violations
    assert () == validator.check_value({"rows": [{"age": 1, "income": 2}], "note": None}).violations


def test_each_list_of_a_designer_is_required_and_typed_by_its_own_columns() -> None:
    def rows(**kinds: str) -> dict[str, Any]:
        properties = {name: {"type": kind} for name, kind in kinds.items()}
        return {"type": "array", "items": {"type": "object", "properties": properties}}

    inputs = {"WebServiceInput0": rows(a="integer"), "WebServiceInput1": rows(b="string")}
    schema = {"type": "object", "properties": {"Inputs": {"type": "object", "properties": inputs}}}
    validator = Validator(parse(openapi("/score", schema)))

    def said(**given: Any) -> list[tuple[str, str]]:
        return [(one.severity, one.pointer) for one in validator.check_value({"Inputs": given}).violations]

    assert [] == said(WebServiceInput0=[{"a": 1}], WebServiceInput1=[{"b": "x"}])
    assert [("error", "/Inputs")] == said(WebServiceInput0=[{"a": 1}])
    assert [("error", "/Inputs/WebServiceInput1/0/b")] == said(
        WebServiceInput0=[{"a": 1}], WebServiceInput1=[{"b": []}]
    )


def test_a_byte_order_mark_is_refused_where_the_server_is_not_known_to_take_it() -> None:
    text = json.dumps({"age": 1, "income": 2}).encode()

    assert VALIDATORS["row"].check(text).valid
    assert ["encoding"] == [one.rule for one in VALIDATORS["row"].check(b"\xef\xbb\xbf" + text).violations]


def test_bytes_pass_where_the_contract_asks_for_bytes() -> None:
    validator = Validator(parse(openapi("/x", {"type": "string", "format": "binary"}, media="image/png")))

    assert validator.check(b"\x89PNG\r\n\x1a\n\x00").violations == ()


@pytest.mark.parametrize("form", [form for form in VALIDATORS if form != "table"])
@pytest.mark.parametrize("seed", range(3))
def test_bodies_are_made_in_each_form(form: str, seed: int) -> None:
    validator = VALIDATORS[form]
    count = 1 if form == "row" else 5
    body = sample(validator.contract, rows=count, seed=seed)

    assert validator.check(dumps_payload(body)).violations == ()


def test_a_body_that_is_one_row_is_made_of_one() -> None:
    with pytest.raises(UsageError, match="a body is one row"):
        sample(VALIDATORS["row"].contract, rows=2)


def test_a_failure_in_a_choice_is_that_of_the_branch_that_comes_nearest() -> None:
    one = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    many = {"type": "array", "items": {"type": "object", "required": ["b"]}}
    validator = Validator(parse(openapi("/x", {"anyOf": [one, many]})))

    def said(body: Any) -> list[tuple[str, str]]:
        return [(v.pointer, v.message.partition(" (")[0]) for v in validator.check_value(body).violations]

    assert [("/a", '"x" is not of type integer')] == said({"a": "x"})
    assert [("/0", 'the key "b" is missing')] == said([{"c": 1}])
    assert [] == said({"a": 1})
    assert ["number 2 of 2" in v.message for v in validator.check_value([{}]).violations] == [True]
