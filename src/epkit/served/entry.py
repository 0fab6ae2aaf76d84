"""The entry script of a trained model: what Azure's inference server calls, `init` once and `run` for each request.

A request is `{"data": [{column: value, …}, …]}`, with `"method": "predict_proba"` for probabilities, or the same in the
second form of AutoML's scripts: `{"Inputs": {"data": […]}, "GlobalParameters": {"method": "predict"}}`. The reply is
`{"result": […]}`. A row that the model cannot read is status 400 and `{"error": "row 2, column "age": …"}`, rows
counted from 1. Keys of a row that are no columns of the model are left alone, so that a table can be sent with its
label and its ids; where a column is missing, too, they are named, since that is how a wrong name looks.
"""

import json
import os
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from azureml_inference_server_http.api.aml_response import AMLResponse
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

from epkit.served.encoding import BadValueError
from epkit.served.model import Model


def _directories() -> Iterator[Path]:
    """Yield where a model may be: what Azure mounts, its one folder as v2 has it, the place of this script."""
    mounted = os.environ.get("AZUREML_MODEL_DIR")
    if mounted:
        yield Path(mounted)
        yield from sorted(Path(mounted).glob("*/"))
    yield Path(__file__).parent


def _directory() -> Path:
    for place in _directories():
        if (place / "card.json").is_file():
            return place
    raise FileNotFoundError("card.json: neither in AZUREML_MODEL_DIR nor next to the script")


DIRECTORY = _directory()
CARD: dict[str, Any] = json.loads((DIRECTORY / "card.json").read_text(encoding="utf-8"))


class RowError(ValueError):
    """Rows that the model cannot read; the message says which and why."""


class Rows(AbstractParameterType):  # type: ignore[misc]
    """The rows of a request, declared by the card."""

    def __init__(self) -> None:
        super().__init__([CARD["example"]])

    def deserialize_input(self, input_data: Any) -> Any:
        """Leave the rows as they are: `run` reads them, where what is wrong can be answered."""
        return input_data

    def input_to_swagger(self) -> dict[str, Any]:
        """Return the JSON Schema of the rows, with the card's example."""
        properties = {column["name"]: _declared(column) for column in CARD["columns"]}
        required = [column["name"] for column in CARD["columns"] if not column["missing"]]
        # Other columns are allowed, which is said because scripts that make pandas frames refuse them.
        row: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": True}
        if required:
            row["required"] = required
        return {"type": "array", "items": row, "example": [CARD["example"]]}


def _declared(column: dict[str, Any]) -> dict[str, Any]:
    if column["kind"] == "number":
        kind = {"type": "integer", "format": "int64"} if column["integer"] else {"type": "number", "format": "double"}
    else:
        kind = {"type": "boolean" if column.get("boolean") else "string"}
    # The one word of OpenAPI 3.0, and the one that tools know in Swagger 2.
    return {**kind, "nullable": True, "x-nullable": True} if column["missing"] else kind


def _reply() -> dict[str, list[Any]]:
    return {"result": list(CARD["label"]["classes"][-1:]) or [0.5]}


_model: Model


def init() -> None:
    """Load the model, and score the example, so that the first request does not pay for what is made late."""
    global _model
    _model = Model.load(DIRECTORY)
    _answers([CARD["example"]], "predict")


@input_schema("method", StandardPythonParameterType("predict"), convert_to_provided_type=False)  # type: ignore[untyped-decorator]
@input_schema("data", Rows(), convert_to_provided_type=False)  # type: ignore[untyped-decorator]
@output_schema(StandardPythonParameterType(_reply()))  # type: ignore[untyped-decorator]
def run(data: Any = None, method: Any = "predict", *, Inputs: Any = None, GlobalParameters: Any = None) -> Any:  # noqa: N803 - Azure's words
    """Score rows.

    Args:
        data: the rows of the request, each an object.
        method: `predict` for the label's own words or numbers, `predict_proba` for the probability of each class.
        Inputs, GlobalParameters: the same in the second form.

    Returns:
        `{"result": […]}`, an answer a row.
    """
    if data is None and isinstance(Inputs, dict):
        data = Inputs.get("data")
        method = GlobalParameters.get("method", method) if isinstance(GlobalParameters, dict) else method
    try:
        return {"result": _answers(data, method)}
    except (RowError, BadValueError) as error:
        return AMLResponse({"error": str(error)}, 400, json_str=True)


def _answers(rows: Any, method: Any) -> list[Any]:
    if method not in ("predict", "predict_proba"):
        raise RowError(f'the method is "predict" or "predict_proba", not {json.dumps(method)}')
    if method == "predict_proba" and _model.task == "regression":
        raise RowError('a regression has no probabilities: the method is "predict"')
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RowError('"data" is a list of objects, one a row')
    if not rows:
        return []
    found = _model.predict_proba(_table(rows))
    answers: list[Any] = _model.answers(found) if method == "predict" else found.tolist()
    return answers


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = [encoder.name for encoder in _model.encoders]
    take = itemgetter(*names)
    try:
        cells = [take(row) for row in rows]
    except KeyError:
        for place, row in enumerate(rows, start=1):
            _check_names(place, row)
        rows = [{**dict.fromkeys(names), **row} for row in rows]
        cells = [take(row) for row in rows]
    return dict(zip(names, zip(*cells, strict=True), strict=True)) if len(names) > 1 else {names[0]: cells}


def _check_names(place: int, row: dict[str, Any]) -> None:
    """Let a row lack a column that may be missing, unless it has a name that training never saw.

    Raises:
        RowError: with the row's *place*, from 1.
    """
    lacking = [encoder for encoder in _model.encoders if encoder.name not in row]
    known = {encoder.name for encoder in _model.encoders}.union(CARD["ignored"])
    strange = [name for name in row if name not in known]
    if lacking and (strange or not all(encoder.may_lack for encoder in lacking)):
        named = next((encoder for encoder in lacking if not encoder.may_lack), lacking[0]).name
        hint = f', but "{strange[0]}", which the model does not know' if strange else ""
        raise RowError(f'row {place}: there is no column "{named}"{hint}')
