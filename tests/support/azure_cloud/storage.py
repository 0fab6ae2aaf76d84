"""*.blob.core.windows.net: uploads, checks and downloads of files, including those of runs."""

import base64
import hashlib

from support.azure_cloud import jobs, model_files
from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import State

HEADERS = {"ETag": '"0x1"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT", "x-ms-version": "2023-11-03"}


def routes(state: State) -> Routes:
    found = Routes()

    @found.on("PUT", "/{blob*}")
    def put(request: Request, blob: str) -> Reply:
        if "comp" not in request.query:
            state.blobs[blob] = request.body
        digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
        headers = {**HEADERS, "Content-MD5": digest, "x-ms-request-server-encrypted": "true"}
        return Reply(status=200 if request.query.get("comp") == "metadata" else 201, headers=headers)

    @found.on("HEAD", "/{blob*}")
    def head(_: Request, blob: str) -> Reply:
        if blob not in state.blobs:
            return Reply(status=404, headers={"x-ms-error-code": "BlobNotFound"})
        return Reply(headers={**HEADERS, "x-ms-blob-type": "BlockBlob"})

    @found.on("GET", "/{container}")
    def listed(request: Request, container: str) -> Reply:
        return model_files.listing(state, container, request.query.get("prefix", ""))

    @found.on("GET", "/ExperimentRun/{run}/{path*}")
    def artifact(request: Request, run: str, path: str) -> Reply:
        """Return a file of a run: the address is signed, so a token must not be sent here."""
        if request.query.get("sig") != jobs.SIGNATURE or "authorization" in request.headers:
            return Reply(status=403, body=b"<Error><Code>AuthenticationFailed</Code></Error>")
        content = jobs.files_of(state, run.removeprefix("dcid.")).get(path)
        return Reply(status=404) if content is None else Reply(body=content, headers=HEADERS)

    @found.on("GET", "/{blob*}")
    def get(request: Request, blob: str) -> Reply:
        return model_files.read(state, request, blob)

    return found
