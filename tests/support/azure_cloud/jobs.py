"""AutoML's part of the cloud: computes and jobs (management.azure.com), trials, metrics and files (api.azureml.ms)."""

import math
from collections.abc import Callable
from typing import Any, Final

from support.azure_cloud.http import Reply, Request, Routes, refusal
from support.azure_cloud.state import REGION, WORKSPACE, State

HISTORY: Final = f"/history/v1.0{WORKSPACE}"
ARTIFACTS: Final = f"/artifact/v2.0{WORKSPACE}/artifacts"
MLFLOW: Final = f"/mlflow/v1.0{WORKSPACE}/api/2.0/mlflow"
BLOBS: Final = "https://emu.blob.core.windows.net"
SIGNATURE: Final = "canary-signature-of-a-file"
PAGE: Final = 3
"""Number of trials, or of files, on a page of a list."""

FILES: Final = {
    "outputs/model.pkl": b"\x80\x04canary of nobody: a pickle that runs code when it is opened\x94.",
    "outputs/scoring_file_v_1_0_0.py": b"def init():\n    pass\n\n\ndef run(data, method='predict'):\n    return '{}'\n",
    "outputs/scoring_file_v_2_0_0.py": b"def init():\n    pass\n\n\ndef run(Inputs, GlobalParameters):\n    return {}\n",
    "outputs/conda_env_v_1_0_0.yml": b"dependencies:\n- python=3.10\n- pip:\n  - azureml-train-automl-runtime==1.61\n  - azureml-defaults\n",
    "outputs/mlflow-model/MLmodel": b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n",
    "outputs/mlflow-model/model.pkl": b"another",
    "outputs/generated_code/script.py": b"# generated\n",
    "explanation/a1b2/global_importance_values.json": b"[0.5]",
    "logs/azureml/azureml_automl.log": b"a log",
}  # fmt: skip
"""Files of the best trial. Source: the artefacts of AutoML's runs, as azureml-examples and the studio name them."""


def compute(state: State, name: str, nodes: int = 3) -> None:
    """Add a cluster."""
    state.computes[name] = _cluster(name, "STANDARD_DS12_V2", nodes)


def job(state: State, name: str, **tags: str) -> None:
    """Add a job that another user started."""
    details = {
        "taskType": "Classification", "targetColumnName": "y", "primaryMetric": "AUCWeighted", "positiveLabel": "yes",
        "trainingData": {"jobInputType": "mltable", "uri": "azureml://datastores/workspaceblobstore/paths/x"},
        "limitSettings": {"maxTrials": 4}, "trainingSettings": {}, "nCrossValidations": {"mode": "Custom", "value": 5},
    }  # fmt: skip
    put(state, name, {"jobType": "AutoML", "taskDetails": details, "tags": tags, "outputs": {}, "properties": {}})


def command(state: State, name: str) -> None:
    """Add a job that is not an AutoML job."""
    put(state, name, {"jobType": "Command", "command": "true", "environmentId": "e", "outputs": {}, "properties": {}})


def files_of(state: State, run: str) -> dict[str, bytes]:
    return state.artifacts.get(run, FILES)


def _cluster(name: str, size: str, nodes: int) -> dict[str, Any]:
    inner = {"vmSize": size, "scaleSettings": {"minNodeCount": 0, "maxNodeCount": nodes}}
    properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": inner}
    path = f"{WORKSPACE}/computes/{name}"
    return {"id": path, "name": name, "type": "computes", "location": REGION, "properties": properties}


def put(state: State, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    page = {"jobServiceType": "Studio", "endpoint": f"https://ml.azure.com/runs/{name}"}
    made = {"experimentName": "Default", **properties, "status": state.stages[0], "services": {"Studio": page}}
    found = {"id": f"{WORKSPACE}/jobs/{name}", "name": name, "type": "jobs", "properties": made}
    state.jobs[name] = {**found, "systemData": {"createdAt": "2026-11-27T09:00:00Z", "createdBy": "tests"}}
    state.looks[name] = 0
    return state.jobs[name]


def arm(found: Routes, state: State, begun: Callable[..., Reply], operation: Callable[[], dict[str, str]]) -> None:
    """Computes and jobs."""

    @found.on("GET", WORKSPACE + "/computes/{name}")
    def get_compute(_: Request, name: str) -> Reply:
        missing = refusal(404, "ResourceNotFound", f"The specified resource was not found: {name}.")
        return Reply(body=state.computes[name]) if name in state.computes else missing

    @found.on("PUT", WORKSPACE + "/computes/{name}")
    def put_compute(request: Request, name: str) -> Reply:
        inner = request.json["properties"]["properties"]
        return begun(
            state, state.computes, name, _cluster(name, inner["vmSize"], inner["scaleSettings"]["maxNodeCount"])
        )

    @found.on("PUT", WORKSPACE + "/jobs/{name}")
    def put_job(request: Request, name: str) -> Reply:
        return Reply(status=201, body=put(state, name, request.json["properties"]))

    @found.on("GET", WORKSPACE + "/jobs/{name}")
    def get_job(_: Request, name: str) -> Reply:
        if name not in state.jobs:
            return refusal(404, "UserError", f"Run {name} was not found.")
        properties = state.jobs[name]["properties"]
        if name in state.looks:  # started here
            if properties["status"] != "Canceled":
                properties["status"] = state.stages[min(state.looks[name], len(state.stages) - 1)]
            state.looks[name] += 1
        return Reply(body=state.jobs[name])

    @found.on("POST", WORKSPACE + "/jobs/{name}/cancel")
    def cancel(_: Request, name: str) -> Reply:
        state.jobs[name]["properties"]["status"] = "Canceled"
        return Reply(status=202, headers=operation())


def history(found: Routes, state: State) -> None:
    """Trials, reasons of failed jobs, metrics, files."""

    @found.on("GET", HISTORY + "/runs/{run}/children")
    def children(request: Request, run: str) -> Reply:
        if run not in state.jobs:  # the step of a pipeline has none
            return Reply(body={"value": []})
        trials = _steps(state, run) if run in state.children else _trials(state, run)
        at = int(request.query.get("$continuationtoken", 0))
        more = {"continuationToken": str(at + PAGE)} if at + PAGE < len(trials) else {}
        return Reply(body={"value": trials[at : at + PAGE], **more})

    @found.on("GET", HISTORY + "/runs/{run}/details")
    def details(_: Request, run: str) -> Reply:
        if run not in state.jobs:
            return refusal(404, "UserError", f"Run {run} was not found.")
        status = state.jobs[run]["properties"]["status"]
        return Reply(body={"runId": run, "status": status, "error": state.job_error, "logFiles": {}})

    @found.on("GET", MLFLOW + "/runs/get")
    def logged(request: Request) -> Reply:
        name = request.query["run_id"]
        job, _, number = name.rpartition("_")
        data: dict[str, Any] = {"params": [], "metrics": [], "tags": []}
        if name in state.jobs:
            data["tags"] = [{"key": "automl_best_child_run_id", "value": f"{name}_{len(state.trials) - 1}"}]
        elif job in state.jobs and number.isdigit():
            score = state.trials[int(number)][2]
            values = {
                "AUC_weighted": score,
                "AUC_macro": score,
                "accuracy": 0.9166,
                "log_loss": 0.18,
                "f1_score_binary": 0.6,
            }
            data["metrics"] = [{"key": key, "value": value, "timestamp": 0, "step": 0} for key, value in values.items()]
        return Reply(body={"run": {"info": {"run_id": name, "status": "FINISHED"}, "data": data}})

    @found.on("GET", ARTIFACTS + "/ExperimentRun/{run}")
    def listed(request: Request, run: str) -> Reply:
        paths = list(files_of(state, run.removeprefix("dcid.")))
        at = int(request.query.get("continuationToken", 0))
        more = {"continuationToken": str(at + PAGE)} if at + PAGE < len(paths) else {}
        return Reply(
            body={"value": [{"origin": "ExperimentRun", "path": path} for path in paths[at : at + PAGE]], **more}
        )

    @found.on("GET", ARTIFACTS + "/contentinfo/ExperimentRun/{run}/{path*}")
    def content(_: Request, run: str, path: str) -> Reply:
        uri = f"{BLOBS}/ExperimentRun/{run}/{path}?sv=2019&sig={SIGNATURE}"
        return Reply(body={"origin": "ExperimentRun", "path": path, "contentUri": uri})


def _steps(state: State, job: str) -> list[dict[str, Any]]:
    """Return the steps of a pipeline's job, in its current state."""
    status = state.jobs[job]["properties"]["status"]
    return [{"runId": each, "parentRunId": job, "displayName": "train", "status": status, "properties": {}}
            for each in state.children[job]]  # fmt: skip


def _trials(state: State, job: str) -> list[dict[str, Any]]:
    """Return the trials at this look: one more at each look while the job runs, all of them at its end."""
    status = state.jobs[job]["properties"]["status"]
    if status not in ("Running", "Completed", "Failed"):
        return []
    over = len(state.trials) if status != "Running" else max(0, state.looks[job] - 2)
    found = [{"runId": f"{job}_setup", "status": "Completed", "properties": {}}]
    for number, (algorithm, preprocessor, score) in enumerate(state.trials[: over + 1]):
        is_over = number < over
        failed = is_over and math.isnan(score)
        properties = {"run_algorithm": algorithm, "run_preprocessor": preprocessor, "iteration": str(number)}
        if is_over and not failed:
            spec = '{"objects": [{"param_kwargs": {"with_mean": false}}, {"param_kwargs": {"min_data_in_leaf": 20}}]}'
            properties |= {"score": str(score), "pipeline_spec": spec}
        error = {"error": {"code": "UserError", "message": "too few neighbours"}}
        found.append({
            "runId": f"{job}_{number}", "parentRunId": job, "properties": properties,
            "status": "Running" if not is_over else "Failed" if failed else "Completed",
            "startTimeUtc": "2026-11-27T09:00:00+00:00", "endTimeUtc": "2026-11-27T09:01:00+00:00" if is_over else None,
            **({"error": error} if failed else {}),
        })  # fmt: skip
    return found
