"""Contracts in the style of the servers that publish them, written by hand for tests."""

from typing import Any

ROW: dict[str, Any] = {
    "type": "object",
    "title": "Row",
    "required": ["age", "income"],
    "properties": {
        "age": {"type": "integer", "title": "Age"},
        "income": {"type": "number", "title": "Income"},
        "city": {"type": "string", "title": "City", "default": "Rome"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Note"},
    },
}
REF = {"$ref": "#/components/schemas/Row"}
CELLS = {"type": "array", "items": {"type": "array", "items": {"type": "number", "format": "double"}}}
SPLIT = {
    "type": "object",
    "required": ["columns", "index", "data"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "index": {"type": "array", "items": {"type": "integer"}},
        "data": CELLS,
    },
    "format": "pandas.DataFrame:split",
}
INDEX = {"type": "object", "required": ["0"], "properties": {"0": ROW}, "format": "pandas.DataFrame:index"}
DICTS = {
    "type": "object",
    "properties": {
        "age": {"type": "object", "properties": {"0": {"type": "integer"}}},
        "city": {"type": "object", "properties": {"0": {"type": "string"}}},
    },
    "format": "pandas.DataFrame:columns",
}
LISTS = {
    "type": "object",
    "required": ["age"],
    "properties": {
        "age": {"type": "array", "items": {"type": "integer"}},
        "city": {"type": "array", "items": {"type": "string"}},
    },
}
TABLE = {
    "type": "object",
    "properties": {
        "schema": {"type": "object", "properties": {"fields": {"type": "array", "items": {"type": "object"}}}},
        "data": {
            "type": "array",
            "items": {"type": "object", "properties": {"index": {"type": "integer"}, "age": {"type": "integer"}}},
        },
    },
    "format": "pandas.DataFrame:table",
}
TABLE_EXAMPLE = {
    "schema": {"fields": [{"name": "index", "type": "integer"}, {"name": "age", "type": "integer"}],
               "primaryKey": ["index"]},
    "data": [{"index": 0, "age": 1}],
}  # fmt: skip


def openapi(
    path: str, schema: dict[str, Any] | None, *, media: str = "application/json", **more: Any
) -> dict[str, Any]:
    """Return an OpenAPI document with one operation."""
    body = {} if schema is None else {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}
    post = {**body, "responses": {"200": {"description": "", "content": {"application/json": {"schema": {}}}}}, **more}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {path: {"post": post}}}


def fastapi(path: str, schema: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Return a document in FastAPI's style, with the schema `Row` among its components."""
    document = openapi(path, schema, **more)
    document["components"] = {"schemas": {"Row": ROW, "HTTPValidationError": {"type": "object"}}}
    return document


def azure(data: dict[str, Any], example: Any) -> dict[str, Any]:
    """Return a document in the genuine server's style, with a parameter `data`."""
    body = {"type": "object", "properties": {"data": data}, "example": {"data": example}}
    document = openapi("/score", {"$ref": "#/components/schemas/ServiceInput"})
    document["components"] = {"schemas": {"ServiceInput": body}}
    return document


def model(*inputs: tuple[str, str, list[int]], name: str = "one") -> dict[str, Any]:
    """Return a model of the Open Inference Protocol, in its server's description."""
    listed = [{"name": key, "datatype": datatype, "shape": shape} for key, datatype, shape in inputs]
    output = {"name": "y", "datatype": "FP64", "shape": [-1]}
    return {"name": name, "versions": None, "platform": "", "inputs": listed, "outputs": [output]}


def every_kind() -> dict[str, dict[str, Any]]:
    """Return a contract of each kind, with an example if its kind has one."""
    split = {"columns": ["age", "city"], "index": [0], "data": [[1, "x"]]}
    return {
        "split": azure(SPLIT, split),
        "values": azure({**CELLS, "format": "pandas.DataFrame:values"}, [["x", 1.5]]),
        "index": azure(INDEX, {"0": {"age": 1, "income": 2.5, "city": "x", "note": None}}),
        "dicts": azure(DICTS, {"age": {"0": 1}, "city": {"0": "x"}}),
        "table": azure(TABLE, TABLE_EXAMPLE),
        "lists": openapi("/c", LISTS),
        "row": fastapi("/one", REF),
        "rows": fastapi("/some", {"type": "array", "items": REF}),
        "choice": openapi("/x", {"anyOf": [ROW, {"type": "array", "items": ROW}]}),
        "tensor": model(("x", "FP64", [-1, 2])),
        "tensors": model(("age", "INT64", [-1]), ("v", "FP32", [-1, 2]), ("city", "BYTES", [-1])),
    }
