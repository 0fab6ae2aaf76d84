"""The models of a workspace, with azure-ai-ml: which model a reference names, and its files, fetched one by one.

The SDK's own `download` accepts any file name from the store. Here each file must be inside the directory, and the
number and size of the files are limited.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from epkit.backends.azure.sdk import is_missing
from epkit.backends.base import Say
from epkit.backends.copies import MOST_BYTES, MOST_FILES
from epkit.core.hosting.deployments import ModelKind, RegisteredModel
from epkit.core.hosting.references import (
    PREFIX,
    JobReference,
    Reference,
    RegisteredReference,
    is_reference,
    parse_reference,
    shown,
)
from epkit.errors import BackendError, UsageError
from epkit.paths import inside

MLFLOW: Final = "mlflow_model"
TYPES: Final[Mapping[ModelKind, str]] = {"custom": "custom_model", "mlflow": MLFLOW}
"""The SDK's name of each kind."""

BEST_CHILD_TAGS: Final = ("automl_best_child_run_id", "best_child_run_id")
"""Properties of an AutoML job and of a sweep: the run with the best model."""

ENDED: Final = frozenset({"Completed", "Finished"})
"""Statuses of jobs and of runs whose files are complete."""

ARTIFACTS: Final = "workspaceartifactstore"
"""The datastore with the files of runs; those of a run are below `ExperimentRun/dcid.RUN`."""

DEPTH: Final = 32
"""Greatest depth of directories."""

_JOB_PATH: Final = re.compile(r"azureml://(?:.*/)?jobs/([^/]+)/outputs/(?:artifacts|default)/(?:paths/)?(.+)")
_STORE_PATH: Final = re.compile(r"azureml://(?:.*/)?datastores/([^/]+)/paths/(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Files in a store: the file with this name, or those below it."""

    datastore: str
    path: str


def registered(client: Any, reference: str) -> RegisteredModel:
    """Ask the workspace for the version and the kind of a model."""
    found = _model(client, parse_reference(reference))
    kind: ModelKind = "mlflow" if found.type == MLFLOW else "custom"
    return RegisteredModel(reference=f"{PREFIX}{found.name}:{found.version}", kind=kind)


def entity(path: str, name: str, kind: ModelKind) -> Any:
    """Return the SDK's form of a model: the reference of a registered model, or files to upload."""
    from azure.ai.ml.entities import Model

    return path if is_reference(path) else Model(path=path, name=name, type=TYPES[kind])


def fetch(client: Any, credential: Any, reference: Reference, directory: Path, say: Say) -> Path:
    """Fetch the files of a model; see `StoreBackend.fetch`."""
    place = _of_job(client, reference, say) if isinstance(reference, JobReference) else _of_model(client, reference)
    container = _container(client, credential, place.datastore)
    name = PurePosixPath(place.path).name
    files = _listed(container, place.path, shown(reference))
    say(f"fetching {len(files)} files of {shown(reference)}, {sum(files.values()) / 1e6:,.1f} MB")
    for blob, size_bytes in files.items():
        below = blob.removeprefix(place.path).removeprefix("/")
        where = f"a file of {shown(reference)}"
        path = inside(directory, f"{name}/{below}" if below else name, where=where, parts=DEPTH)
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(container, blob, size_bytes, path)
    return inside(directory, name, where=shown(reference))


def _model(client: Any, reference: Reference) -> Any:
    if not isinstance(reference, RegisteredReference):
        raise UsageError(f"{shown(reference)}: the files of a job are no registered model")
    if reference.version is None:
        return client.models.get(reference.name, label="latest")
    return client.models.get(reference.name, version=reference.version)


def _of_model(client: Any, reference: Reference) -> _Place:
    found = _model(client, reference)
    path = str(found.path)
    if job := _JOB_PATH.fullmatch(path):
        return _run(job[1], job[2].rstrip("/"))
    if stored := _STORE_PATH.fullmatch(path):
        return _Place(datastore=stored[1], path=stored[2].rstrip("/"))
    raise BackendError(f"{shown(reference)}: its files are in an unknown place: {path}")


def _run(run: str, path: str) -> _Place:
    return _Place(datastore=ARTIFACTS, path=f"ExperimentRun/dcid.{run}/{path}")


def _of_job(client: Any, reference: JobReference, say: Say) -> _Place:
    """Find the files of a job's best child, or of the job itself if it has none."""
    try:
        job = client.jobs.get(reference.job)
    except Exception as error:
        if not is_missing(error):
            raise
        return _run(reference.job, reference.path)  # the service does not list every child as a job
    notes = {**(job.properties or {}), **(job.tags or {})}
    best = next((str(notes[tag]) for tag in BEST_CHILD_TAGS if notes.get(tag)), None)
    status = str(getattr(job.status, "value", job.status))
    if best is None and status not in ENDED:
        raise BackendError(f"{reference.job}: its status is {status}, and it has no best model: wait until it is done")
    if best is not None:
        say(f"the best child of {reference.job} is {best}")
    return _run(best or reference.job, reference.path)


def _container(client: Any, credential: Any, name: str) -> Any:
    """Open the container of a datastore with its own signature or key, otherwise with the login."""
    from azure.storage.blob import ContainerClient

    store = client.datastores.get(name, include_secrets=True)
    container = getattr(store, "container_name", None)
    if container is None:
        raise BackendError(f"the datastore {name} is no blob store, and its files are not read: name a directory")
    secrets = store.credentials
    opened_by = getattr(secrets, "sas_token", None) or getattr(secrets, "account_key", None) or credential
    host = f"https://{store.account_name}.blob.{store.endpoint or 'core.windows.net'}"
    return ContainerClient(host, container, credential=opened_by)


def _listed(container: Any, path: str, name: str) -> dict[str, int]:
    """Return the size in bytes of the file at a path, or of each file below it.

    Raises:
        BackendError: there is no file, or there are too many or too large files.
    """
    found: dict[str, int] = {}
    total = 0
    for blob in container.list_blobs(name_starts_with=path):
        rest = blob.name.removeprefix(path)
        if rest[:1] not in ("", "/") or rest == "/" or (not rest and not blob.size) or _is_folder(blob):
            continue  # a path that only begins with the same characters, or the marker of a directory
        found[blob.name] = blob.size
        total += blob.size
        if total > MOST_BYTES or len(found) > MOST_FILES:
            raise BackendError(
                f"{name}: over {MOST_FILES:,} files or {MOST_BYTES / 1e9:,.0f} GB: name what is below it"
            )
    if not found:
        raise BackendError(f"{name}: there is no such model, and no file of that name: has the job completed?")
    return found


def _is_folder(blob: Any) -> bool:
    return bool((blob.metadata or {}).get("hdi_isfolder"))


def _download(container: Any, blob: str, size_bytes: int, path: Path) -> None:
    """Write a file.

    Raises:
        BackendError: it is not as listed, or there is no room for it.
    """
    written = 0
    try:
        with path.open("xb") as file:
            for chunk in _chunks(container, blob):
                written += len(chunk)
                if written > size_bytes:
                    break
                file.write(chunk)
    except OSError as error:
        raise BackendError(f"{path}: cannot be written: {error.strerror}: make room there, and try again") from None
    if written != size_bytes:
        raise BackendError(f"{PurePosixPath(blob).name}: changed while it was fetched: try again")


def _chunks(container: Any, blob: str) -> Iterator[bytes]:
    yield from container.download_blob(blob, max_concurrency=1).chunks()
