"""Reads the `MLmodel` of an MLflow model: how to load the model, and the contract that follows from its signature.

Source: MLflow 3.17, `mlflow.models.signature`, `mlflow.types.schema` (the JSON of columns, tensors and parameters) and
`mlflow.pyfunc.scoring_server` (the accepted bodies, and the reply).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from epkit.errors import UsageError

MLMODEL: Final = "MLmodel"
SCORING_PATH: Final = "/invocations"
FLAVOR: Final = "python_function"
"""The flavour that MLflow's server loads, whatever the library."""

_TYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}
MAX_DEPTH: Final = 32
"""Greatest depth of nested types, and greatest number of a tensor's dimensions."""

MOST_VALUES: Final = 100_000
"""Greatest number of values in a generated example: the shape of a tensor may have any size."""


def loader_of(mlmodel: object, name: str) -> str:
    """Return the module that loads a model.

    Args:
        mlmodel: the decoded `MLmodel`.
        name: its name in messages.

    Raises:
        UsageError: it is not an `MLmodel`, or has no flavour that a server can load.
    """
    flavors = mlmodel.get("flavors") if isinstance(mlmodel, Mapping) else None
    if not isinstance(flavors, Mapping):
        raise UsageError(f"{name}: no {MLMODEL} of MLflow's: it names no flavors")
    flavor = flavors.get(FLAVOR)
    if not isinstance(flavor, Mapping) or not isinstance(flavor.get("loader_module"), str):
        others = ", ".join(str(each)[:40] for each in list(flavors)[:5]) or "none"
        raise UsageError(f"{name}: it has no flavor {FLAVOR}, which MLflow's server opens, but {others}: log it as one")
    return str(flavor["loader_module"])


def example_files(mlmodel: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files of a model that may contain an example of a body, the best first."""
    info = mlmodel.get("saved_input_example_info")
    if not isinstance(info, Mapping):
        return ()
    names = (info.get("serving_input_path"), info.get("artifact_path"))
    return tuple(name for name in names if isinstance(name, str))


def contract_of(mlmodel: Mapping[str, Any], examples: Sequence[object], *, title: str) -> dict[str, Any]:
    """Make the OpenAPI document of a model's scoring operation.

    A model with columns accepts `dataframe_records`, in which each cell has a name; one with tensors accepts `inputs`.
    For a model without a signature, or with an unreadable one, the contract accepts any object.

    Args:
        examples: the decoded content of the files of `example_files`.
        title: the name of the endpoint.
    """
    signature = mlmodel.get("signature")
    signature = signature if isinstance(signature, Mapping) else {}
    inputs, outputs, params = (_decoded(signature.get(part)) for part in ("inputs", "outputs", "params"))
    body = _body(inputs)
    if body is None:
        schema: dict[str, Any] = {"type": "object"}
        example = next((each for each in examples if isinstance(each, Mapping)), {})
    else:
        key, inner = body
        schema = {"type": "object", "required": [key], "properties": {key: inner}}
        found = _example(examples, key)
        if found is None and _size(inner) <= MOST_VALUES:
            found = _sample(inner)
        example = {} if found is None else {key: found}
        if params:
            schema["properties"]["params"] = _parameters(params)
    replies = {"type": "object", "required": ["predictions"], "properties": {"predictions": _predictions(outputs)}}
    operation = {
        "operationId": "RunMLService",
        "description": "Score rows.",
        "requestBody": {"required": True, "content": _json({**schema, "example": example})},
        "responses": {"200": {"description": "The predictions.", "content": _json(replies)}},
        "security": [{"Bearer": []}],
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": "1.0", "description": "Made of the signature in the MLmodel."},
        "paths": {SCORING_PATH: {"post": operation}},
        "components": {"securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _decoded(text: object) -> list[Mapping[str, Any]]:
    """Return the entries of a part of a signature, which is a JSON text; empty if it is broken."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return []
    found = found if isinstance(found, list) else []
    return found if all(isinstance(each, Mapping) for each in found) else []


def _body(inputs: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]] | None:
    """Return the key of the rows, and the schema of its value; None if the signature does not define them."""
    if not inputs:
        return None
    if all(each.get("type") == "tensor" for each in inputs):
        tensors = {str(each["name"]): _tensor(each) for each in inputs if isinstance(each.get("name"), str)}
        if not tensors:
            return "inputs", _tensor(inputs[0])
        return "inputs", {"type": "object", "required": list(tensors), "properties": tensors}
    if not all(isinstance(each.get("name"), str) for each in inputs):
        return None  # columns without names: MLflow uses their order, which a schema of objects cannot express
    columns = {str(each["name"]): _column(each) for each in inputs}
    needed = [str(each["name"]) for each in inputs if each.get("required", True) is not False]
    row = {"type": "object", "required": needed, "properties": columns}
    return "dataframe_records", {"type": "array", "items": row}


def _column(spec: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return the schema of a column's cells; for an unknown type `{}`, which accepts anything."""
    kind = spec.get("type")
    if depth > MAX_DEPTH or not isinstance(kind, str):
        return {}
    inner = spec.get("items")
    if kind == "array":
        return {"type": "array", "items": _column(inner, depth + 1) if isinstance(inner, Mapping) else {}}
    if kind == "map":
        values = spec.get("values")
        more = _column(values, depth + 1) if isinstance(values, Mapping) else {}
        return {"type": "object", "additionalProperties": more}
    if kind == "object":
        properties = spec.get("properties")
        known = {
            str(name): _column(each, depth + 1)
            for name, each in (properties.items() if isinstance(properties, Mapping) else ())
            if isinstance(each, Mapping)
        }
        return {"type": "object", "properties": known}
    return dict(_TYPES.get(kind, {}))


def _tensor(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a tensor: nested lists; a dimension of -1 may have any length."""
    tensor = spec.get("tensor-spec")
    tensor = tensor if isinstance(tensor, Mapping) else {}
    shape = tensor.get("shape")
    dtype = str(tensor.get("dtype", ""))
    kinds = {"b": "boolean", "i": "long", "u": "long", "f": "double", "s": "string"}
    schema: dict[str, Any] = dict(_TYPES.get(kinds.get(dtype[:1], ""), {}))
    for length in reversed(shape[:MAX_DEPTH] if isinstance(shape, list) else [-1]):
        fixed = {"minItems": length, "maxItems": length} if isinstance(length, int) and length >= 0 else {}
        schema = {"type": "array", "items": schema, **fixed}
    return schema


def _parameters(params: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = {}
    for each in params:
        kind = _column({"type": each.get("type", each.get("dtype"))})
        shaped = {"type": "array", "items": kind} if each.get("shape") else kind
        known[str(each.get("name"))] = {**shaped, **({"default": each["default"]} if "default" in each else {})}
    return {"type": "object", "properties": known}


def _predictions(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if len(outputs) == 1 and outputs[0].get("type") == "tensor":
        return _tensor(outputs[0])
    if len(outputs) == 1 and outputs[0].get("name") is None:
        return {"type": "array", "items": _column(outputs[0])}
    named = {str(each["name"]): _column(each) for each in outputs if isinstance(each.get("name"), str)}
    return {"type": "array", "items": {"type": "object", "properties": named} if named else {}}


def _example(examples: Sequence[object], key: str) -> Any:
    """Return the value of a key in an example; rows of `dataframe_split` as records. None if no example has the key."""
    for each in examples:
        if not isinstance(each, Mapping):
            continue
        if key in each:
            return each[key]
        split = each.get("dataframe_split", each)
        if key == "dataframe_records" and isinstance(split, Mapping):
            names, rows = split.get("columns"), split.get("data")
            if isinstance(names, list) and isinstance(rows, list) and all(_is_row(row, names) for row in rows) and rows:
                return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    return None


def _is_row(row: object, names: Sequence[object]) -> bool:
    return isinstance(row, list) and len(row) == len(names)


def _size(schema: Mapping[str, Any]) -> int:
    """Count the values that `_sample` makes."""
    if schema.get("type") == "array":
        return int(schema.get("minItems", 1)) * _size(schema["items"])
    return sum(map(_size, schema.get("properties", {}).values())) or 1


def _sample(schema: Mapping[str, Any]) -> Any:
    """Make a value of a schema of this module: one row, and one item for each list without a fixed length."""
    match schema.get("type"):
        case "array":
            return [_sample(schema["items"])] * schema.get("minItems", 1)
        case "object":
            return {name: _sample(each) for name, each in schema.get("properties", {}).items()}
        case "string" if schema.get("format") == "byte":
            return "ZXhhbXBsZQ=="
        case "string" if schema.get("format") == "date-time":
            return "2026-01-01T00:00:00"
        case kind:
            return {"boolean": True, "integer": 0, "number": 0.0, "string": "example"}.get(str(kind))
