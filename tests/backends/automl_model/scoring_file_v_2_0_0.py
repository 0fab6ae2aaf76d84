"""A scoring script as AutoML writes it next to a model, without the packages of Azure's that only it has."""

import os
import pickle

import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

data_sample = PandasParameterType(pd.DataFrame({"age": pd.Series([17], dtype="int64")}))
input_sample = StandardPythonParameterType({"data": data_sample})
method_sample = StandardPythonParameterType("predict")
sample_global_params = StandardPythonParameterType({"method": method_sample})
result_sample = NumpyParameterType(np.array(["example_value"]))
output_sample = StandardPythonParameterType({"Results": result_sample})


def init():
    """Open the model, which AutoML puts at the top of the directory."""
    global model
    model_path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.pkl")
    path_split = os.path.normpath(model_path).split(os.sep)
    print("model", path_split[-3], path_split[-2])
    with open(model_path, "rb") as file:
        model = pickle.load(file)


@input_schema("GlobalParameters", sample_global_params, convert_to_provided_type=False)
@input_schema("Inputs", input_sample)
@output_schema(output_sample)
def run(Inputs, GlobalParameters={"method": "predict"}):  # noqa: B006, N803
    """Score rows."""
    data = Inputs["data"]
    if GlobalParameters.get("method", None) == "predict":
        return {"Results": [model["old" if age > model["limit"] else "young"] for age in data["age"]]}
    raise ValueError(f"Invalid predict method argument GlobalParameters received. GlobalParameters: {GlobalParameters}")
