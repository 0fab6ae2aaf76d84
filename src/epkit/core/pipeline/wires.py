"""How a published pipeline is asked for a run: the two wires of Azure, as their client and as their server speak them.

Sources: Azure ML's published pipelines (`azureml-pipeline-core` 1.62, `PublishedPipeline.submit`), and its batch
endpoints (`azure-ai-ml` 1.35, `BatchEndpointOperations.invoke`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

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


def run_path(wire: Wire, path: str, run: str) -> str:
    """Return the path that a run is asked after at.

    Args:
        path: that asks for runs, as `wire_of` knows it.
        run: its id, as `run_id` gives it.
    """
    if wire == "submit":
        return f"{_base(path)}/PipelineRuns/{quote(run, safe='')}"
    return f"{path.rstrip('/')}/{quote(run, safe='')}"


def runs_path(wire: Wire, path: str) -> str:
    """Return the path that the runs of a published pipeline are listed at."""
    return f"{_base(path)}/PipelineRuns/Pipeline/{_name(path)}" if wire == "submit" else path


def own_jobs_path(wire: Wire, path: str) -> str:
    """Return the path behind which epkit's own server lists runs, and has their logs, whichever wire asked for them."""
    return f"/{JOBS}" if wire == "submit" else path.rstrip("/")


def cancelling(wire: Wire, path: str, run: str) -> tuple[str, str]:
    """Return method and path that end a run.

    On the wire `jobs` this is epkit's own: at Azure the control plane ends a job.
    """
    asked = run_path(wire, path, run)
    return ("DELETE", f"{asked}/Execution") if wire == "submit" else ("POST", f"{asked}/cancel")


def pipelines_path(path: str) -> str | None:
    """Return the path that a workspace's published pipelines (SDK v1) are listed at, None where *path* is in none.

    Args:
        path: that asks one of them for runs, or any other of the workspace's below `/pipelines/v1.0`.
    """
    base = _base(path) if f"/{SUBMIT}/" in path else path.partition("/Pipelines")[0].rstrip("/")
    return f"{base}/Pipelines" if "/pipelines/v1.0/" in f"{base}/" else None


def pipeline_path(path: str) -> str:
    """Return the path that shows a published pipeline (SDK v1)."""
    return f"{_base(path)}/Pipelines/{_name(path)}"


def ask(wire: Wire, experiment: str, values: Mapping[str, Any], why: str | None = None) -> dict[str, Any]:
    """Return the body that asks for a run.

    Args:
        experiment: what the run is listed under.
        values: of parameters, by name; plain JSON. Azure itself takes only texts on the wire `submit` (`texts`).
        why: it is asked for, for the record.
    """
    if wire == "submit":
        about = {} if why is None else {"Description": why}
        return {"ExperimentName": experiment, **about, "ParameterAssignments": dict(values)}
    literals = {name: {"jobInputType": "Literal", "value": value} for name, value in values.items()}
    about = {} if why is None else {"description": why}
    return {"properties": {**about, "inputData": literals, "properties": {"experimentName": experiment}}}


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as texts; what is none is written as JSON."""
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in values.items()}


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


def _base(path: str) -> str:
    return path.partition(f"/{SUBMIT}/")[0]


def _name(path: str) -> str:
    return path.partition(f"/{SUBMIT}/")[2].rstrip("/")


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


def input_name(key: str) -> str:
    """Return what Azure calls a parameter, whose names have no dots: `train.runs` is `train_runs`."""
    return key.replace(".", "_")


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
