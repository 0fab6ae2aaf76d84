"""Values with which a backend describes endpoints, without types of an SDK, and their JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal

from epkit.core.http.secret import Secret

AzureName = Literal["azureml", "azureml-v1"]
AZURE: Final[tuple[AzureName, ...]] = ("azureml", "azureml-v1")
BackendName = Literal["local", AzureName]
BACKENDS: Final[tuple[BackendName, ...]] = ("local", *AZURE)

DEFAULT_DEPLOYMENT: Final = "blue"

ModelKind = Literal["custom", "mlflow"]
"""`custom`: files that a script opens. `mlflow`: a directory with an `MLmodel`, which is served without a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model version behind an endpoint.

    Args:
        state: the backend's own word (`Succeeded`, `Healthy`, …).
        traffic: percentage of the requests that it gets.
        app_insights: whether Application Insights is on; None if the backend does not report it.
        instances: number of running instances, None if the backend does not report it.
        model: the source of the model, or its name and version at Azure.
        model_sha256: digest: on this machine, of the copy that is served; at Azure, of the files that a pipeline
            uploaded.
        model_at: time of the copy, ISO 8601, UTC.
    """

    name: str
    state: str
    traffic: int
    app_insights: bool | None = None
    model: str | None = None
    model_sha256: str | None = None
    model_at: str | None = None
    instance_type: str | None = None
    instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A stable URI at a backend.

    Args:
        state: the backend's own word.
        auth: `key`, `aad`, `aml_token` or `none`, as in `epkit.toml`.
        app_insights: as in `Deployment`: whether it is on in all deployments.
        compute: the type of compute, the backend's own word (`aci`, `aks`, `managed`, `process`).
        workspace: name of the workspace at Azure; None for this machine.
        error: the backend's own message if the endpoint has a problem.
    """

    name: str
    backend: BackendName
    state: str
    scoring_uri: str | None
    swagger_uri: str | None
    auth: Literal["key", "aad", "aml_token", "none"]
    app_insights: bool | None
    compute: str | None = None
    workspace: str | None = None
    created_at: str | None = None
    error: str | None = None
    deployments: tuple[Deployment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The two keys of an endpoint; each of them gives access."""

    primary: Secret = field(repr=False)
    secondary: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token for scoring.

    Args:
        refresh_at_s: when to request the next token, seconds since 1970.
        expires_at_s: when it expires, seconds since 1970.
    """

    text: Secret = field(repr=False)
    refresh_at_s: float
    expires_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """A request that Application Insights has recorded.

    Args:
        time: its start, ISO 8601, UTC.
        duration_ms: the server's time for it, in whole milliseconds.
        success: the server's own judgement.
        reply: the reply, None if replies are not recorded.
    """

    time: str
    status: int
    duration_ms: float
    success: bool
    name: str
    request_id: str
    client_request_id: str
    reply: str | None = None

    def is_called(self, request_id: str) -> bool:
        """Tell whether this is the client's or the server's id of the request."""
        return request_id in (self.client_request_id, self.request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An entry script, and the files that are deployed with it.

    Args:
        code: its directory, absolute; *entry* is relative to it, with slashes.
        selection: the selected files of the directory, as `epkit.backends.copies` defines them.
    """

    code: str
    entry: str
    selection: Literal["all", "code", "modules"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model in a workspace of Azure.

    Args:
        reference: `azureml:NAME:VERSION`; the version is a number.
    """

    reference: str
    kind: ModelKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The values of `epkit deploy update --model`.

    Args:
        model, kind, source, contract: as in `Order`, for the new model.
        script: None for the script that is deployed; on this machine, if that script was one of the old model's files,
            the file of the same name in the new model is used. None for an MLflow model.
        environment: as in `Order`; None for the one that is deployed.
        deployment: at Azure, the name of the new deployment; None for a name that epkit chooses.
        env: names of further environment variables for the script, on this machine.
        model_sha256: digest of the model's files, which Azure stores; None if it is not known.
    """

    name: str
    model: str
    script: Script | None = None
    environment: str | None = None
    deployment: str | None = None
    env: tuple[str, ...] = ()
    model_sha256: str | None = None
    kind: ModelKind = "custom"
    source: str | None = None
    contract: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The values of `epkit deploy create`.

    Args:
        model: the directory (or file) of the model, absolute; at Azure also the reference of a registered model.
        script: None for an MLflow model.
        source: the source of a model that was fetched, which is shown instead of *model*; None if it was not fetched.
        contract: the contract of an MLflow model, made from its signature; an OpenAPI document.
        environment: a conda file, absolute, or the `azureml:NAME:VERSION` of an existing environment.
        compute: `aci` or `aks`, for azureml-v1.
        env: names of the environment variables that the script gets, on this machine.
        model_sha256: digest of the model's files, which Azure stores; None if it is not known.
        traffic: whether the first deployment of an endpoint at Azure gets its requests at once.
    """

    name: str
    model: str
    script: Script | None
    app_insights: bool = False
    deployment: str = DEFAULT_DEPLOYMENT
    environment: str | None = None
    compute: str | None = None
    compute_target: str | None = None
    instance_type: str | None = None
    instances: int = 1
    env: tuple[str, ...] = ()
    model_sha256: str | None = None
    traffic: bool = True
    kind: ModelKind = "custom"
    source: str | None = None
    contract: bytes | None = field(default=None, repr=False)


def parse_traffic(text: str) -> dict[str, int]:
    """Read `blue=90,green=10`.

    Raises:
        ValueError: the text has another form, or the sum of the percentages is neither 100 nor 0 (no traffic); the
            message says which.
    """
    shares: dict[str, int] = {}
    for part in text.split(","):
        name, equals, percent = (piece.strip() for piece in part.partition("="))
        if not name or not equals or not percent.isascii() or not percent.isdigit():
            raise ValueError("traffic is written NAME=PERCENT,NAME=PERCENT: blue=90,green=10")
        if name in shares:
            raise ValueError(f"{name} is named twice")
        shares[name] = int(percent)
    if sum(shares.values()) not in (0, 100):
        raise ValueError(f"the percents are {sum(shares.values())} together, not 100")
    return shares


def plain(value: Any) -> Any:
    """Convert a value of this module to JSON values, its fields in their order; a `Secret` becomes `***`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value


def unseen(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of a log that are new since it was last read.

    Args:
        before, after: the last lines of the same growing log, read first and then again.

    Returns:
        The lines in *after* that follow the longest end of *before* in it; all of *after* if they share no lines.
    """
    for start in range(len(before) + 1):
        known = before[start:]
        # If lines occur repeatedly, the last place counts: a missing line is better than a repeated one.
        for at in range(len(after) - len(known), -1, -1):
            if tuple(after[at : at + len(known)]) == tuple(known):
                return tuple(after[at + len(known) :]) if known else tuple(after)
    return tuple(after)
