"""Reads the description of a model of the Open Inference Protocol as a contract.

`GET /v2/models/NAME` returns the inputs and outputs of a model with name, datatype and shape. This module writes them
as the OpenAPI document of the model's only operation, so that every reader of contracts can read it. The document also
contains the description of the tensors, which no schema can express.

Source: Open Inference Protocol, *Model Metadata* and *Inference*.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from epkit.core.shapes.forms import Tensor

TENSORS: Final = "x-epkit-tensors"
"""Key in the schema of a list; its value describes the tensors of the list in the words of the model."""

CELLS: Final[Mapping[str, Mapping[str, Any]]] = {
    "BOOL": {"type": "boolean"},
    **{f"INT{bits}": {"type": "integer", "format": f"int{bits}"} for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": {"type": "integer", "format": f"uint{bits}"} for bits in (8, 16, 32, 64)},
    **{name: {"type": "number"} for name in ("FP16", "FP32", "FP64", "BF16")},
    "BYTES": {"type": "string"},
}
"""The schema of an element of each datatype."""

_DESCRIPTION: Final = "A model of the Open Inference Protocol, as the server describes it"

_MOST_CELLS: Final = 4096
"""Greatest number of elements of a tensor in the example."""

_INFER: Final = re.compile(r"(.*/v2/models/[^/]+(?:/versions/[^/]+)?)/infer/?", re.DOTALL)


def model_path(path: str) -> str | None:
    """Return the path of the description of the model at *path*; None if *path* is not one of this protocol."""
    found = _INFER.fullmatch(path)
    return None if found is None else found[1]


def is_model(document: object) -> bool:
    """Tell whether a decoded document describes a model."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("name"), str)
        and isinstance(document.get("inputs"), list)
        and not {"swagger", "openapi"} & document.keys()
    )


def is_model_contract(document: Mapping[str, Any]) -> bool:
    """Tell whether `as_openapi` has made a document from the description of a model."""
    info = document.get("info")
    return isinstance(info, Mapping) and info.get("description") == _DESCRIPTION


def as_openapi(document: Any) -> Any:
    """Convert the description of a model to an OpenAPI document; any other document is returned unchanged."""
    if not is_model(document):
        return document
    name = document["name"]
    inputs, outputs = (_tensors(document.get(key)) for key in ("inputs", "outputs"))
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": _list_of(inputs),
            "outputs": {"type": "array", "items": {"type": "object"}},
        },
        "additionalProperties": True,
    }
    if inputs:
        request["example"] = {"inputs": [_example(tensor) for tensor in inputs]}
    reply = {"type": "object", "properties": {"outputs": _list_of(outputs)}, "required": ["outputs"]}
    operation = {
        "operationId": "infer",
        "summary": "Infer",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {"200": {"description": "The outputs", "content": {"application/json": {"schema": reply}}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "2", "description": _DESCRIPTION},
        "paths": {f"/v2/models/{quote(name, safe='', errors='replace')}/infer": {"post": operation}},
    }


def tensors_of(schema: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """Return the tensors of a list in a contract; empty if the list has no tensors.

    Dimensions of variable extent are 0.
    """
    return tuple(
        Tensor(name=one["name"], datatype=one["datatype"], shape=tuple(max(0, extent) for extent in one["shape"][1:]))
        for one in _tensors(schema.get(TENSORS))
    )


def _tensors(listed: object) -> list[dict[str, Any]]:
    """Return the elements of a list that describe tensors, in a checked form."""
    found = []
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue
        shape, datatype = one.get("shape"), one.get("datatype")
        extents = [_extent(extent) for extent in shape] if isinstance(shape, list) and shape else [-1]
        found.append({"name": one["name"], "datatype": str(datatype or "FP64").upper(), "shape": extents})
    return found


def _extent(extent: object) -> int:
    """Read a dimension; some servers write the number as a text."""
    if isinstance(extent, str) and re.fullmatch(r"-?[0-9]{1,9}", extent):
        extent = int(extent)
    return extent if isinstance(extent, int) and not isinstance(extent, bool) and extent > 0 else -1


def _list_of(tensors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write the schema of a list of tensors."""
    tensor: dict[str, Any] = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "datatype": {"type": "string", "enum": [*CELLS]},
            "parameters": {"type": "object"},
            "data": {"type": "array"},
        },
        "additionalProperties": True,
    }
    schema: dict[str, Any] = {"type": "array", "items": tensor}
    if tensors:
        schema |= {"description": ", ".join(map(_shown, tensors)), TENSORS: [dict(tensor) for tensor in tensors]}
    return schema


def _shown(tensor: Mapping[str, Any]) -> str:
    extents = ", ".join("…" if extent < 0 else str(extent) for extent in tensor["shape"])
    return f"{tensor['name']}: {tensor['datatype']}[{extents}]"


def _example(tensor: Mapping[str, Any]) -> dict[str, Any]:
    shape = [1, *(max(1, extent) for extent in tensor["shape"][1:])]
    cell = {"string": "text", "boolean": True, "integer": 1}.get(
        str(CELLS.get(tensor["datatype"], {}).get("type")), 1.0
    )
    count = 1
    for extent in shape:
        count = min(count * extent, _MOST_CELLS + 1)
    # The example of a picture would have a megabyte, so the example of a large tensor has one element.
    shape = shape if count <= _MOST_CELLS else [1] * len(shape)
    return {
        "name": tensor["name"],
        "shape": shape,
        "datatype": tensor["datatype"],
        "data": [cell] * (count if count <= _MOST_CELLS else 1),
    }
