"""A scoring script that takes a frame by its orient `records`."""

from frames import sample, score
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("data", PandasParameterType(sample(), orient="records"))
@output_schema(StandardPythonParameterType([0.5]))
def run(data):
    """Score rows."""
    return {"result": score(data["age"], data["income"], data["city"])}
