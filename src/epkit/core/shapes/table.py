"""The shapes that servers speak, by name: where rows are in a body, where predictions are in a reply, who defines it.

This is the one place that knows them. A new server is a new line here.
"""

import re
from dataclasses import dataclass
from typing import Final

from epkit.core.shapes.forms import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kind of server takes and answers.

    Args:
        name: that `--wrap @NAME` takes.
        owner: who defines it, for messages.
        path: keys that lead to the rows of a body.
        replies: keys that lead to the predictions of a reply, the likeliest first.
        serves: the end of a target's path by which such a server is known, as a regular expression.
    """

    name: str
    owner: str
    path: tuple[str, ...]
    form: Form
    replies: tuple[str, ...] = ()
    serves: str | None = None


_AZURE: Final = ("result", "results", "Results", "predictions", "outputs", "output", "forecast")

SHAPES: Final = (
    Shape(name="azure-v1", owner="Azure ML (v1)", path=("data",), form="records", replies=_AZURE),
    Shape(name="azure", owner="Azure ML (v2)", path=("Inputs", "data"), form="records", replies=_AZURE),
    Shape(
        name="mlflow-split",
        owner="MLflow and Databricks",
        path=("dataframe_split",),
        form="split",
        replies=("predictions",),
        serves=r"/invocations",
    ),
    Shape(
        name="mlflow-records",
        owner="MLflow and Databricks",
        path=("dataframe_records",),
        form="records",
        replies=("predictions",),
    ),
    Shape(name="tf-rows", owner="TF Serving", path=("instances",), form="records", replies=("predictions",)),
    Shape(
        name="kserve-v1",
        owner="KServe (v1)",
        path=("instances",),
        form="lists",
        replies=("predictions",),
        serves=r"/v1/models/[^/]+:predict",
    ),
    Shape(name="tf-columns", owner="MLflow and TF Serving", path=("inputs",), form="columns", replies=("outputs",)),
    Shape(
        name="oip",
        owner="the Open Inference Protocol",
        path=("inputs",),
        form="tensors",
        replies=("outputs",),
        serves=r"/v2/models/[^/]+(/versions/[^/]+)?/infer",
    ),
    Shape(
        name="oip-tensor",
        owner="the Open Inference Protocol",
        path=("inputs",),
        form="tensor",
        replies=("outputs",),
    ),
    Shape(name="mlflow-inputs", owner="MLflow", path=("input_data",), form="split", replies=("predictions",)),
    Shape(
        name="designer",
        owner="Azure ML's designer",
        path=("Inputs", "WebServiceInput0"),
        form="records",
        replies=("Results",),
    ),
    Shape(name="azure-input1", owner="Azure ML Studio", path=("Inputs", "input1"), form="records", replies=_AZURE),
    Shape(name="azure-inputs", owner="Azure ML", path=("Inputs",), form="records", replies=_AZURE),
    Shape(
        name="seldon",
        owner="Seldon",
        path=("data",),
        form="ndarray",
        replies=("data",),
        serves=r"/api/v(0\.1|1\.0)/predictions",
    ),
    Shape(name="list", owner="a bare list", path=(), form="records", replies=("predictions",)),
    Shape(name="lists", owner="a bare list", path=(), form="lists", replies=("predictions",)),
    Shape(name="row", owner="one row a request", path=(), form="row", replies=("prediction", "predictions")),
    Shape(name="csv", owner="SageMaker", path=(), form="csv", replies=("predictions",)),
    Shape(name="jsonlines", owner="SageMaker", path=(), form="jsonlines", replies=("predictions",)),
)
"""All of them. A body whose contract is not known is held against their paths in this order."""

PLACES: Final = tuple(dict.fromkeys(shape.path for shape in SHAPES if shape.path))
"""Where rows are looked for in a body whose contract is not known, in this order."""

REPLY_KEYS: Final = (*dict.fromkeys(key for shape in SHAPES for key in shape.replies), "jsonData")
"""Keys under which predictions are looked for in a reply, in this order; the last is Seldon's."""

REPLY_COLUMNS: Final = ("scores", "probabilities")
"""Keys of lists that may be one column of several: ONNX has `label` next to `probabilities`."""


def by_name(name: str) -> Shape | None:
    """Return the shape of a name, without the `@`."""
    return next((shape for shape in SHAPES if shape.name == name), None)


def usual(path: tuple[str, ...]) -> Form:
    """Return the form that rows under these keys usually have."""
    return next((shape.form for shape in SHAPES if shape.path == path and path), "records")


def of_target(path: str) -> Shape | None:
    """Return the shape that a target's path is known for.

    Args:
        path: without a query.
    """
    return next(
        (shape for shape in SHAPES if shape.serves and re.fullmatch(f".*{shape.serves}/?", path, re.DOTALL)), None
    )


def foreign(body: dict[str, object], path: tuple[str, ...]) -> Shape | None:
    """Return the shape that a body has whose rows were expected under other keys."""
    return next((shape for shape in SHAPES if shape.path and shape.path != path and shape.path[0] in body), None)
