"""Scoring scripts of one orient of pandas each: the same three columns, the same model of all of them."""

import json

import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema


def people():
    """Return two rows of a name, an age and an income."""
    return pd.DataFrame({"name": ["x", "yy"], "age": [1, 2], "income": [2.5, 3.5]})


def answer(frame):
    """Predict from all columns, and give back what arrived."""
    columns = list(frame.columns)
    named = {str(name): frame[name] for name in columns} if "age" in columns else {}
    name, age, income = named.values() if named and len(named) == 3 else (frame[column] for column in columns)  # noqa: PLR2004
    result = age * 2 + income * 0.5 + name.str.len() + 1
    return {"result": [float(value) for value in result], "seen": frame.to_json(orient="split")}


def make(orient):
    """Make the script of an orient."""

    @input_schema("data", PandasParameterType(people(), orient=orient))
    def run(data):
        answered = answer(data)
        json.dumps(answered, allow_nan=False)
        return answered

    return run
