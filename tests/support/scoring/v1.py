"""A scoring script as AutoML wrote it in 2020–21: `data` and `method`, errors under status 200."""

import json

import numpy as np
from columns import bank, label, seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("method", StandardPythonParameterType("predict"), convert_to_provided_type=False)
@input_schema("data", PandasParameterType(bank()))
@output_schema(NumpyParameterType(np.array(["example_value"])))
def run(data, method="predict"):
    """Score rows."""
    try:
        if method == "predict":
            result = label(data)
        elif method == "predict_proba":
            result = [[0.25, 0.75] for _ in label(data)]
        else:
            raise ValueError(f"Invalid predict method argument received ({method})")  # noqa: TRY301
        return json.dumps({"result": result, "seen": seen(data)})
    except Exception as e:  # noqa: BLE001  (as AutoML does)
        return json.dumps({"error": str(e)})
