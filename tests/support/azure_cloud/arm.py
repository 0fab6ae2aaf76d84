"""management.azure.com: the workspace, managed online endpoints, and the assets of SDK v2."""

import time
from typing import Any

from support.azure_cloud import batch, jobs, model_files
from support.azure_cloud.http import Reply, Request, Routes, refusal
from support.azure_cloud.state import GROUP, NAME, REGION, SUBSCRIPTION, TENANT, WORKSPACE, Operation, State

BLOBS = "https://emu.blob.core.windows.net"
CONTAINER = "azureml-blobstore-1"
DEFAULTS = {
    "scaleSettings": {"scaleType": "Default"},
    "requestSettings": {"maxConcurrentRequestsPerInstance": 1, "requestTimeout": "PT5S", "maxQueueWait": "PT0.5S"},
    "livenessProbe": {"initialDelay": "PT2S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30},
    "egressPublicNetworkAccess": "Enabled",
}  # fmt: skip
"""Properties that the service adds to a deployment."""
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
DISCOVERY = f"https://{REGION}.api.azureml.ms/discovery"


def routes(state: State) -> Routes:
    found = Routes()

    @found.on("GET", "/subscriptions")
    def subscriptions(_: Request) -> Reply:
        one = {
            "id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "tenantId": TENANT,
            "displayName": "tests", "state": "Enabled",
        }  # fmt: skip
        return Reply(body={"value": [one]})

    @found.on("GET", GROUPS + "/Microsoft.MachineLearningServices/workspaces/{name}")
    def workspace(_: Request, name: str) -> Reply:
        if name != NAME:
            return refusal(404, "ResourceNotFound", f"The Resource 'workspaces/{name}' was not found.")
        return Reply(body=_workspace())

    _endpoints(found, state)
    _deployments(found, state)
    jobs.arm(found, state, _begun, lambda: _headers(state.begin()))
    batch.arm(found, state, _begun, lambda: _headers(state.begin()))
    model_files.add_store(found, state)
    _assets(found, state)

    def elsewhere(_: Request, name: str, rest: str) -> Reply | None:
        missing = f"The Resource 'Microsoft.MachineLearningServices/workspaces/{name}' was not found."
        return None if name == NAME else refusal(404, "ResourceNotFound", missing)

    for method in ("GET", "PUT", "POST"):
        found.on(method, GROUPS + "/Microsoft.MachineLearningServices/workspaces/{name}/{rest*}")(elsewhere)

    @found.on(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{region}/mfeOperationsStatus/{id}",
    )
    def operation(_: Request, subscription: str, region: str, id: str) -> Reply:  # noqa: A002
        return Reply(body=_status(state.operations[id]), headers={"retry-after-ms": "10"})

    return found


def endpoint(state: State, name: str, *deployments: str, auth: str = "Key") -> None:
    """Add an endpoint; its first deployment gets all the traffic."""
    origin = f"https://{name}.{REGION}.inference.ml.azure.com"
    base = f"{WORKSPACE}/onlineEndpoints/{name}"
    properties = {
        "authMode": auth, "traffic": dict.fromkeys(deployments[:1], 100), "mirrorTraffic": {}, "properties": {},
        "provisioningState": "Succeeded", "publicNetworkAccess": "Disabled", "description": "of the tests",
        "scoringUri": f"{origin}/score", "swaggerUri": f"{origin}/swagger.json",
    }  # fmt: skip
    identity = {"type": "SystemAssigned", "principalId": "p", "tenantId": TENANT}
    state.endpoints[name] = {
        "id": base, "name": name, "type": "endpoints", "location": REGION, "tags": {"team": "risk"}, "kind": "Managed",
        "identity": identity, "properties": properties,
    }  # fmt: skip
    for deployment in deployments:
        state.deployments[name, deployment] = {
            "id": f"{base}/deployments/{deployment}", "name": deployment, "type": "deployments", "location": REGION,
            "tags": {"team": "risk"}, "sku": {"name": "Default", "capacity": 2}, "kind": "Managed",
            "properties": {
                **DEFAULTS, "provisioningState": "Succeeded", "endpointComputeType": "Managed",
                "appInsightsEnabled": False, "instanceType": "Standard_DS3_v2", "model": f"{WORKSPACE}/models/m/versions/3",
                "environmentId": f"{WORKSPACE}/environments/e/versions/1", "environmentVariables": {"A": "b"},
                "modelMountPath": "/mnt", "description": "of the tests", "properties": {},
                "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/c/versions/1", "scoringScript": "score.py"},
            },
        }  # fmt: skip


def _workspace() -> dict[str, Any]:
    storage = f"{GROUPS}/Microsoft.Storage/storageAccounts/emu"
    return {
        "id": WORKSPACE, "name": NAME, "type": "Microsoft.MachineLearningServices/workspaces", "location": REGION,
        "tags": {}, "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {"type": "SystemAssigned", "principalId": TENANT, "tenantId": TENANT},
        "properties": {
            "workspaceId": "22222222-2222-2222-2222-222222222222", "friendlyName": NAME, "description": "",
            "provisioningState": "Succeeded", "storageAccount": storage,
            "keyVault": f"{GROUPS}/Microsoft.KeyVault/vaults/emu",
            "applicationInsights": f"{GROUPS}/microsoft.insights/components/emu",
            "discoveryUrl": DISCOVERY, "v1LegacyMode": False, "publicNetworkAccess": "Enabled",
        },
    }  # fmt: skip


def _endpoints(found: Routes, state: State) -> None:
    base = WORKSPACE + "/onlineEndpoints"

    def missing(name: str) -> Reply:
        return refusal(404, "ResourceNotFound", f"Endpoint {name} was not found.")

    @found.on("GET", base)
    def listed(_: Request) -> Reply:
        return Reply(body={"value": list(state.endpoints.values())})

    @found.on("GET", base + "/{name}")
    def get(_: Request, name: str) -> Reply:
        return Reply(body=state.endpoints[name]) if name in state.endpoints else missing(name)

    @found.on("PUT", base + "/{name}")
    def put(request: Request, name: str) -> Reply:
        sent = request.json
        origin = f"https://{name}.{REGION}.inference.ml.azure.com"
        own = {
            "provisioningState": "Succeeded",
            "scoringUri": f"{origin}/score",
            "swaggerUri": f"{origin}/swagger.json",
        }
        made = {**sent, "id": f"{base}/{name}", "name": name, "type": "endpoints", "kind": "Managed"}
        made["properties"] = {"publicNetworkAccess": "Enabled", **sent["properties"], **own}
        return _begun(state, state.endpoints, name, made)

    @found.on("DELETE", base + "/{name}")
    def delete(_: Request, name: str) -> Reply:
        if state.endpoints.pop(name, None) is None:
            return missing(name)
        return Reply(status=202, headers=_headers(state.begin()))

    @found.on("POST", base + "/{name}/listKeys")
    def keys(_: Request, name: str) -> Reply:
        if name not in state.endpoints:
            return missing(name)
        found = state.keys.get(name) or state.new_keys(name)
        return Reply(body={f"{which}Key": text for which, text in found.items()})

    @found.on("POST", base + "/{name}/regenerateKeys")
    def regenerate(request: Request, name: str) -> Reply:
        state.keys[name][request.json["keyType"].lower()] = request.json["keyValue"] or "canary-generated-key"
        return Reply(status=202, headers=_headers(state.begin()))

    @found.on("POST", base + "/{name}/token")
    def token(_: Request, name: str) -> Reply:
        text = f"canary-aml-token-{state.number()}"
        now = time.time()
        state.tokens[text] = now + state.token_s
        times = {"expiryTimeUtc": now + state.token_s, "refreshAfterTimeUtc": now + state.token_s / 2}
        return Reply(body={"accessToken": text, "tokenType": "Bearer"} | {k: int(v) for k, v in times.items()})


def _deployments(found: Routes, state: State) -> None:
    base = WORKSPACE + "/onlineEndpoints/{endpoint}/deployments"

    def missing(name: str) -> Reply:
        return refusal(404, "ResourceNotFound", f"Deployment {name} was not found.")

    @found.on("GET", base)
    def listed(_: Request, endpoint: str) -> Reply:
        return Reply(body={"value": [made for (of, _), made in state.deployments.items() if of == endpoint]})

    @found.on("GET", base + "/{name}")
    def get(_: Request, endpoint: str, name: str) -> Reply:
        made = state.deployments.get((endpoint, name))
        return missing(name) if made is None else Reply(body=made)

    @found.on("PUT", base + "/{name}")
    def put(request: Request, endpoint: str, name: str) -> Reply:
        sent = request.json
        made = {**sent, "id": f"{WORKSPACE}/onlineEndpoints/{endpoint}/deployments/{name}", "name": name}
        made["properties"] = {**DEFAULTS, **sent["properties"], "provisioningState": "Succeeded"}
        return _begun(state, state.deployments, (endpoint, name), made)

    @found.on("DELETE", base + "/{name}")
    def delete(_: Request, endpoint: str, name: str) -> Reply:
        if state.deployments.pop((endpoint, name), None) is None:
            return missing(name)
        return Reply(status=202, headers=_headers(state.begin()))

    @found.on("POST", base + "/{name}/getLogs")
    def logs(request: Request, endpoint: str, name: str) -> Reply:
        if (endpoint, name) not in state.deployments:
            return missing(name)
        lines = ["fetching the model"] if request.json.get("containerType") == "StorageInitializer" else state.logs
        return Reply(body={"content": "\n".join(lines[-request.json["tail"] :])})


def _assets(found: Routes, state: State) -> None:
    """Models, codes, environments, and the store for their files."""

    @found.on("POST", WORKSPACE + "/{kind}/{name}/versions/{version}/startPendingUpload")
    def upload(_: Request, kind: str, name: str, version: str) -> Reply:
        blob = f"{BLOBS}/{CONTAINER}"
        storage = f"{GROUPS}/Microsoft.Storage/storageAccounts/emu"
        reference = {
            "blobUri": blob, "storageAccountArmId": storage,
            "credential": {"credentialType": "SAS", "sasUri": f"{blob}?sv=2019&sig=canary-signature"},
        }  # fmt: skip
        return Reply(body={"blobReferenceForConsumption": reference, "pendingUploadId": "1", "pendingUploadType": "x"})

    @found.on("PUT", WORKSPACE + "/{kind}/{name}/versions/{version}")
    def put(request: Request, kind: str, name: str, version: str) -> Reply:
        path = f"{WORKSPACE}/{kind}/{name}/versions/{version}"
        made = {**request.json, "id": path, "name": version}
        made["properties"] = {"flavors": {}, **made["properties"], "provisioningState": "Succeeded"}
        state.assets[path] = made
        return Reply(status=201, body=made)

    @found.on("GET", WORKSPACE + "/{kind}/{name}/versions")
    def versions(_: Request, kind: str, name: str) -> Reply:
        """Return the newest first, because the SDK requests the latest."""
        start = f"{WORKSPACE}/{kind}/{name}/versions/"
        return Reply(body={"value": [made for path, made in state.assets.items() if path.startswith(start)][::-1]})

    @found.on("GET", WORKSPACE + "/{kind}/{name}/versions/{version}")
    def version(_: Request, kind: str, name: str, version: str) -> Reply:
        made = state.assets.get(f"{WORKSPACE}/{kind}/{name}/versions/{version}")
        return Reply(body=made) if made else refusal(404, "ResourceNotFound", f"{kind}/{name}:{version} was not found.")

    @found.on("GET", WORKSPACE + "/datastores/workspaceblobstore")
    def datastore(_: Request) -> Reply:
        properties = {
            "datastoreType": "AzureBlob", "accountName": "emu", "containerName": CONTAINER, "protocol": "https",
            "endpoint": "core.windows.net", "isDefault": True, "credentials": {"credentialsType": "Sas"},
            "serviceDataAccessAuthIdentity": "None", "tags": {}, "properties": {},
        }  # fmt: skip
        path = f"{WORKSPACE}/datastores/workspaceblobstore"
        return Reply(body={"id": path, "name": "workspaceblobstore", "type": "datastores", "properties": properties})

    @found.on("POST", WORKSPACE + "/datastores/workspaceblobstore/listSecrets")
    def secrets(_: Request) -> Reply:
        return Reply(body={"secretsType": "Sas", "sasToken": "sv=2019&sig=canary-signature"})

    @found.on("GET", WORKSPACE + "/{kind}/{name}")
    def container(_: Request, kind: str, name: str) -> Reply:
        return refusal(404, "ResourceNotFound", f"{kind}/{name} was not found.")


def _begun(state: State, shelf: dict[Any, dict[str, Any]], key: Any, made: dict[str, Any]) -> Reply:
    operation = state.begin()
    if operation.outcome != "Succeeded":
        made["properties"]["provisioningState"] = operation.outcome
    new = key not in shelf
    shelf[key] = made
    shown = {**made, "properties": {**made["properties"], "provisioningState": "Updating"}}
    return Reply(status=201 if new else 200, body=shown, headers=_headers(operation))


def _headers(operation: Operation) -> dict[str, str]:
    base = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices"
    url = f"{base}/locations/{REGION}/mfeOperationsStatus/{operation.id}?api-version=2022-02-01-preview"
    return {"Azure-AsyncOperation": url, "Location": url, "retry-after-ms": "10"}


def _status(operation: Operation) -> dict[str, Any]:
    if operation.polls > 0:
        operation.polls -= 1
        return {"status": "InProgress"}
    return {"status": operation.outcome} | ({"error": operation.error} if operation.error else {})
