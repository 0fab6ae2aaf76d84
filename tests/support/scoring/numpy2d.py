"""A scoring script whose input is a table of integers without names."""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Load nothing."""


@input_schema("data", NumpyParameterType(np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])))
@output_schema(NumpyParameterType(np.array([3726.995])))
def run(data):
    """Score rows."""
    return {"result": [float(row.sum()) for row in data], "seen": [[str(data.dtype)], [], str(data.tolist())]}
