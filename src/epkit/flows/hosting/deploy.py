"""`epkit deploy`: create, show, change and delete endpoints on any backend."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from epkit.core.contract.contract import ParsedContract
from epkit.core.hosting.deployments import Endpoint, Keys, Order, Replacement
from epkit.core.http.destination import Proxy
from epkit.core.http.masking import mask_text
from epkit.core.http.secret import Secret
from epkit.endpoint.config_writing import home_relative, remove_entry, write_entry
from epkit.endpoint.config_writing import place as config_place
from epkit.endpoint.finding import unread_note
from epkit.errors import EndpointError, UsageError, unwritable
from epkit.files.writing import replacing
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place, key_path
from epkit.flows.hosting.packing import pack
from epkit.flows.hosting.proof import Scored, UnansweredError, check_flags, client_to, fetch_contract, score_row
from epkit.flows.target.client import Client
from epkit.flows.target.request_options import TargetOptions
from epkit.flows.target.tokens import bearer
from epkit.paths import inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The endpoint that `create` made, or that `update` changed.

    Args:
        config, swagger, key_file: the files that were written; None if there was nothing to write.
        scored: None if the contract has no example to score.
    """

    endpoint: Endpoint
    config: Path
    swagger: Path | None
    key_file: Path | None
    scored: Scored | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysWritten:
    """The result of `keys`.

    Args:
        key_file: the file that the primary key was written to; None if the keys are shown instead.
        keys: the keys, if they are shown.
    """

    endpoint: str
    backend: str
    key_file: Path | None
    keys: Keys | None = field(default=None, repr=False)


def make_order(
    place: Place, context: Context, *, model: str, entry: str | None, code: str | None, **more: Any
) -> Order:
    """Check the parts of a deployment before anything is sent.

    Args:
        model: a path, or at Azure the reference of a registered model.
        more: the other fields of an order.

    Raises:
        UsageError: the model, the script or the environment's file is missing or unsuitable.
    """
    compute, _, cluster = (more.pop("compute", None) or "").partition(":")
    if compute not in ("", "aci", "aks") or (cluster and compute != "aks") or (compute == "aks" and not cluster):
        raise UsageError(f"--compute {compute}: aci, or aks:CLUSTER, of a cluster that is attached to the workspace")
    parts = pack(place, context, model=model, entry=entry, code=code, environment=more.pop("environment", None),
                 env=more.get("env"), source=more.pop("source", None), kept=False)  # fmt: skip
    return Order(name=place.service, **parts, compute=compute or None, compute_target=cluster or None, **more)


def make_replacement(
    place: Place, context: Context, *, model: str, entry: str | None, code: str | None, **more: Any
) -> Replacement:
    """Check the parts of a replacement before anything is sent.

    Args:
        model, more: as in `make_order`.

    Raises:
        UsageError: the model, the script or the environment's file is missing or unsuitable.
    """
    parts = pack(place, context, model=model, entry=entry, code=code, environment=more.pop("environment", None),
                 env=more.get("env"), source=more.pop("source", None), kept=True)  # fmt: skip
    return Replacement(name=place.service, **parts, **more)


def create(place: Place, order: Order, context: Context, reach: TargetOptions) -> Created:
    """Deploy, fetch the contract, write `epkit.toml`, score a row.

    Args:
        reach: the options that say how to reach the new endpoint.

    Raises:
        BackendError: the backend refused.
        EndpointError: it is deployed and in `epkit.toml`, but does not reply, or a row is not scored.
    """
    proxy = check_flags(reach, context, local=place.backend.name == "local")
    if place.entry is not None:
        place.entry.check_keys()
    endpoint = place.backend.create(order, context.note)
    return adopt(place, endpoint, context, reach, proxy=proxy, deployment=order.deployment)


def adopt(
    place: Place,
    endpoint: Endpoint,
    context: Context,
    reach: TargetOptions,
    *,
    proxy: Proxy | None,
    deployment: str | None,
) -> Created:
    """Add an existing endpoint: save its contract and its key, write `epkit.toml`, score a row.

    Args:
        reach, proxy: the argument of `check_flags`, and its result.
        deployment: the deployment whose contract is fetched and that scores the row.

    Raises:
        EndpointError: it is in `epkit.toml`, but does not reply, or a row is not scored.
    """
    authorized, key_file = _credentials(place, endpoint, context)
    path = config_place(place.config, context.cwd)
    client = client_to(endpoint, authorized, context, reach=reach, proxy=proxy, deployment=deployment)
    try:
        swagger, contract = _keep_contract(place, endpoint, client, path.parent, context)
    except UnansweredError as error:
        _write_down(place, endpoint, path, None, key_file, context)
        raise UnansweredError(f"{endpoint.name}: it is deployed, but does not answer: {error}") from None
    _write_down(place, endpoint, path, swagger, key_file, context)
    scored = None if contract is None else score_row(endpoint, contract, client, context)
    return Created(endpoint=endpoint, config=path, swagger=swagger, key_file=key_file, scored=scored)


def update(place: Place, replacement: Replacement, context: Context, reach: TargetOptions) -> Created:
    """Replace the model of an endpoint, fetch its contract, score a row; URL, key and `epkit.toml` stay as they are.

    Args:
        reach: the options that say how to reach the endpoint.

    Raises:
        BackendError: the backend refused, and the former model still serves.
        EndpointError: the new model serves, but a row is not scored.
    """
    proxy = check_flags(reach, context, local=place.backend.name == "local")
    if place.entry is not None:
        place.entry.check_keys()
    endpoint = place.backend.update(replacement, context.note)
    authorized = authorization(place, endpoint, context)
    path = config_place(place.config, context.cwd)
    client = client_to(endpoint, authorized, context, reach=reach, proxy=proxy)
    swagger, contract = _keep_contract(place, endpoint, client, path.parent, context)
    scored = None if contract is None else score_row(endpoint, contract, client, context)
    return Created(endpoint=endpoint, config=path, swagger=swagger, key_file=None, scored=scored)


def keys(
    place: Place,
    context: Context,
    *,
    regenerate: Literal["primary", "secondary"] | None = None,
    reveal: bool = False,
    key_file: str | None = None,
) -> KeysWritten:
    """Fetch an endpoint's keys, renew one on request, and write the primary key to the file that commands read.

    Raises:
        UsageError: there is no file to write to.
        BackendError: the backend refused.
    """
    target = _key_target(place, context, key_file)
    if target is None and not reveal:
        assert place.entry is not None
        raise UsageError(
            f"{place.entry.place}: key_env names a variable, which cannot be written: --key-file FILE, or --reveal"
        )
    backend = place.backend
    found = backend.keys(place.service) if regenerate is None else (
        backend.regenerate(place.service, regenerate, context.note)
    )  # fmt: skip
    context.know((found.primary, found.secondary))
    # The file that commands read must not keep a key that was replaced.
    written = target if not reveal or (regenerate == "primary" and target is not None and target.exists()) else None
    if written is not None:
        write_key(written, found.primary)
    shown = found if reveal else None
    return KeysWritten(endpoint=place.service, backend=backend.name, key_file=written, keys=shown)


def swagger(place: Place, context: Context, reach: TargetOptions, *, output: str | None) -> Path:
    """Fetch an endpoint's contract.

    Args:
        reach: the options that say how to reach the endpoint.
        output: a file; None for `swagger/NAME.json` next to `epkit.toml`.

    Raises:
        EndpointError: the contract cannot be fetched.
    """
    proxy = check_flags(reach, context, local=place.backend.name == "local")
    endpoint = place.backend.show(place.service)
    authorized = authorization(place, endpoint, context)
    document, _ = fetch_contract(endpoint, client_to(endpoint, authorized, context, reach=reach, proxy=proxy))
    path = config_place(place.config, context.cwd).parent
    file = _contract_file(path, place.name) if output is None else context.cwd / output
    _write_file(file, document, context)
    return file


def delete(place: Place, context: Context) -> None:
    """Delete an endpoint, its saved key, and its entry in `epkit.toml`.

    Raises:
        BackendError: the backend refused.
    """
    place.backend.delete(place.service, context.note)
    kept = key_path(place, context)
    try:
        kept.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(f"{kept}: cannot be deleted", error) from None
    if place.config is not None and place.entry is not None:
        remove_entry(place.config.path, place.name)
        context.note(f"{place.config.path}: endpoints.{place.name} is removed")


def write_key(file: Path, key: Secret) -> None:
    """Write a key to a file that only its owner can read."""
    from epkit.backends.local.state import write_private

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, key.reveal().encode() + b"\n")
    except OSError as error:
        raise unwritable(f"{file}: cannot be written", error) from None


def _key_target(place: Place, context: Context, key_file: str | None) -> Path | None:
    if key_file is not None:
        return context.cwd / Path(key_file).expanduser()
    if place.entry is not None:
        place.entry.check_keys()
    if place.entry is not None and place.entry.key_file is not None:
        return place.entry.key_file
    if place.entry is not None and place.entry.key_env is not None:
        return None
    return key_path(place, context)


def _credentials(place: Place, endpoint: Endpoint, context: Context) -> tuple[Secret | None, Path | None]:
    """Return the authorization for a new endpoint, and the file that its key was written to."""
    if endpoint.auth != "key":
        return authorization(place, endpoint, context), None
    file = place.entry.key_file if place.entry is not None and place.entry.key_file else key_path(place, context)
    key = _key(place, endpoint.name, context)
    write_key(file, key)
    return bearer(key), file


def _key(place: Place, name: str, context: Context) -> Secret:
    found = place.backend.keys(name)
    context.know((found.primary, found.secondary))
    return found.primary


def authorization(place: Place, endpoint: Endpoint, context: Context) -> Secret | None:
    """Return the value of the Authorization header for an endpoint; None if the endpoint requires none.

    Raises:
        BackendError: the backend does not give a key or a token.
    """
    if endpoint.auth == "none":
        return None
    if endpoint.auth == "key":
        return bearer(_key(place, endpoint.name, context))
    text = place.backend.token(endpoint.name).text
    context.know((text,))
    return bearer(text)


def _keep_contract(
    place: Place, endpoint: Endpoint, client: Client, directory: Path, context: Context
) -> tuple[Path | None, ParsedContract | None]:
    try:
        document, contract = fetch_contract(endpoint, client)
    except UnansweredError:
        raise
    except (EndpointError, UsageError) as error:
        context.note(f"no contract: {error}")
        return None, None
    file = _contract_file(directory, place.name)
    _write_file(file, document, context)
    return file, contract


def _contract_file(directory: Path, name: str) -> Path:
    return inside(directory / "swagger", f"{name}.json", where="the endpoint's name")


def _write_file(file: Path, document: bytes, context: Context) -> None:
    """Write a contract, credentials masked, because a server may quote the key in it."""
    text = mask_text(document.decode("utf-8", "surrogateescape"), context.secrets, distinct=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as new:
            new.write(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise unwritable(f"{file}: cannot be written", error) from None


def _write_down(
    place: Place, endpoint: Endpoint, path: Path, swagger: Path | None, key_file: Path | None, context: Context
) -> None:
    """Write the endpoint into `epkit.toml`."""
    old = None if place.config is None else place.config.endpoints.get(place.name)
    if old is not None and old.uri is not None and old.backend != endpoint.backend:
        context.note(f"{old.place}: {old.uri.shown} gives way to {endpoint.scoring_uri}")
    if old is not None and old.key_env is not None and key_file is not None:
        context.note(f"{old.place}: key_env gives way to key_file: this endpoint has a new key")
    entry = {
        "uri": endpoint.scoring_uri,
        "swagger": None if swagger is None else swagger.relative_to(path.parent).as_posix(),
        "auth": endpoint.auth,
        "key_env": None,
        "key_file": None if key_file is None else home_relative(key_file, context.environ),
        "backend": endpoint.backend,
        "service": endpoint.name,
        "workspace": endpoint.workspace,
    }
    if place.entry is not None and place.entry.key_file is not None and key_file is not None:
        del entry["key_file"]  # it stays as the user wrote it
    write_entry(path, place.name, entry)
    if (unread := unread_note(path, context.cwd, context.environ)) is not None:
        context.note(unread)
    elif place.config is not None and place.config.path != path:
        context.note(f"{path}: from here on it is read instead of {place.config.path}")
