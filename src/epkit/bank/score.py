"""The entry script of the embedded endpoint: the script that AutoML wrote in 2021, with numpy instead of pandas.

The genuine server calls `init` once and `run` for each request. The decorators convert the request's rows to columns
before `run` is called. They also make the contract, whose example is the course's two rows. Refusals are those of the
original: if rows cannot be converted to columns of the right number and types, the status is 500; any error in `run` is
status 200 with `{"error": …}` in the string.

This command has written `model.npz` and `card.json`, with LightGBM 4.7.0 and scikit-learn 1.9.1:

    epkit train bankmarketing_train.csv.gz --label y --seed 222 --threshold f1 --runs 3 --workers 1

Data: Bank Marketing; S. Moro, P. Rita, P. Cortez; UCI Machine Learning Repository 222, doi 10.24432/C5K306, CC BY 4.0.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

from epkit.served.encoding import Encoder
from epkit.served.model import Model

HERE: Final = Path(__file__).parent
CARD: Final[Mapping[str, Any]] = json.loads((HERE / "card.json").read_text(encoding="utf-8"))
CLASSES: Final[tuple[str, ...]] = tuple(CARD["label"]["classes"])
COLUMNS: Final[Mapping[str, type]] = {
    column["name"]: str if column["kind"] == "category" else int if column["integer"] else float
    for column in CARD["columns"]
}
"""The columns of the model, in the data set's order, and the type of each."""

_COMMON: Final = {
    "job": "blue-collar",
    "marital": "married",
    "education": "university.degree",
    "default": "no",
    "housing": "yes",
    "loan": "yes",
    "contact": "cellular",
    "month": "may",
    "day_of_week": "mon",
    "campaign": 1,
    "pdays": 999,
    "previous": 1,
    "poutcome": "failure",
    "emp.var.rate": -1.8,
    "cons.price.idx": 92.893,
    "cons.conf.idx": -46.2,
    "euribor3m": 1.299,
    "nr.employed": 5099.1,
}
_COURSE: Final = ({"age": 17, "duration": 971}, {"age": 87, "duration": 471})
ROWS: Final = [{name: {**_COMMON, **row}[name] for name in COLUMNS} for row in _COURSE]
"""The course's two rows, in the data set's order of columns."""


class BankTable(dict[str, Any]):
    """The rows of a request as columns; by this separate type, the decorator recognises its own results."""


class Records(AbstractParameterType):  # type: ignore[misc]
    """Rows as a list of objects, declared and converted as by inference-schema's PandasParameterType."""

    def __init__(self, sample: list[dict[str, Any]]) -> None:
        super().__init__(sample)
        self.sample_data_type = BankTable

    def input_to_swagger(self) -> dict[str, Any]:
        """Return the JSON Schema of the rows, with the sample as its example."""
        schema = StandardPythonParameterType(self.sample_input).input_to_swagger()
        return {**schema, "format": "pandas.DataFrame:records"}

    def deserialize_input(self, input_data: Any) -> BankTable:
        """Convert rows to columns; columns stay unchanged, because pandas reads both.

        Raises:
            TypeError, ValueError, OverflowError: the server answers 500.

        Source: the answers of the genuine server with PandasParameterType. The columns are those of all rows together,
        and their number must be right. Integers are cast (`"17"` and 17.9 become 17, null is refused). A float or a
        string may be missing.
        """
        if isinstance(input_data, dict):
            columns = input_data
            if (
                not all(isinstance(values, list) for values in columns.values())
                or len({*map(len, columns.values())}) > 1
            ):
                raise TypeError("the columns are not lists of one length")
        elif isinstance(input_data, list) and all(isinstance(row, dict) for row in input_data):
            names = dict.fromkeys(name for row in input_data for name in row)
            columns = {name: [row.get(name) for row in input_data] for name in names}
        else:
            raise TypeError("the rows are not a list of objects")
        if len(columns) != len(COLUMNS):
            raise ValueError(f"the rows have {len(columns)} columns, while {len(COLUMNS)} are expected")
        return BankTable({name: _converted(COLUMNS.get(name, str), values) for name, values in columns.items()})


def _converted(kind: type, values: list[Any]) -> list[str] | np.ndarray:
    if any(isinstance(value, (list, dict)) for value in values):
        raise TypeError("a list or an object in place of a value")
    if kind is int:
        return np.array([int(value) for value in values], dtype=np.int64)
    if kind is float:
        return np.array([math.nan if value is None else float(value) for value in values])
    # `unknown` is the data set's word for a missing text.
    return ["unknown" if value is None else str(value) for value in values]


_model: Model
_ENCODERS: Final = [Encoder(column) for column in CARD["columns"]]
"""Encoders of the columns. Unlike the model's own, they accept missing values, as the script of 2021 does."""


def init() -> None:
    """Load the model; the server calls this once, before the first request."""
    global _model
    _model = Model.load(HERE)


_METHOD: Final = StandardPythonParameterType("predict")


@input_schema("method", _METHOD, convert_to_provided_type=False)  # type: ignore[untyped-decorator]
@input_schema("data", Records(ROWS))  # type: ignore[untyped-decorator]
@output_schema(NumpyParameterType(np.array(CLASSES[::-1])))  # type: ignore[untyped-decorator]
def run(data: BankTable, method: str = "predict") -> str:
    """Score rows.

    Args:
        data: the columns of the request.
        method: `predict` for the words, `predict_proba` for the probabilities of `no` and `yes`.

    Returns:
        JSON in a string, which the server encodes again: `{"result": […]}` or `{"error": …}`.
    """
    try:
        return json.dumps({"result": _answers(data, method)})
    except Exception as error:  # noqa: BLE001 - AutoML's scripts of 2021 answer every failure with status 200
        return json.dumps({"error": str(error)})


def _answers(data: BankTable, method: str) -> list[Any]:
    if method not in ("predict", "predict_proba"):
        raise ValueError(f"Invalid predict method argument received ({method})")
    lacking = [name for name in COLUMNS if name not in data]
    if lacking:
        strange = [name for name in data if name not in COLUMNS]
        raise ValueError(f"Expected columns {lacking} not found in the data, which has {strange} instead")
    probabilities = _model.probabilities(encode(data))
    if method == "predict":
        return _model.answers(probabilities)
    answers: list[Any] = probabilities.tolist()
    return answers


def encode(data: Mapping[str, Any]) -> np.ndarray:
    """Return the input matrix of the model: float64, rows × columns, NaN if a value is missing or unseen.

    Args:
        data: the values of every column of `COLUMNS`, all of the same length.
    """
    return np.concatenate([encoder(data[encoder.name]) for encoder in _ENCODERS], axis=1)
