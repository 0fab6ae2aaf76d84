"""The description of endpoints by a backend: values without types of an SDK, and their JSON."""

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
        state: in the backend's own word (`Succeeded`, `Healthy`, …).
        traffic: percent of the requests that it gets.
        app_insights: whether Application Insights is on; None where the backend does not say.
        instances: how many are running, None where the backend does not say.
        model: where it was taken from, or its name and version at Azure.
        model_sha256: of the copy that is served, on this machine; at Azure, of the files that a pipeline uploaded.
        model_at: when it was copied, ISO 8601, UTC.
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
        state: in the backend's own word.
        auth: `key`, `aad`, `aml_token` or `none`, as `epkit.toml` has it.
        app_insights: as in `Deployment`: whether it is on in all of them.
        compute: what it runs on, in the backend's own word (`aci`, `aks`, `managed`, `process`).
        workspace: its name at Azure; None for this machine.
        error: the backend's own words where it is not well.
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
    """The two keys of an endpoint, either of which opens it."""

    primary: Secret = field(repr=False)
    secondary: Secret = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token for scoring.

    Args:
        refresh_at_s, expires_at_s: seconds since 1970; the first is when to ask for the next one.
    """

    text: Secret = field(repr=False)
    refresh_at_s: float
    expires_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """A request as recorded in Application Insights.

    Args:
        time: when it began, ISO 8601, UTC.
        duration_ms: what the server spent on it, in whole milliseconds.
        success: in the server's own judgement.
        reply: what was answered, None where replies are not recorded.
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
        """Tell whether the client or the server calls it so."""
        return request_id in (self.client_request_id, self.request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An entry script, and what is deployed with it.

    Args:
        code: its directory, absolute; *entry* is relative to it, with slashes.
        selection: what of the directory is deployed, as `epkit.backends.copies` has it.
    """

    code: str
    entry: str
    selection: Literal["all", "code", "modules"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model that a workspace of Azure has.

    Args:
        reference: `azureml:NAME:VERSION`, the version a number.
    """

    reference: str
    kind: ModelKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What `epkit deploy update --model` was asked for.

    Args:
        model, kind, source, contract: of the new model, as in `Order`.
        script: None for the one that is deployed; on this machine, if it was one of the old model's files, the file
            of that name in the new model. None for an MLflow model.
        environment: as in `Order`; None for what is deployed.
        deployment: at Azure, the name of the new deployment; None for one that epkit chooses.
        env: names of further variables that the script sees, for this machine.
        model_sha256: of the model's files, for Azure to remember; None where it is not known.
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
    """What `epkit deploy create` was asked for.

    Args:
        model: the directory (or file) of the model, absolute; at Azure also the reference of one that is registered.
        script: None for an MLflow model.
        source: where a model was fetched from, to show instead of *model*; None where nobody fetched it.
        contract: of an MLflow model, made of its signature; an OpenAPI document.
        environment: a conda file, absolute, or the `azureml:NAME:VERSION` of an environment that is there.
        compute: `aci` or `aks`, for azureml-v1.
        env: names of variables that the script sees of the environment, for this machine.
        model_sha256: of the model's files, for Azure to remember; None where it is not known.
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
        ValueError: not of this form, or the percents do not sum up to 100 (or to 0, for none at all); the message
            says which.
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
    """Turn a value of this module into what JSON knows, its fields in their order; a `Secret` becomes `***`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value


def unseen(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Tell the new lines of a log from those that were there when it was read last.

    Args:
        before, after: the last lines of the same growing log, read one after the other.

    Returns:
        What follows in *after* on the longest end of *before* that *after* holds; all of it where they share nothing.
    """
    for start in range(len(before) + 1):
        known = before[start:]
        # Where lines repeat, the last place counts: rather one line too few than repeated lines.
        for at in range(len(after) - len(known), -1, -1):
            if tuple(after[at : at + len(known)]) == tuple(known):
                return tuple(after[at + len(known) :]) if known else tuple(after)
    return tuple(after)
