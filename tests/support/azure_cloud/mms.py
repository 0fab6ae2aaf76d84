"""*.api.azureml.ms: discovery, artifacts, and the model management service of SDK v1."""

import time
from typing import Any

from support.azure_cloud import jobs, model_files, pipelines
from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import REGION, WORKSPACE, Operation, State

HOST = f"https://{REGION}.api.azureml.ms"
MMS = f"/modelmanagement/v1.0{WORKSPACE}"
BLOBS = "https://emu.blob.core.windows.net/azureml"
NOW = "2026-01-01T00:00:00.000000+00:00"


def routes(state: State) -> Routes:
    found = Routes()

    @found.on("GET", "/discovery")
    def discovery(_: Request) -> Reply:
        names = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
        return Reply(body=dict.fromkeys(names, HOST))

    _artifacts(found, state)
    _services(found, state)
    model_files.add_registered(found, state, MMS)
    jobs.history(found, state)
    pipelines.add(found, state)

    @found.on("GET", MMS + "/operations/{id}")
    def operation(_: Request, id: str) -> Reply:  # noqa: A002
        return Reply(body=_status(state.operations[id]))

    return found


def service(name: str, **changes: Any) -> dict[str, Any]:
    """Return a healthy web service on ACI."""
    host = f"{name}.{REGION}.azurecontainer.io"
    return {
        "id": name, "name": name, "computeType": "ACI", "state": "Healthy", "createdTime": NOW, "updatedTime": NOW,
        "createdBy": {"userName": "tests"}, "description": None, "kvTags": {}, "properties": {},
        "deploymentType": "Http", "operationId": "0", "authEnabled": True, "appInsightsEnabled": False,
        "sslEnabled": False, "sslCertificate": None, "sslKey": None, "cname": None,
        "containerResourceRequirements": {"cpu": 1, "memoryInGB": 2}, "location": REGION, "publicIp": "192.0.2.1",
        "publicFqdn": host, "scoringUri": f"https://{host}/score", "models": [], "environmentImageRequest": None,
        "error": None, **changes,
    }  # fmt: skip


def aks_service(name: str, **changes: Any) -> dict[str, Any]:
    """Return a web service on AKS that accepts tokens."""
    own = {
        "computeType": "AKS", "computeName": "cluster", "authEnabled": False, "aadAuthEnabled": True,
        "autoScaler": {"autoscaleEnabled": False, "maxReplicas": 1, "minReplicas": 1, "refreshPeriodInSeconds": 1,
                       "targetUtilization": 70},
        "containerResourceRequirements": {"cpu": 1, "cpuLimit": 1, "memoryInGB": 1, "memoryInGBLimit": 1, "gpu": None},
        "dataCollection": {"eventHubEnabled": False, "storageEnabled": False},
        "maxConcurrentRequestsPerContainer": 1, "maxQueueWaitMs": 500, "numReplicas": 1, "scoringTimeoutMs": 60000,
        "livenessProbeRequirements": {"periodSeconds": 10, "initialDelaySeconds": 1, "timeoutSeconds": 1,
                                      "failureThreshold": 3, "successThreshold": 1},
        "deploymentStatus": None, "namespace": None, "isDefault": None, "trafficPercentile": None, "versionType": None,
    }  # fmt: skip
    return service(name, **{**own, **changes})


def _services(found: Routes, state: State) -> None:
    base = MMS + "/services"

    def missing(name: str) -> Reply:
        return _refused(404, "WebserviceNotFound", f"Webservice {name} not found.")

    for path in ("/validate", "/validate/resource", "/validate/name/{name}"):
        found.on("POST", base + path)(lambda _, name="": Reply(body={}))

    @found.on("GET", base)
    def listed(request: Request) -> Reply:
        """Return a page with one service, so that several services need several pages."""
        at = int(request.query.get("at", 0))
        services = list(state.services.values())
        more = {"nextLink": f"{HOST}{base}?expand=true&at={at + 1}"} if at + 1 < len(services) else {}
        return Reply(body={"value": services[at : at + 1], **more})

    @found.on("GET", base + "/{name}")
    def get(_: Request, name: str) -> Reply:
        return Reply(body=state.services[name]) if name in state.services else missing(name)

    @found.on("POST", base)
    def create(request: Request) -> Reply:
        sent = request.json
        operation = state.begin()
        healthy = operation.outcome == "Succeeded"
        make = aks_service if sent["computeType"] == "AKS" else service
        kept = {key: sent[key] for key in ("appInsightsEnabled", "authEnabled") if key in sent}
        more = {"environmentImageRequest": sent["environmentImageRequest"], "operationId": operation.id}
        state_word = "Healthy" if healthy else "Failed"
        made = make(sent["name"], state=state_word, aadAuthEnabled=False, **kept, **more)
        state.services[sent["name"]] = made | {"error": operation.error}
        return Reply(status=202, headers=_headers(operation))

    @found.on("PATCH", base + "/{name}")
    def patch(request: Request, name: str) -> Reply:
        if name not in state.services:
            return missing(name)
        operation = state.begin()
        if operation.outcome == "Succeeded":
            for change in request.json:
                *parents, last = change["path"].strip("/").split("/")
                place = state.services[name]
                for parent in parents:
                    place = place[parent]
                place[last] = change["value"]
        return Reply(status=202, headers=_headers(operation))

    @found.on("DELETE", base + "/{name}")
    def delete(_: Request, name: str) -> Reply:
        operation = state.begin()
        if operation.outcome == "Succeeded":
            state.services.pop(name, None)
        return Reply(status=202, headers=_headers(operation))

    @found.on("GET", base + "/{name}/logs")
    def logs(request: Request, name: str) -> Reply:
        lines = ["fetching the model"] if request.query["init"] == "True" else state.logs
        return Reply(body={"content": "\n".join(lines[-int(request.query["tail"]) :])})

    @found.on("POST", base + "/{name}/listkeys")
    def keys(_: Request, name: str) -> Reply:
        found = state.keys.get(name) or state.new_keys(name)
        return Reply(body={f"{which}Key": text for which, text in found.items()})

    @found.on("POST", base + "/{name}/regenerateKeys")
    def regenerate(request: Request, name: str) -> Reply:
        which = request.json["keyType"].lower()
        state.keys[name] = {**(state.keys.get(name) or state.new_keys(name)), which: f"canary-new-key-{state.number()}"}
        return Reply(status=202, headers=_headers(state.begin()))

    @found.on("POST", base + "/{name}/token")
    def token(_: Request, name: str) -> Reply:
        text = f"canary-aml-token-{state.number()}"
        now = time.time()
        state.tokens[text] = now + state.token_s
        end, refresh = int(now + state.token_s), int(now + state.token_s / 2)
        return Reply(body={"accessToken": text, "tokenType": "Bearer", "refreshAfter": refresh, "expiryOn": end})


def _artifacts(found: Routes, state: State) -> None:
    """Files, and the models that consist of them."""

    @found.on("POST", f"/artifact/v2.0{WORKSPACE}/artifacts/batch/metadata/{{origin}}/{{container}}")
    def batch(request: Request, origin: str, container: str) -> Reply:
        paths = [each["path"] for each in request.json["paths"]]
        artifacts = {
            path: {
                "artifactId": f"{origin}/{container}/{path}", "origin": origin, "container": container, "path": path,
                "etag": None, "createdTime": NOW, "dataPath": None, "tags": None,
            }
            for path in paths
        }  # fmt: skip
        uris = {
            path: {
                "contentUri": f"{BLOBS}/{origin}/{container}/{path}?sv=2019&sig=canary-signature",
                "origin": origin, "container": container, "path": path, "tags": None,
            }
            for path in paths
        }  # fmt: skip
        return Reply(body={"artifacts": artifacts, "artifactContentInformation": uris, "errors": {}})

    @found.on("POST", MMS + "/assets")
    def asset(request: Request) -> Reply:
        return Reply(body={**request.json, "id": f"asset-{state.number()}"})

    @found.on("POST", MMS + "/models")
    def model(request: Request) -> Reply:
        sent = request.json
        made = {**sent, "id": f"{sent['name']}:1", "version": 1, "createdTime": NOW, "framework": "Custom"}
        state.assets[made["id"]] = made
        return Reply(body=made)


def _refused(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body={"code": code, "statusCode": status, "message": message})


def _headers(operation: Operation) -> dict[str, str]:
    return {"Operation-Location": f"{HOST}{MMS}/operations/{operation.id}"}


def _status(operation: Operation) -> dict[str, Any]:
    word = operation.outcome
    if operation.polls > 0:
        operation.polls -= 1
        word = "Running"
    more = {"error": operation.error} if operation.error and word != "Running" else {}
    return {"id": operation.id, "operationType": "Service", "state": word, **more}
