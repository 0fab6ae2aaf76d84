"""A scoring script that takes one list per column."""

from frames import score
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

SAMPLE = {"age": [1, 2], "income": [2.5, 3.5], "city": ["Rome", "Oslo"]}


def init():
    """Load nothing."""


@input_schema("data", StandardPythonParameterType(SAMPLE))
@output_schema(StandardPythonParameterType([0.5]))
def run(data):
    """Score rows."""
    return {"result": score(data["age"], data["income"], data["city"])}
