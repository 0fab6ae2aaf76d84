"""A script in the style of a student: a weight from the model's directory, multiplied by an age."""

import json
import os

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    global weight
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.json")) as file:
        weight = json.load(file)["weight"]
    print("the weight is", weight)


@input_schema("data", StandardPythonParameterType([{"age": 17}, {"age": 87}]))
@output_schema(StandardPythonParameterType({"result": [1]}))
def run(data):
    print("scoring", len(data))
    return {"result": [weight * row["age"] for row in data]}
