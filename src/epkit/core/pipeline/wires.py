"""The two HTTP protocols of Azure that start a run of a published pipeline, for their client and their server.

Sources: Azure ML's published pipelines (`azureml-pipeline-core` 1.62, `PublishedPipeline.submit`), and its batch
endpoints (`azure-ai-ml` 1.35, `BatchEndpointOperations.invoke`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

Wire = Literal["submit", "jobs"]
"""The protocol: `submit` is that of published pipelines (SDK v1), `jobs` that of batch endpoints (SDK v2)."""

SUBMIT: Final = "PipelineRuns/PipelineSubmit"
"""Part of the path of a published pipeline, before its name; its runs are below `PipelineRuns`."""
JOBS: Final = "jobs"
"""Last part of the path of a batch endpoint; its runs are below it."""
LONGEST_EXPERIMENT: Final = 255
"""Greatest length of an experiment's name that epkit's server accepts, in characters."""


def wire_of(path: str) -> Wire | None:
    """Return the protocol of a URL's path; None if it is the path of neither."""
    if f"/{SUBMIT}/" in path:
        return "submit"
    return "jobs" if path.rstrip("/").endswith(f"/{JOBS}") else None


def run_path(wire: Wire, path: str, run: str) -> str:
    """Return the path of one run.

    Args:
        path: path that starts runs, as for `wire_of`.
        run: id of the run, from `run_id`.
    """
    if wire == "submit":
        return f"{_base(path)}/PipelineRuns/{quote(run, safe='')}"
    return f"{path.rstrip('/')}/{quote(run, safe='')}"


def runs_path(wire: Wire, path: str) -> str:
    """Return the path that lists the runs of a published pipeline."""
    return f"{_base(path)}/PipelineRuns/Pipeline/{_name(path)}" if wire == "submit" else path


def own_jobs_path(wire: Wire, path: str) -> str:
    """Return the path below which epkit's own server lists all runs and their logs, whatever the protocol."""
    return f"/{JOBS}" if wire == "submit" else path.rstrip("/")


def cancelling(wire: Wire, path: str, run: str) -> tuple[str, str]:
    """Return method and path of the request that cancels a run.

    For the protocol `jobs` this is epkit's own extension: at Azure the control plane cancels a job.
    """
    asked = run_path(wire, path, run)
    return ("DELETE", f"{asked}/Execution") if wire == "submit" else ("POST", f"{asked}/cancel")


def pipelines_path(path: str) -> str | None:
    """Return the path that lists a workspace's published pipelines (SDK v1); None if *path* is not in a workspace.

    Args:
        path: path that starts runs of one of them, or any other path of the workspace below `/pipelines/v1.0`.
    """
    base = _base(path) if f"/{SUBMIT}/" in path else path.partition("/Pipelines")[0].rstrip("/")
    return f"{base}/Pipelines" if "/pipelines/v1.0/" in f"{base}/" else None


def pipeline_path(path: str) -> str:
    """Return the path that describes a published pipeline (SDK v1)."""
    return f"{_base(path)}/Pipelines/{_name(path)}"


def ask(wire: Wire, experiment: str, values: Mapping[str, Any], why: str | None = None) -> dict[str, Any]:
    """Return the body of a request for a run.

    Args:
        experiment: the experiment that lists the run.
        values: parameters by name, plain JSON. For the protocol `submit`, Azure itself accepts only texts (`texts`).
        why: the reason for the run, for its record.
    """
    if wire == "submit":
        about = {} if why is None else {"Description": why}
        return {"ExperimentName": experiment, **about, "ParameterAssignments": dict(values)}
    literals = {name: {"jobInputType": "Literal", "value": value} for name, value in values.items()}
    about = {} if why is None else {"description": why}
    return {"properties": {**about, "inputData": literals, "properties": {"experimentName": experiment}}}


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as texts; other types become JSON."""
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in values.items()}


def asked(wire: Wire, body: Any) -> dict[str, Any]:
    """Return the parameters that a body sets, by name.

    Raises:
        ValueError: the body has another form; the message is for the caller of the server.
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
    """Return the experiment of a body; None if it has none.

    Args:
        body: a body that `asked` accepts.

    Raises:
        ValueError: it is not a text that can be shown.
    """
    place = "ExperimentName" if wire == "submit" else "properties.properties.experimentName"
    outer = body if wire == "submit" else _object(_object(body, "").get("properties"), "properties").get("properties")
    value = _object(outer, "properties.properties").get(place.rpartition(".")[2])
    if value is not None and not (isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_EXPERIMENT):
        raise ValueError(f"{place} must be a text of at most {LONGEST_EXPERIMENT} printable characters")
    return value or None


def _object(value: Any, name: str) -> dict[str, Any]:
    """Return an object; a missing value becomes an empty object."""
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
    """Return Azure's name of a parameter. It has no dots: `train.runs` is `train_runs`."""
    return key.replace(".", "_")


def run_id(wire: Wire, reply: Any) -> str:
    """Return the id of the run that a reply reports as started.

    Raises:
        ValueError: the reply has no id.
    """
    name = "Id" if wire == "submit" else "name"
    found = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(found, str) or not found:
        raise ValueError(f"the reply has no {name}")
    return found
