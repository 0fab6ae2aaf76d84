"""A scoring script for a forecast: a date column, shapes not enforced, quantiles as parameters."""

import numpy as np
import pandas as pd
from columns import seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

sample = pd.DataFrame(
    {
        "date": pd.Series(["2000-1-1"], dtype="datetime64[ns]"),
        "store": pd.Series(["example_value"], dtype="object"),
    }
)
data_sample = PandasParameterType(sample, enforce_shape=False)
parameters = StandardPythonParameterType({"quantiles": StandardPythonParameterType([0.025, 0.975])})
output = StandardPythonParameterType(
    {"Results": StandardPythonParameterType({"forecast": NumpyParameterType(np.array([0.0]))})}
)


def init():
    """Load nothing."""


@input_schema("GlobalParameters", parameters, convert_to_provided_type=False)
@input_schema("Inputs", StandardPythonParameterType({"data": data_sample}))
@output_schema(output)
def run(Inputs, GlobalParameters={"quantiles": [0.025, 0.975]}):  # noqa: B006, N803
    """Score rows."""
    data = Inputs["data"]
    return {"Results": {"forecast": [101.5 for _ in data["date"].dt.year]}, "seen": seen(data)}
