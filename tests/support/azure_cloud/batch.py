"""Batch endpoints of pipelines, schedules, and the jobs that a request starts.

If the test sets an environment (`State.job_path`), a job really runs the command of its component. The directory
contains the component's code, and the data in the place where Azure mounts them; its files become the artefacts of the
step. Otherwise the job goes through `State.stages`, and has the files that the test put there.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from support.azure_cloud.http import Reply, Request, Routes, refusal
from support.azure_cloud.state import REGION, WORKSPACE, State

Begun = Callable[..., Reply]
Operation = Callable[[], dict[str, str]]

ENDPOINTS: Final = WORKSPACE + "/batchEndpoints"
SCHEDULES: Final = WORKSPACE + "/schedules"
LOG: Final = "user_logs/std_log.txt"
JOB_S: Final = 300
"""Greatest time of a job in seconds."""


def host(name: str) -> str:
    return f"{name}.{REGION}.inference.ml.azure.com"


def arm(found: Routes, state: State, begun: Begun, operation: Operation) -> None:
    """Endpoints, deployments, schedules, and the list of jobs (management.azure.com)."""
    _endpoints(found, state, begun, operation)
    _deployments(found, state, begun, operation)
    _schedules(found, state, begun, operation)

    @found.on("GET", WORKSPACE + "/jobs")
    def jobs(_: Request) -> Reply:
        return Reply(body={"value": list(state.jobs.values())[::-1]})


def _endpoints(found: Routes, state: State, begun: Begun, operation: Operation) -> None:
    def missing(name: str) -> Reply:
        return refusal(404, "ResourceNotFound", f"Endpoint {name} was not found.")

    @found.on("GET", ENDPOINTS + "/{name}")
    def get(_: Request, name: str) -> Reply:
        return Reply(body=state.batch[name]) if name in state.batch else missing(name)

    @found.on("PUT", ENDPOINTS + "/{name}")
    def put(request: Request, name: str) -> Reply:
        sent = request.json
        own = {"provisioningState": "Succeeded", "scoringUri": f"https://{host(name)}/jobs"}
        default = (sent["properties"].get("defaults") or {}).get("deploymentName")
        if default is not None and (name, default) not in state.batch_deployments:
            return refusal(400, "BadArgument", f"There is no deployment {default}.")
        made = {**sent, "id": f"{ENDPOINTS}/{name}", "name": name, "type": "batchEndpoints"}
        made["properties"] = {**sent["properties"], **own, "swaggerUri": f"https://{host(name)}/swagger.json"}
        return begun(state, state.batch, name, made)

    @found.on("DELETE", ENDPOINTS + "/{name}")
    def delete(_: Request, name: str) -> Reply:
        if state.batch.pop(name, None) is None:
            return Reply(status=204)
        for key in [key for key in state.batch_deployments if key[0] == name]:
            del state.batch_deployments[key]
        return Reply(status=202, headers=operation())


def _deployments(found: Routes, state: State, begun: Begun, operation: Operation) -> None:
    place = ENDPOINTS + "/{endpoint}/deployments"

    @found.on("GET", place)
    def listed(_: Request, endpoint: str) -> Reply:
        return Reply(body={"value": [made for (of, _), made in state.batch_deployments.items() if of == endpoint]})

    @found.on("GET", place + "/{name}")
    def get(_: Request, endpoint: str, name: str) -> Reply:
        made = state.batch_deployments.get((endpoint, name))
        return Reply(body=made) if made else refusal(404, "ResourceNotFound", f"Deployment {name} was not found.")

    @found.on("PUT", place + "/{name}")
    def put(request: Request, endpoint: str, name: str) -> Reply:
        sent = request.json
        made = {**sent, "id": f"{ENDPOINTS}/{endpoint}/deployments/{name}", "name": name, "type": "deployments"}
        made["properties"] = {**sent["properties"], "provisioningState": "Succeeded"}
        return begun(state, state.batch_deployments, (endpoint, name), made)

    @found.on("DELETE", place + "/{name}")
    def delete(_: Request, endpoint: str, name: str) -> Reply:
        if state.batch[endpoint]["properties"].get("defaults", {}).get("deploymentName") == name:
            return refusal(409, "Conflict", f"{name} is the default deployment.")
        state.batch_deployments.pop((endpoint, name), None)
        return Reply(status=202, headers=operation())


def _schedules(found: Routes, state: State, begun: Begun, operation: Operation) -> None:
    @found.on("GET", SCHEDULES + "/{name}")
    def get(_: Request, name: str) -> Reply:
        missing = refusal(404, "ResourceNotFound", f"Schedule {name} was not found.")
        return Reply(body=state.schedules[name]) if name in state.schedules else missing

    @found.on("PUT", SCHEDULES + "/{name}")
    def put(request: Request, name: str) -> Reply:
        made = {**request.json, "id": f"{SCHEDULES}/{name}", "name": name, "type": "schedules"}
        made["properties"] = {**made["properties"], "provisioningState": "Succeeded"}
        return begun(state, state.schedules, name, made)

    @found.on("DELETE", SCHEDULES + "/{name}")
    def delete(_: Request, name: str) -> Reply:
        if state.schedules.pop(name, None) is None:
            return Reply(status=204)
        return Reply(status=202, headers=operation())


def scoring(found: Routes, state: State) -> None:
    """The endpoint itself: a request starts a job."""

    @found.on("POST", "/jobs")
    def post(request: Request) -> Reply:
        if not state.knows(request.headers.get("authorization", "")):
            return refusal(401, "Unauthorized", "The access token is missing or has expired.")
        endpoint = request.host.partition(".")[0]
        if endpoint not in state.batch:
            return refusal(404, "NotFound", f"There is no endpoint {endpoint}.")
        sent = request.json["properties"]
        deployment = state.batch[endpoint]["properties"]["defaults"]["deploymentName"]
        values = {name: each["value"] for name, each in sent.get("inputData", {}).items()}
        name = begin(state, endpoint, deployment, values)
        return Reply(status=201, body={"id": f"{ENDPOINTS}/{endpoint}/jobs/{name}", "name": name, "type": "jobs",
                                       "properties": {**sent, "name": name, "status": "Preparing"}})  # fmt: skip

    @found.on("GET", "/jobs/{name}")
    def get(_: Request, name: str) -> Reply:
        return (
            Reply(body=state.jobs[name]) if name in state.jobs else refusal(404, "NotFound", f"There is no job {name}.")
        )


def begin(state: State, endpoint: str, deployment: str, values: dict[str, Any]) -> str:
    """Start a job of a deployment; its one step is its child."""
    from support.azure_cloud import jobs

    name = f"batchjob-{state.number()}"
    made = jobs.put(state, name, {"jobType": "Pipeline", "experimentName": endpoint, "displayName": endpoint,
                                  "inputs": {}, "outputs": {}, "jobs": {}, "settings": {}, "properties": {}})  # fmt: skip
    child = f"{name}-train"
    state.children[name] = [child]
    if state.job_path is not None:
        component = _component(state, endpoint, deployment)
        code, files = _run(state, component, values)
        state.artifacts[child] = files
        state.looks.pop(name)  # its state no longer changes
        made["properties"]["status"] = "Completed" if code == 0 else "Failed"
        if code:
            error = {"code": "UserError", "message": f"Execution failed. User process exited with status code {code}."}
            state.job_error = {"error": error}
    return name


def _component(state: State, endpoint: str, deployment: str) -> dict[str, Any]:
    """Return the step of a deployment: its component and its bindings."""
    configuration = state.batch_deployments[endpoint, deployment]["properties"]["deploymentConfiguration"]
    pipeline = state.assets[configuration["componentId"]["assetId"]]["properties"]["componentSpec"]
    (node,) = pipeline["jobs"].values()
    return {"node": node, "spec": state.assets[node["componentId"]]["properties"]["componentSpec"]}


def _run(state: State, component: dict[str, Any], values: dict[str, Any]) -> tuple[int, dict[str, bytes]]:
    spec, node = component["spec"], component["node"]
    with tempfile.TemporaryDirectory(prefix="azure-job-") as name:
        place = Path(name)
        code, data = place / "exe", place / "data"
        _write(state, state.assets[spec["code"].removeprefix("azureml:")]["properties"]["codeUri"], code)
        given = {each: str(value) for each, value in values.items()}
        if "data" in node["inputs"]:
            asset = state.assets[node["inputs"]["data"]["uri"].removeprefix("azureml:")]
            given["data"] = str(_write(state, asset["properties"]["dataUri"], data))
        command = re.sub(r"\$\[\[(.*?)\]\]", lambda found: _optional(found[1], given), spec["command"])
        command = re.sub(r"\$\{\{inputs\.(\w+)\}\}", lambda found: given[found[1]], command)
        ran = subprocess.run(
            ["bash", "-c", command], cwd=code, env=_environment(state, place), capture_output=True, timeout=JOB_S
        )
        outputs = code / "outputs"
        files = {f"outputs/{path.relative_to(outputs).as_posix()}": path.read_bytes()
                 for path in sorted(outputs.rglob("*")) if path.is_file()}  # fmt: skip
        return ran.returncode, {**files, LOG: ran.stdout + ran.stderr}


def _optional(text: str, given: dict[str, str]) -> str:
    """Return the text in `$[[ ]]` for the command if the input that it names is given; otherwise ""."""
    name = re.search(r"inputs\.(\w+)", text)
    assert name is not None
    return text if name[1] in given else ""


def _write(state: State, uri: str, place: Path) -> Path:
    """Write the blobs of an asset into a directory; return the directory, or the file if the path is one blob's."""
    where = re.sub(r"^azureml://(?:.*/)?datastores/(\w+)/paths/|^https://[^/]+/[^/]+/", "", uri).rstrip("/")
    written = place
    for blob, content in state.blobs.items():
        inside = blob.partition("/")[2]
        if inside == where or inside.startswith(f"{where}/"):
            path = place / (Path(inside).name if inside == where else inside[len(where) + 1 :])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written = path if inside == where else place
    assert written.exists(), (uri, list(state.blobs))
    return written


def _environment(state: State, place: Path) -> dict[str, str]:
    """Return the environment variables of a job, without any of the tests' own."""
    (place / "home").mkdir()
    path = os.pathsep.join([str(state.job_path), "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(place / "home"), "LANG": "C.UTF-8"}
