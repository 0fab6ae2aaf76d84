"""A scoring script for a regression with small integers: `Inputs.data`; `GlobalParameters` is a number."""

import numpy as np
import pandas as pd
from columns import seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

sample = pd.DataFrame(
    {
        "day": pd.Series([0], dtype="int8"),
        "year": pd.Series([0], dtype="int64"),
        "holiday": pd.Series([False], dtype="bool"),
        "temp": pd.Series([0.0], dtype="float32"),
        "station": pd.Series(["example_value"], dtype="str"),
    }
)


def init():
    """Load nothing."""


@input_schema("GlobalParameters", StandardPythonParameterType(1.0), convert_to_provided_type=False)
@input_schema("Inputs", StandardPythonParameterType({"data": PandasParameterType(sample)}))
@output_schema(StandardPythonParameterType({"Results": NumpyParameterType(np.array([0.0]))}))
def run(Inputs, GlobalParameters=1.0):  # noqa: N803
    """Score rows."""
    data = Inputs["data"]
    return {"Results": [float(value) for value in data["temp"]], "seen": seen(data)}
