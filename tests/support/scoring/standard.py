"""A scoring script of plain Python types: a list of records, a flag, a threshold, a date."""

import datetime

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("when", StandardPythonParameterType(datetime.datetime(2020, 1, 1)), optional=True)  # noqa: DTZ001
@input_schema("threshold", StandardPythonParameterType(0.5))
@input_schema("flag", StandardPythonParameterType(True))
@input_schema("count", StandardPythonParameterType(3))
@input_schema("text", StandardPythonParameterType("a"))
@input_schema("data", StandardPythonParameterType([{"a": 1, "b": "x", "c": [1.5]}]))
@output_schema(StandardPythonParameterType([0]))
def run(data, text="a", count=3, flag=True, threshold=0.5, when=None):
    """Return the number of rows."""
    return [len(data)]
