"""SDK v1's published pipelines (api.azureml.ms, `pipelines/v1.0`): lists, details, requests for runs, and their states.

Source: azureml-pipeline-core 1.62, `_restclients/aeva/aml_pipelines_api10.py` and its models.
"""

from typing import Any, Final

from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import REGION, WORKSPACE, State

PIPELINES: Final = f"/pipelines/v1.0{WORKSPACE}"
ORIGIN: Final = f"https://{REGION}.api.azureml.ms"
WORKSPACE_URL: Final = f"{ORIGIN}{PIPELINES}"
URL: Final = f"{WORKSPACE_URL}/PipelineRuns/PipelineSubmit/p-1"
"""The URL that starts a run of the course's published pipeline."""

_WORDS: Final = {"Preparing": "NotStarted", "Completed": "Finished"}
"""This service's names of the states in `State.stages`; a pipeline's run is never `Preparing`."""


def published(name: str, status: str = "Active") -> dict[str, Any]:
    """Return a published pipeline."""
    return {
        "Id": name, "Name": "Bankmarketing Train", "Description": "Training bankmarketing pipeline", "Version": "1.0",
        "GraphId": "g-1", "TotalRunSteps": 1, "ParameterAssignments": {"threshold": "0.91"}, "EntityStatus": status,
        "Url": f"{WORKSPACE_URL}/PipelineRuns/PipelineSubmit/{name}", "Properties": {}, "Etag": "e", "CreatedDate": None,
    }  # fmt: skip


def refused(status: int, code: str, message: str) -> Reply:
    """Return an error in this service's format."""
    return Reply(status=status, body={"Error": {"Code": code, "Message": message}, "Correlation": {"operation": "o-1"}})


def add(found: Routes, state: State) -> None:
    """Add the routes of this service."""
    known = {"p-1": published("p-1"), "p-0": published("p-0", "Disabled")}
    runs: dict[str, dict[str, Any]] = {}

    def entity(run: str) -> Reply:
        if run not in runs:
            return refused(404, "UserError", f"PipelineRun {run} not found")
        looks = state.looks[run] = state.looks.get(run, -1) + 1
        stage = runs[run].get("Ended") or state.stages[min(looks, len(state.stages) - 1)]
        detail = "Step train failed" if stage == "Failed" else None
        return Reply(body={**runs[run], "Status": {"StatusCode": _WORDS.get(stage, stage), "StatusDetail": detail}})

    @found.on("GET", PIPELINES + "/Pipelines")
    def pipelines(request: Request) -> Reply:
        active = request.query.get("activeOnly") == "true"
        return Reply(body=[each for each in known.values() if not active or each["EntityStatus"] == "Active"])

    @found.on("GET", PIPELINES + "/Pipelines/{name}")
    def pipeline(_: Request, name: str) -> Reply:
        return Reply(body=known[name]) if name in known else refused(404, "UserError", f"Pipeline {name} not found")

    @found.on("POST", PIPELINES + "/PipelineRuns/PipelineSubmit/{name}")
    def submit(request: Request, name: str) -> Reply:
        if name not in known:
            return refused(404, "UserError", f"Pipeline {name} not found")
        if known[name]["EntityStatus"] != "Active":
            return refused(400, "UserError", f"Pipeline {name} is disabled and cannot be submitted")
        values = request.json.get("ParameterAssignments") or {}
        if any(not isinstance(value, str) for value in values.values()):
            return refused(400, "BadArgument", "Unexpected character encountered while parsing value")
        run = f"run-{len(runs) + 1}"
        runs[run] = {
            "Id": run, "PipelineId": name, "RunHistoryExperimentName": request.json["ExperimentName"],
            "Description": request.json.get("Description"), "ParameterAssignments": values, "EntityStatus": "Active",
        }  # fmt: skip
        return Reply(body=runs[run])

    @found.on("GET", PIPELINES + "/PipelineRuns/Pipeline/{name}")
    def runs_of(_: Request, name: str) -> Reply:
        return Reply(body=[entity(run).body for run, each in runs.items() if each["PipelineId"] == name])

    @found.on("GET", PIPELINES + "/PipelineRuns/{run}")
    def run(_: Request, run: str) -> Reply:
        return entity(run)

    @found.on("DELETE", PIPELINES + "/PipelineRuns/{run}/Execution")
    def cancel(_: Request, run: str) -> Reply:
        runs[run]["Ended"] = "Canceled"
        return Reply(body=None)
