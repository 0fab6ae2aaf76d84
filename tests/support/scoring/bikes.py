"""A scoring script for a regression over twelve columns of numbers, as AutoML writes it."""

import numpy as np
import pandas as pd
from columns import seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

SMALL = ["day", "mnth", "year", "season", "holiday", "weekday", "workingday", "weathersit"]
REAL = ["temp", "atemp", "hum", "windspeed"]
sample = pd.DataFrame(
    {name: pd.Series([0], dtype="int8") for name in SMALL} | {name: pd.Series([0.0], dtype="float64") for name in REAL}
)


def init():
    """Load nothing."""


@input_schema("GlobalParameters", StandardPythonParameterType(1.0), convert_to_provided_type=False)
@input_schema("Inputs", StandardPythonParameterType({"data": PandasParameterType(sample)}))
@output_schema(StandardPythonParameterType({"Results": NumpyParameterType(np.array([0.0]))}))
def run(Inputs, GlobalParameters=1.0):  # noqa: N803
    """Score rows."""
    data = Inputs["data"]
    return {"Results": [331.839379193704 * GlobalParameters for _ in data["temp"]], "seen": seen(data)}
