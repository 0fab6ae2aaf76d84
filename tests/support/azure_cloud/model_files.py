"""The parts that a fetch of a model uses: a job with a best child, the store of runs' files, and blobs to read."""

import re
from typing import Any
from xml.sax.saxutils import escape

from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import WORKSPACE, State

ARTIFACTS = "azureml"
"""The container of the datastore `workspaceartifactstore`."""

HEADERS = {"ETag": '"0x1"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT", "x-ms-version": "2023-11-03"}


def put_job(state: State, name: str, *, best: str | None = None, status: str = "Completed") -> None:
    """Add an AutoML job."""
    properties = {
        "jobType": "AutoML", "status": status, "experimentName": "Default", "services": {}, "properties": {},
        "tags": {} if best is None else {"automl_best_child_run_id": best},
        "taskDetails": {
            "taskType": "Classification", "primaryMetric": "Accuracy", "targetColumnName": "y",
            "trainingData": {"jobInputType": "mltable", "uri": "azureml:bank:1"},
        },
    }  # fmt: skip
    path = f"{WORKSPACE}/jobs/{name}"
    state.jobs[name] = {"id": path, "name": name, "type": "jobs", "properties": properties}


def put_files(state: State, run: str, files: dict[str, bytes]) -> None:
    """Add files of a run, by their names among its artifacts."""
    for name, content in files.items():
        state.blobs[f"{ARTIFACTS}/ExperimentRun/dcid.{run}/{name}"] = content


def put_model(state: State, name: str, version: str, kind: str, path: str) -> None:
    """Add a registered model.

    Args:
        path: path of its files, in the workspace's blob store.
    """
    at = f"{WORKSPACE}/models/{name}/versions/{version}"
    uri = f"azureml:/{WORKSPACE}/datastores/workspaceblobstore/paths/{path}"
    properties = {"modelType": kind, "modelUri": uri, "flavors": {}, "properties": {}, "tags": {}}
    state.assets[at] = {"id": at, "name": version, "type": "models", "properties": properties}


def add_store(found: Routes, state: State) -> None:
    """Add the routes to the store of the files of jobs."""

    @found.on("GET", WORKSPACE + "/datastores/workspaceartifactstore")
    def datastore(_: Request) -> Reply:
        properties = {
            "datastoreType": "AzureBlob", "accountName": "emu", "containerName": ARTIFACTS, "protocol": "https",
            "endpoint": "core.windows.net", "isDefault": False, "credentials": {"credentialsType": "Sas"},
            "serviceDataAccessAuthIdentity": "None", "tags": {}, "properties": {},
        }  # fmt: skip
        path = f"{WORKSPACE}/datastores/workspaceartifactstore"
        return Reply(
            body={"id": path, "name": "workspaceartifactstore", "type": "datastores", "properties": properties}
        )

    @found.on("POST", WORKSPACE + "/datastores/workspaceartifactstore/listSecrets")
    def secrets(_: Request) -> Reply:
        return Reply(body={"secretsType": "Sas", "sasToken": "sv=2019&sig=canary-signature"})


def add_registered(found: Routes, state: State, base: str) -> None:
    """Add SDK v1's routes to registered models, by `NAME:VERSION` or for the latest version of a name."""

    @found.on("GET", base + "/models/{id}")
    def model(_: Request, id: str) -> Reply:  # noqa: A002
        made = state.assets.get(id)
        missing = {"code": "ModelNotFound", "statusCode": 404, "message": f"Model {id} not found."}
        return Reply(body=made) if made else Reply(status=404, body=missing)

    @found.on("GET", base + "/models")
    def models(request: Request) -> Reply:
        named = [made for made in state.assets.values() if made.get("name") == request.query["name"]]
        return Reply(body={"value": sorted(named, key=lambda made: -made["version"])})


def listing(state: State, container: str, prefix: str) -> Reply:
    """Return the blobs of a container, in the service's format."""
    named = {
        name: content for blob, content in sorted(state.blobs.items())
        if blob.startswith(f"{container}/") and (name := blob.partition("/")[2]).startswith(prefix)
    }  # fmt: skip
    blobs = "".join(
        f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{len(content)}</Content-Length>"
        "<BlobType>BlockBlob</BlobType></Properties></Blob>"
        for name, content in named.items()
    )
    text = f'<?xml version="1.0"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'
    return Reply(body=text.encode(), headers={"Content-Type": "application/xml"})


def read(state: State, request: Request, blob: str) -> Reply:
    """Return a blob, or the requested range of it."""
    content = state.blobs.get(blob)
    if content is None:
        return Reply(status=404, headers={"x-ms-error-code": "BlobNotFound"})
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range", request.headers.get("range", "")))
    headers: dict[str, Any] = {**HEADERS, "x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
    if asked is None:
        return Reply(body=content, headers=headers)
    start = int(asked[1])
    if start >= len(content):
        return Reply(status=416, headers={**headers, "x-ms-error-code": "InvalidRange"})
    part = content[start : int(asked[2] or len(content) - 1) + 1]
    headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return Reply(status=206, body=part, headers=headers)
