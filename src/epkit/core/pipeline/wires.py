"""How a published pipeline is asked for a run: the two wires of Azure, as their client and as their server speak them.

Sources: Azure ML's published pipelines (`azureml-pipeline-core` 1.62, `PublishedPipeline.submit`), and its batch
endpoints (`azure-ai-ml` 1.35, `BatchEndpointOperations.invoke`).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

Wire = Literal["submit", "jobs"]
"""`submit` is the published pipeline's (SDK v1), `jobs` the batch endpoint's (SDK v2)."""

SUBMIT: Final = "PipelineRuns/PipelineSubmit"
"""In the path of a published pipeline, before its name; the runs are behind `PipelineRuns`."""
JOBS: Final = "jobs"
"""Last in the path of a batch endpoint; a run is behind it."""
LONGEST_EXPERIMENT: Final = 255
"""Characters of an experiment's name that a server here takes."""


def wire_of(path: str) -> Wire | None:
    """Tell which wire a URL's path is for, None where it is for neither."""
    if f"/{SUBMIT}/" in path:
        return "submit"
    return "jobs" if path.rstrip("/").endswith(f"/{JOBS}") else None


def ask(wire: Wire, experiment: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that asks for a run.

    Args:
        experiment: what the run is listed under.
        values: of parameters, by name; plain JSON. The wire `submit` carries strings.
    """
    if wire == "submit":
        return {"ExperimentName": experiment, "ParameterAssignments": dict(values)}
    literals = {name: {"jobInputType": "Literal", "value": value} for name, value in values.items()}
    return {"properties": {"inputData": literals, "properties": {"experimentName": experiment}}}


def asked(wire: Wire, body: Any) -> dict[str, Any]:
    """Return the parameters that a body sets, by name.

    Raises:
        ValueError: it is no such body; the message names what is wrong, for the caller of the server.
    """
    place = "ParameterAssignments" if wire == "submit" else "properties.inputData"
    outer = _object(body, "the body")
    if wire == "jobs":
        outer = _object(outer.get("properties"), "properties")
    given = _object(outer.get("ParameterAssignments" if wire == "submit" else "inputData"), place)
    if wire == "submit":
        for place in ("DataPathAssignments", "DataSetDefinitionValueAssignments"):
            if outer.get(place):
                raise ValueError(f"{place}: data and paths cannot be set")
        return given
    return {name: _literal(each, f"{place}.{name}") for name, each in given.items()}


def experiment_of(wire: Wire, body: Any) -> str | None:
    """Return what a body wants the run to be listed under, None for nothing.

    Args:
        body: that `asked` has taken.

    Raises:
        ValueError: it is no text that can be shown.
    """
    place = "ExperimentName" if wire == "submit" else "properties.properties.experimentName"
    outer = body if wire == "submit" else _object(_object(body, "").get("properties"), "properties").get("properties")
    value = _object(outer, "properties.properties").get(place.rpartition(".")[2])
    if value is not None and not (isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_EXPERIMENT):
        raise ValueError(f"{place}: is a text of at most {LONGEST_EXPERIMENT} printable characters")
    return value or None


def _object(value: Any, name: str) -> dict[str, Any]:
    """Return an object; what is not there is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object")  # noqa: TRY004 - of a document
    return value


def _literal(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or value.get("jobInputType") != "Literal" or "value" not in value:
        raise ValueError(f'{name} must be {{"jobInputType": "Literal", "value": …}}')
    return value["value"]


def run_id(wire: Wire, reply: Any) -> str:
    """Return by which name the run is asked for that a reply has begun.

    Raises:
        ValueError: the reply names none.
    """
    name = "Id" if wire == "submit" else "name"
    found = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(found, str) or not found:
        raise ValueError(f"the reply has no {name}")
    return found
