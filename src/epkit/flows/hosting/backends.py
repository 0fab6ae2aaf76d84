"""Chooses the backend of a command: `--backend`, the endpoint's entry in `epkit.toml`, otherwise this machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from epkit.backends.base import Backend, RegistryBackend, StagedBackend, StoreBackend
from epkit.backends.copies import copy_tree
from epkit.core.hosting.deployments import BACKENDS, BackendName
from epkit.core.http import url as urls
from epkit.core.near import not_one_of
from epkit.endpoint.config import Config, TargetSpec
from epkit.endpoint.finding import find_config, found_note
from epkit.endpoint.keys import Key
from epkit.errors import UsageError, unwritable
from epkit.flows.azure import open_azure
from epkit.flows.context import Context
from epkit.flows.target.target import Target
from epkit.paths import inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An endpoint, and its backend.

    Args:
        name: the name in `epkit.toml`; *service* is the name at the backend.
        entry: the endpoint's entry in `epkit.toml`.
        config: the nearest `epkit.toml`.
    """

    backend: Backend
    name: str
    service: str
    entry: TargetSpec | None
    config: Config | None


def find_place(name: str | None, backend: str | None, context: Context) -> Place:
    """Find an endpoint's backend.

    Args:
        name: None means all endpoints of a backend: without *backend*, that of the default endpoint.
        backend: value of `--backend`.

    Raises:
        UsageError: there is no such backend, its extra is not installed, or `epkit.toml` is invalid.
    """
    config = find_config(context.cwd, context.environ)
    default = None if config is None else config.default
    entry = None if config is None else config.endpoint(name if name is not None else default or "")
    known = None if entry is None or entry.backend is None else _known(f"{entry.place}.backend:", entry.backend)
    chosen = known or "local" if backend is None else _known("--backend", backend)
    if known != chosen:
        entry = None  # another endpoint of the same name
    if entry is not None and (note := found_note(entry)) is not None:
        context.note(note)
    return Place(
        backend=_open(chosen, context, workspace=None if entry is None else entry.workspace),
        name=name or "",
        service=(entry.service if entry is not None and name is not None else None) or name or "",
        entry=entry,
        config=config,
    )


def staged(place: Place) -> StagedBackend:
    """Return the backend of an endpoint at Azure that has several deployments (SDK v2).

    Raises:
        UsageError: it is another backend.
    """
    if place.backend.name != "azureml":
        raise UsageError(
            f"{place.name}: the backend {place.backend.name} cannot have several deployments of an endpoint"
        )
    return cast("StagedBackend", place.backend)


def registry(place: Place) -> RegistryBackend:
    """Return the backend of an endpoint at Azure, whose workspace has registered models.

    Raises:
        UsageError: the backend is this machine, which has no registered models.
    """
    if place.backend.name == "local":
        raise UsageError(f"{place.name}: this machine has no registered models: name a directory")
    return cast("RegistryBackend", place.backend)


def store(place: Place, context: Context) -> StoreBackend:
    """Return the backend that fetches the files of models from a workspace: SDK v2, for every backend.

    Raises:
        UsageError: the extra azure-v2 is not installed.
    """
    if place.backend.name == "azureml":
        return cast("StoreBackend", place.backend)
    workspace = None if place.entry is None else place.entry.workspace
    return cast("StoreBackend", open_azure("azureml", context, workspace=workspace))


def copy_model(model: Path, destination: Path) -> str:
    """Copy the whole directory of a model; the files of the copy are read-only.

    Args:
        destination: does not exist yet; its parent exists.

    Returns:
        The SHA-256 of the files, as in `Deployment.model_sha256`.

    Raises:
        UsageError: the model cannot be read, or the copy cannot be written; then the incomplete copy is removed.
    """
    try:
        return copy_tree(model.resolve(), destination)
    except BaseException as error:
        shutil.rmtree(destination, ignore_errors=True)
        if isinstance(error, OSError):
            raise unwritable(str(destination), error) from None
        raise


def _known(where: str, backend: str) -> BackendName:
    for name in BACKENDS:
        if name == backend:
            return name
    raise not_one_of(where, backend, BACKENDS)


def _open(name: BackendName, context: Context, *, workspace: str | None) -> Backend:
    if name != "local":
        return open_azure(name, context, workspace=workspace)
    from epkit.backends.local.backend import LocalBackend

    return LocalBackend(context.environ, context.note, _is_healthy)


def _is_healthy(url: str, timeout_s: float) -> bool:
    from epkit.flows.target.client import client_for, wait_for  # late: `list` without endpoints needs neither
    from epkit.flows.target.request_options import TargetOptions

    uri = urls.parse(url)
    target = Target(spec=TargetSpec(uri=uri), uri=uri, key=Key(), contract=uri, secrets=[])
    client = client_for(target, TargetOptions(timeout_s=timeout_s))
    return wait_for(client.send(client.request("GET", uri.path))).status == 200


def key_path(place: Place, context: Context) -> Path:
    """Return the file for an endpoint's key, if `epkit.toml` names none: a private file outside every project.

    Raises:
        UsageError: the name of the endpoint or its workspace cannot be a file name.
    """
    from epkit.backends.local.state import state_directory

    workspace = getattr(place.backend, "workspace", None)
    parts = [part for part in (place.backend.name, workspace and workspace.name) if part]
    path = state_directory(context.environ) / "keys"
    for part in (*parts, f"{place.service}.key"):
        path = inside(path, part, where="the name of the endpoint or its workspace")
    return path
