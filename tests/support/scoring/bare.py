"""A scoring script as AutoML wrote it before `method` came: rows in, a JSON string out."""

import json

import numpy as np
from columns import bank, label, seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("data", PandasParameterType(bank()))
@output_schema(NumpyParameterType(np.array([0])))
def run(data):
    """Score rows."""
    try:
        return json.dumps({"result": label(data), "seen": seen(data)})
    except Exception as e:  # noqa: BLE001  (as AutoML does)
        return json.dumps({"error": str(e)})
