"""The contract made from an MLflow model's signature, as epkit's own reader understands it."""

import json
from typing import Any

import pytest

from epkit.core.contract.contract import parse
from epkit.core.hosting.mlflow_models import contract_of, example_files
from epkit.core.replies.declared import declared_place
from epkit.core.validate.examples import sample_body


def signed(inputs: Any, outputs: Any = None, params: Any = None) -> dict[str, Any]:
    parts = {"inputs": inputs, "outputs": outputs, "params": params}
    return {"signature": {name: None if part is None else json.dumps(part) for name, part in parts.items()}}


def row(mlmodel: dict[str, Any], *examples: object) -> Any:
    """Return the body of the contract's example."""
    contract = parse(contract_of(mlmodel, examples, title="bank"))

    assert "/invocations" == contract.path
    return json.loads(sample_body(contract, rows=1, seed=0))


COLUMNS = [
    {"type": "long", "name": "age"},
    {"type": "integer", "name": "n"},
    {"type": "double", "name": "rate", "required": False},
    {"type": "float", "name": "f"},
    {"type": "string", "name": "job"},
    {"type": "boolean", "name": "new"},
    {"type": "datetime", "name": "at"},
    {"type": "binary", "name": "raw"},
    {"type": "array", "name": "list", "items": {"type": "string"}},
    {"type": "object", "name": "object", "properties": {"a": {"type": "long"}}},
    {"type": "map", "name": "map", "values": {"type": "double"}},
    {"type": "of tomorrow", "name": "unknown"},
]


def test_columns_are_rows_by_name_each_of_its_type():
    body = contract_of(signed(COLUMNS), [], title="bank")["paths"]["/invocations"]["post"]["requestBody"]
    rows = body["content"]["application/json"]["schema"]["properties"]["dataframe_records"]["items"]

    assert [column["name"] for column in COLUMNS if column["name"] != "rate"] == rows["required"]
    assert {"type": "integer", "format": "int64"} == rows["properties"]["age"]
    assert {"type": "string", "format": "date-time"} == rows["properties"]["at"]
    assert {"type": "array", "items": {"type": "string"}} == rows["properties"]["list"]
    assert {"type": "object", "additionalProperties": {"type": "number", "format": "double"}} == (
        rows["properties"]["map"]
    )
    assert {} == rows["properties"]["unknown"]


def test_without_an_example_one_is_made_of_the_types():
    assert {"dataframe_records": [{"age": 0, "job": "example"}]} == row(signed([COLUMNS[0], COLUMNS[4]]))


@pytest.mark.parametrize(
    "example",
    [
        {"dataframe_split": {"columns": ["age", "job"], "data": [[17, "maid"]]}},
        {"columns": ["age", "job"], "data": [[17, "maid"]]},
        {"dataframe_records": [{"age": 17, "job": "maid"}]},
    ],
)
def test_the_example_that_was_logged_is_the_contracts(example):
    assert {"dataframe_records": [{"age": 17, "job": "maid"}]} == row(signed([COLUMNS[0], COLUMNS[4]]), example)


@pytest.mark.parametrize(
    "example",
    [None, [], {"dataframe_split": 3}, {"columns": ["age"], "data": [[1, 2]]}, {"columns": ["age"], "data": []}],
)
def test_an_example_that_does_not_fit_is_not_used(example):
    assert {"dataframe_records": [{"age": 0}]} == row(signed(COLUMNS[:1]), example)


def test_a_tensor_is_lists_in_lists():
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2, 2]}}

    assert {"inputs": [[[0.0, 0.0], [0.0, 0.0]]]} == row(signed([tensor]))
    assert {"inputs": {"a": [[[0.0, 0.0], [0.0, 0.0]]]}} == (
        contract_of(signed([{**tensor, "name": "a"}]), [], title="b")["paths"]["/invocations"]["post"]["requestBody"]
        ["content"]["application/json"]["schema"]["example"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "outputs",
    [
        [{"type": "double"}],
        [{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}],
        [{"type": "double", "name": "yes"}, {"type": "double", "name": "no"}],
        None,
    ],
)
def test_predictions_are_where_mlflow_puts_them(outputs):
    contract = parse(contract_of(signed(COLUMNS[:1], outputs), [], title="bank"))
    place = declared_place(contract)

    assert place is not None
    assert ("predictions",) == tuple(place.path)


def test_parameters_are_beside_the_rows_and_nobody_has_to_give_them():
    params = [{"name": "threshold", "type": "double", "default": 0.5, "shape": None},
              {"name": "tags", "dtype": "string", "default": ["a"], "shape": [-1]}]  # fmt: skip
    operation = contract_of(signed(COLUMNS[:1], None, params), [], title="bank")["paths"]["/invocations"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]

    assert ["dataframe_records"] == schema["required"]
    assert {"type": "number", "format": "double", "default": 0.5} == (
        schema["properties"]["params"]["properties"]["threshold"]
    )
    assert "array" == schema["properties"]["params"]["properties"]["tags"]["type"]


@pytest.mark.parametrize(
    "mlmodel",
    [{}, {"signature": 3}, {"signature": {"inputs": "{"}}, {"signature": {"inputs": "[3]"}},
     {"signature": {"inputs": "[" * 100_000}}, signed([{"type": "long"}, {"type": "long"}])],
)  # fmt: skip
def test_a_signature_that_nobody_can_read_makes_a_contract_that_takes_anything(mlmodel):
    contract = contract_of(mlmodel, [{"a": 1}], title="bank")
    schema = contract["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert {"type": "object", "example": {"a": 1}} == schema
    parse(contract)


def test_types_in_types_without_end_are_cut_off():
    spec: dict[str, Any] = {"type": "long"}
    for _ in range(200):
        spec = {"type": "array", "items": spec}

    found = contract_of(signed([{**spec, "name": "deep"}]), [], title="bank")
    parse(found)

    assert len(str(found)) < 20_000


def test_a_shape_of_any_size_costs_nothing():
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 10**9, 10**9]}}
    made = contract_of(signed([tensor]), [], title="bank")["paths"]["/invocations"]["post"]["requestBody"]["content"]

    assert {} == made["application/json"]["schema"]["example"]


@pytest.mark.parametrize("info", [None, 3, {}, {"serving_input_path": 3}])
def test_a_model_without_an_example_names_no_file(info):
    assert () == example_files({"saved_input_example_info": info})
