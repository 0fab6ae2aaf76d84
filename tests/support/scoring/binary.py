"""A scoring script that takes bytes, in base64."""

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("data", StandardPythonParameterType(b"abc"))
@output_schema(StandardPythonParameterType(3))
def run(data):
    """Return how many bytes arrived."""
    return {"result": [len(data)]}
