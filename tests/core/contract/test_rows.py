"""The place, form and columns of rows are found in contracts of every kind."""

from typing import Any

import pytest

from epkit.core.contract.contract import parse
from epkit.core.contract.oip import as_openapi
from epkit.core.contract.rows import all_rows, rows_of
from support.made_contracts import (
    CELLS,
    DICTS,
    INDEX,
    LISTS,
    REF,
    ROW,
    SPLIT,
    TABLE,
    TABLE_EXAMPLE,
    azure,
    fastapi,
    model,
    openapi,
)  # fmt: skip


def kinds(document: dict[str, Any], path: str | None = None) -> Any:
    """Return the place of the rows, their form, and the kind of each column."""
    spec = rows_of(parse(document, at=path))
    if spec is None:
        return None
    columns = {name: column.kind for name, column in spec.columns.items()}
    cells = [column.kind for column in spec.cells] or (spec.cell and spec.cell.kind)
    return spec.path, spec.form, columns or cells


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            azure(SPLIT, {"columns": ["age", "city"], "index": [0], "data": [[1, "x"]]}),
            (("data",), "split", {"age": "integer", "city": "string"}),
        ),
        (azure(SPLIT, None), (("data",), "split", "number")),
        (azure({**CELLS, "format": "pandas.DataFrame:values"}, [["x", 1, True]]),
         (("data",), "lists", ["string", "number", "boolean"])),
        (azure({**CELLS, "format": "numpy.ndarray"}, [[1, 2.5]]), (("data",), "lists", "number")),
        (azure(INDEX, None),
         (("data",), "index", {"age": "integer", "income": "number", "city": "string", "note": "string"})),
        (azure(DICTS, None), (("data",), "dicts", {"age": "integer", "city": "string"})),
        (azure(LISTS, None), (("data",), "columns", {"age": "integer", "city": "string"})),
        (azure(TABLE, TABLE_EXAMPLE), (("data",), "table", {"age": "integer"})),
        (fastapi("/one", REF), ((), "row", {"age": "integer", "income": "number", "city": "string", "note": "string"})),
        (fastapi("/some", {"type": "array", "items": REF}),
         ((), "records", {"age": "integer", "income": "number", "city": "string", "note": "string"})),
        (openapi("/c", LISTS), ((), "columns", {"age": "integer", "city": "string"})),
        (openapi("/one", {"type": "object", "properties": {"text": {"type": "object"}}}), None),
        (openapi("/x", {"type": "object", "properties": {"texts": {"type": "array", "items": {"type": "string"}}}}), None),
        (openapi("/x", {"type": "object", "properties": {"x": CELLS["items"]}}, **{"x-bentoml-name": "x"}),
         (("x",), "lists", "number")),
        (as_openapi(model(("x", "FP64", [-1, 2]))), (("inputs",), "tensor", "number")),
        (as_openapi(model(("age", "INT64", [-1]), ("city", "BYTES", [-1, 1]), ("v", "FP32", [-1, 3]))),
         (("inputs",), "tensors", {"age": "integer", "city": "string", "v": None})),
        (as_openapi(model()), None),
    ],
)  # fmt: skip
def test_rows_of_every_form_are_found(document: dict[str, Any], expected: Any) -> None:
    assert expected == kinds(document)


def test_an_object_of_lists_is_a_parameter_where_there_are_rows() -> None:
    rows = {"type": "object", "properties": {"data": {"type": "array", "items": ROW}}}
    parameters = {"type": "object", "properties": {"quantiles": {"type": "array", "items": {"type": "number"}}}}
    spec = rows_of(parse(openapi("/score", {"type": "object", "properties": {"Global": parameters, "Inputs": rows}})))

    assert spec is not None
    assert (("Inputs", "data"), "records") == (spec.path, spec.form)


def test_what_may_be_left_out_is_not_required() -> None:
    spec = rows_of(parse(fastapi("/some", {"type": "array", "items": REF})))
    bare = {key: value for key, value in ROW.items() if key != "required"}
    unsaid = rows_of(parse(openapi("/some", {"type": "array", "items": bare})))

    assert spec is not None
    assert unsaid is not None
    assert (("age", "income"), False) == (spec.required, spec.closed)
    assert ("age", "income") == unsaid.required


def test_the_lists_that_a_designer_takes_are_all_found() -> None:
    columns = {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}}
    first = {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    inputs = {"type": "object", "properties": {"WebServiceInput0": first, "WebServiceInput1": columns}}
    contract = parse(openapi("/score", {"type": "object", "properties": {"Inputs": inputs}}))

    assert [("Inputs", "WebServiceInput0"), ("Inputs", "WebServiceInput1")] == [one.path for one in all_rows(contract)]


@pytest.mark.parametrize(
    ("media", "schema", "expected"),
    [
        ("image/png", {"type": "string", "format": "binary"}, "image/png"),
        ("*/*", {"type": "string", "format": "binary"}, "application/octet-stream"),
        ("application/octet-stream", {}, "application/octet-stream"),
        ("*/*", {"type": "object"}, None),
        ("application/json", {"type": "object"}, None),
    ],
)
def test_a_body_of_bytes_is_known_by_its_type(media: str, schema: dict[str, Any], expected: str | None) -> None:
    assert expected == parse(openapi("/x", schema, media=media)).media


def test_a_model_that_describes_itself_oddly_is_a_contract_all_the_same() -> None:
    odd = {"name": "a/b", "inputs": [{"name": "x", "shape": ["-1", "2"]}, {"shape": [1]}, 3], "outputs": None}
    contract = parse(as_openapi(odd))

    assert "/v2/models/a%2Fb/infer" == contract.path
    assert (("inputs",), "tensor", "number") == kinds(as_openapi(odd))


def test_a_model_whose_name_is_no_unicode_is_a_contract_all_the_same() -> None:
    assert parse(as_openapi(model(("x", "FP64", [-1]), name="\ud800"))).path == "/v2/models/%3F/infer"


def test_the_example_of_a_picture_is_no_megabyte() -> None:
    contract = parse(as_openapi(model(("image", "FP32", [-1, 3, 640, 640]))))

    assert [1, 1, 1, 1] == contract.example["inputs"][0]["shape"]
