"""Makes scoring scripts for each orient of pandas: all have the same three columns and the same model."""

import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema


def people():
    """Return two rows with a name, an age and an income."""
    return pd.DataFrame({"name": ["x", "yy"], "age": [1, 2], "income": [2.5, 3.5]})


def answer(frame):
    """Predict from all columns, and return the received values."""
    known = ["name", "age", "income"]
    name, age, income = (frame[column] for column in (known if "age" in frame.columns else frame.columns))
    result = age * 2 + income * 0.5 + name.str.len() + 1
    return {"result": [float(value) for value in result], "seen": frame.to_json(orient="split")}


def make(orient):
    """Make the script of an orient."""

    @input_schema("data", PandasParameterType(people(), orient=orient))
    def run(data):
        return answer(data)

    return run
