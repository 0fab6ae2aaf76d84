"""A scoring script as AutoML writes it now: `Inputs.data` and `GlobalParameters`, exceptions raised."""

import numpy as np
from columns import bank, label, seen
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

data_sample = PandasParameterType(bank())
input_sample = StandardPythonParameterType({"data": data_sample})
method_sample = StandardPythonParameterType({"method": "predict"})
result_sample = NumpyParameterType(np.array(["example_value"]))
output_sample = StandardPythonParameterType({"Results": result_sample})


def init():
    """Load nothing."""


@input_schema("GlobalParameters", method_sample, convert_to_provided_type=False)
@input_schema("Inputs", input_sample)
@output_schema(output_sample)
def run(Inputs, GlobalParameters={"method": "predict"}):  # noqa: B006, N803
    """Score rows."""
    data = Inputs["data"]
    if GlobalParameters.get("method", None) == "predict_proba":
        return {"Results": [[0.25, 0.75] for _ in label(data)], "seen": seen(data)}
    if GlobalParameters.get("method", None) == "predict":
        return {"Results": label(data), "seen": seen(data)}
    raise ValueError(f"Invalid predict method argument GlobalParameters received. GlobalParameters: {GlobalParameters}")
