"""A scoring script for a dict of lists, without any conversion."""

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema


def init():
    """Load nothing."""


@input_schema("data", StandardPythonParameterType({"name": ["x", "yy"], "age": [1, 2], "income": [2.5, 3.5]}))
def run(data):
    """Predict from all columns."""
    rows = zip(data["name"], data["age"], data["income"], strict=True)
    return {"result": [age * 2 + income * 0.5 + len(name) + 1 for name, age, income in rows]}
