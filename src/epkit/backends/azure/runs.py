"""The parts of a job that azure-ai-ml does not return: trials, metrics and files, from Azure's own REST services.

Requests with the token go only to `*.api.azureml.ms`, over TLS. A file comes from the storage, at a signed address. No
message contains this address, and the token is not sent there. Redirects are not followed.

Source: azure-ai-ml 1.35, `_restclient/runhistory`; azureml-core 1.61, `_restclient/operations/artifact_operations.py`;
MLflow's REST API, `runs/get`.
"""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx

from epkit.backends.azure.patience import Patience
from epkit.backends.azure.sdk import translating
from epkit.backends.azure.workspace import Workspace
from epkit.core.http.secret import Secret
from epkit.errors import BackendError

SERVICES: Final = ".api.azureml.ms"
STORAGE: Final = ".blob.core.windows.net"
TIMEOUT: Final = httpx.Timeout(30.0, read=60.0)
MOST_DOCUMENT_BYTES: Final = 32 << 20
MOST_PAGES: Final = 200
MOST_FILES: Final = 20_000
"""Greatest number of files of a run."""


class AzureReplyError(Exception):
    """A status that is not a success; `core.hosting.azure_errors.reduce` reads it."""

    def __init__(self, reply: httpx.Response) -> None:
        super().__init__(f"status {reply.status_code}")
        self.status_code = reply.status_code
        self.response = SimpleNamespace(headers=reply.headers)
        found = _json(reply)
        inner = found.get("error") if isinstance(found, dict) else None
        inner = inner if isinstance(inner, dict) else {}
        self.error = SimpleNamespace(code=inner.get("code"), message=inner.get("message"))


class RunHistory:
    """The runs of a workspace; a context manager.

    Every method raises `BackendError` if the service refuses, after retries for errors that can pass.
    """

    def __init__(self, workspace: Workspace, discovery: str, token: Callable[[], Secret], patience: Patience) -> None:
        """Prepare the client. Nothing is sent.

        Args:
            discovery: the workspace's address of its services.
            token: returns a valid token; called for each request.

        Raises:
            BackendError: the address does not belong to Azure ML.
        """
        self._workspace = workspace
        self._origin = _origin(discovery)
        self._token = token
        self._patience = patience
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def children(self, run: str) -> list[Any]:
        """Return the documents of a run's children."""
        url = self._history(f"runs/{quote(run, safe='')}/children")
        return list(self._pages(run, url, "continuationToken", "$continuationtoken"))

    def details(self, run: str) -> Any:
        """Return the document of a run: its status, and why it failed."""
        return self._get(run, self._history(f"runs/{quote(run, safe='')}/details"))

    def logged(self, run: str) -> Any:
        """Return MLflow's record of a run: its metrics and tags."""
        where = f"{self._origin}/mlflow/v1.0{self._workspace.id}/api/2.0/mlflow/runs/get"
        return self._get(run, where, run_id=run)

    def files(self, run: str) -> list[str]:
        """Return the paths of a run's files, with the service's names.

        Raises:
            BackendError: there are more than `MOST_FILES`.
        """
        found: list[str] = []
        url = self._artifacts("artifacts", run)
        for each in self._pages(run, url, "continuationToken", "continuationToken"):
            path = each.get("path") if isinstance(each, dict) else None
            if isinstance(path, str):
                found.append(path)
            if len(found) > MOST_FILES:
                raise BackendError(f"{run}: it has more than {MOST_FILES:,} files")
        return found

    def fetch(self, run: str, path: str, most_bytes: int) -> bytes:
        """Return a file of a run.

        Args:
            path: a path from `files`.

        Raises:
            BackendError: it is larger than *most_bytes*, or is not in Azure's storage.
        """
        subject = f"{run}/{path}"

        def once() -> bytes:
            # The address is requested for each try, because it expires.
            information = self._ask(self._artifacts("artifacts/contentinfo", run, path))
            uri = information.get("contentUri") if isinstance(information, dict) else None
            if not isinstance(uri, str) or not _is_at(uri, STORAGE):
                raise BackendError(f"{subject}: Azure names no address in its storage for it")
            with self._client.stream("GET", uri) as reply:
                if reply.status_code != 200:
                    raise AzureReplyError(reply)
                return _bounded(reply, most_bytes, subject)

        with translating(subject):
            return self._patience(once)

    def _history(self, rest: str) -> str:
        return f"{self._origin}/history/v1.0{self._workspace.id}/{rest}"

    def _artifacts(self, kind: str, run: str, path: str | None = None) -> str:
        inside = "" if path is None else f"/{quote(path)}"
        base = f"{self._origin}/artifact/v2.0{self._workspace.id}/{kind}"
        return f"{base}/ExperimentRun/{quote(f'dcid.{run}', safe='')}{inside}"

    def _pages(self, run: str, url: str, key: str, parameter: str) -> Iterator[Any]:
        """Yield the entries of a list, page by page.

        Raises:
            BackendError: the list has too many pages.
        """
        more: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = self._get(run, url, **more)
            listed = page.get("value") if isinstance(page, dict) else None
            yield from listed if isinstance(listed, list) else ()
            token = page.get(key) if isinstance(page, dict) else None
            if not isinstance(token, str) or not token or more.get(parameter) == token:
                return
            more = {parameter: token}
        raise BackendError(f"{run}: Azure lists more than {MOST_PAGES} pages")

    def _get(self, subject: str, url: str, **query: str) -> Any:
        with translating(subject):
            return self._patience(lambda: self._ask(url, **query))

    def _ask(self, url: str, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token().reveal()}", "Accept": "application/json"}
        with self._client.stream("GET", url, params=query or None, headers=headers) as reply:
            if reply.status_code != 200:
                reply.read()
                raise AzureReplyError(reply)
            content = _bounded(reply, MOST_DOCUMENT_BYTES, "the answer")
        return _parsed(content)


def _origin(discovery: str) -> str:
    """Return the origin of the services; all services of a region share one.

    Raises:
        BackendError: the address is not one of Azure ML's over TLS.
    """
    if not _is_at(discovery, SERVICES):
        raise BackendError(
            "the workspace names an address of its services that is not one of Azure ML's: nothing is sent"
        )
    return f"https://{urlsplit(discovery).hostname}"


def _is_at(url: str, domain: str) -> bool:
    """Tell whether a URL uses TLS and a host of the domain, without a user and with the default port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme == "https" and host.endswith(domain) and port in (None, 443) and "@" not in parts.netloc


def _bounded(reply: httpx.Response, most_bytes: int, subject: str) -> bytes:
    content = bytearray()
    for piece in reply.iter_bytes():
        content += piece
        if len(content) > most_bytes:
            raise BackendError(f"{subject}: it has more than {most_bytes:,} bytes, and is not fetched")
    return bytes(content)


def _json(reply: httpx.Response) -> Any:
    try:
        return reply.json()
    except (ValueError, httpx.ResponseNotRead, RecursionError):
        return None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise BackendError("Azure's answer is not JSON") from None
