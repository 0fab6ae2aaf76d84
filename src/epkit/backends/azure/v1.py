"""Web services on ACI and AKS, with azureml-core (SDK v1). It is out of support, but existing services still work."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from epkit.backends.azure.sdk import (
    TAIL_LINES,
    WorkspaceBackend,
    calling,
    conda_file,
    is_missing,
    lines_of,
    translating,
    uploadable,
    warn_of_missing_server,
)
from epkit.backends.azure.workspace import Workspace
from epkit.backends.base import Say
from epkit.core.hosting.deployments import (
    DEFAULT_DEPLOYMENT,
    BackendName,
    Deployment,
    Endpoint,
    Keys,
    Order,
    RegisteredModel,
    Replacement,
    Script,
    Token,
)
from epkit.core.hosting.references import PREFIX, RegisteredReference, is_reference, parse_reference
from epkit.core.http.secret import Secret
from epkit.errors import BackendError, EpkitError, UsageError
from epkit.process import environment

VARIABLES: Final[Mapping[str, str]] = {
    # It retries a refused request for up to 224 s.
    "AZUREML_DEFAULT_RETRIES": "2",
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
    # It sends the git remote's URL, including credentials, with every update; a blank one contains no secret.
    "AZUREML_GIT_REPOSITORY_URI": " ",
    "AZUREML_GIT_BRANCH": " ",
    "AZUREML_GIT_COMMIT": " ",
    "AZUREML_GIT_DIRTY": "0",
    # Otherwise it sends a request to management.azure.com/metadata, with a time limit of 30 s.
    "AZUREML_CURRENT_CLOUD": "AzureCloud",
    "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
}
"""Environment variables that azureml-core reads during its import."""
CPU_CORES, MEMORY_GB = 1, 2
NO_DEPLOYMENTS: Final = "a web service of SDK v1 has no deployments"


class AzureMLv1Backend(WorkspaceBackend):
    """The web services of a workspace."""

    name: BackendName = "azureml-v1"

    def __init__(self, workspace: Workspace, credential: Callable[[], Any], say: Say) -> None:
        """Prepare the backend, as in `WorkspaceBackend`."""
        super().__init__(workspace, credential, say)
        self._token_services: dict[str, Any] = {}

    @cached_property
    def _ws(self) -> Any:
        from azureml.core import Workspace as AzureWorkspace
        from azureml.core.authentication import TokenAuthentication

        credential = self._credential()
        auth = TokenAuthentication(
            lambda audience: credential.get_token(f"{str(audience).rstrip('/')}/.default").token, cloud="AzureCloud"
        )
        where = self.workspace
        with translating(f"the workspace {where.name}"):
            return AzureWorkspace(
                subscription_id=where.subscription, resource_group=where.group, workspace_name=where.name, auth=auth
            )

    def list(self) -> tuple[Endpoint, ...]:
        """Return the web services."""
        with self._calling(self._say, self.workspace.name):
            from azureml.core.webservice import Webservice

            return tuple(self._describe(each) for each in Webservice.list(self._ws))

    def show(self, name: str) -> Endpoint:
        """Return a web service."""
        with self._calling(self._say, name):
            return self._describe(self._service(name))

    def plan(self, order: Order) -> tuple[Mapping[str, Any], ...]:
        """Return what `create` would send."""
        compute: dict[str, Any] = {"computeType": (order.compute or "aci").upper(), "authEnabled": True}
        if order.compute == "aks":
            compute |= {"computeName": order.compute_target, "numReplicas": order.instances}
        else:
            compute |= {"containerResourceRequirements": {"cpu": CPU_CORES, "memoryInGB": MEMORY_GB}}
        script = _needed(order.script)
        model: Mapping[str, Any] = {"step": "use the model", "model": order.model}
        if not is_reference(order.model):
            model = {"step": "register the model", "name": order.name, "from": order.source or order.model}
        return (
            {**model, "workspace": self.workspace.id},
            {"step": "upload the script", "from": script.code, "what": script.selection, "entry": script.entry},
            {"step": "create the service", "name": order.name, "environment": str(_conda(order)),
             "appInsightsEnabled": order.app_insights} | compute,
        )  # fmt: skip

    def create(self, order: Order, say: Say) -> Endpoint:
        """Register the model, upload the script, create the web service."""
        if order.deployment != DEFAULT_DEPLOYMENT:
            raise UsageError(f"--deployment {order.deployment}: {NO_DEPLOYMENTS}")
        script, conda = _needed(order.script), _conda(order)
        warn_of_missing_server(conda, ("azureml-defaults",), say)
        with self._calling(say, order.name) as tell:
            self._refuse_existing(order.name)
            from azureml.core.model import Model

            with self._prepared(order.name, order.model, script, conda, tell) as (registered, inference):
                tell("uploading the script")
                service = Model.deploy(
                    self._ws, order.name, [registered], inference, self._configuration(order), overwrite=False
                )
        self._await(service, say)
        return self.show(order.name)

    def update(self, replacement: Replacement, say: Say) -> Endpoint:
        """Let the service replace its container, as `service.update(models, inference_config)` does."""
        name = replacement.name
        _refuse_deployment(replacement.deployment)
        script, conda = _needed(replacement.script), _conda(replacement)
        warn_of_missing_server(conda, ("azureml-defaults",), say)
        with self._calling(say, name) as tell:
            service = self._service(name)
            with self._prepared(name, replacement.model, script, conda, tell) as (registered, inference):
                tell("uploading the script")
                service.update(models=[registered], inference_config=inference)
        self._await(service, say)
        return self.show(name)

    @contextlib.contextmanager
    def _prepared(self, name: str, model: str, script: Script, conda: Path, tell: Say) -> Iterator[tuple[Any, Any]]:
        """Yield the registered model and the SDK's inference configuration, whose files exist inside the block."""
        from azureml.core import Environment
        from azureml.core.model import InferenceConfig, Model

        path = Path(model)
        with contextlib.ExitStack() as stack:
            if is_reference(model):
                registered = self._registered(model)
            else:
                tell("registering the model")
                stack.enter_context(contextlib.chdir(path.parent))  # it refuses paths outside of the current directory
                registered = Model.register(self._ws, model_path=path.name, model_name=name)
            code = stack.enter_context(uploadable(script))
            yield (
                registered,
                InferenceConfig(
                    entry_script=script.entry,
                    source_directory=code,
                    environment=Environment.from_conda_specification(name, str(conda)),
                ),
            )

    def registered(self, reference: str) -> RegisteredModel:
        """Return a model of the workspace. This SDK deploys every kind with a script."""
        with self._calling(self._say, reference):
            found = self._registered(reference)
            return RegisteredModel(reference=f"{PREFIX}{found.name}:{found.version}", kind="custom")

    def _registered(self, reference: str) -> Any:
        from azureml.core.model import Model

        found = parse_reference(reference)
        if not isinstance(found, RegisteredReference):
            raise UsageError(f"{reference}: the files of a job are no registered model")
        version = found.version
        if version is not None and not version.isdecimal():
            raise UsageError(f"--model {reference}: to SDK v1 a version is a number")
        return Model(self._ws, name=found.name, version=None if version is None else int(version), expand=False)

    def _await(self, service: Any, say: Say) -> None:
        """Wait for a service that was created or updated; if it fails, show the end of its log."""
        try:
            with self._calling(say, service.name) as tell:
                tell("waiting for the service")
                service.wait_for_deployment(show_output=True)
        except BackendError:
            self._say_logs(service.name, say)
            raise

    def set_traffic(self, name: str, traffic: Mapping[str, int], say: Say) -> Endpoint:  # noqa: ARG002
        """Refuse: a web service has no deployments."""
        raise UsageError(f"{name}: {NO_DEPLOYMENTS}, among which requests could be divided")

    def keys(self, name: str) -> Keys:
        """Return the keys."""
        with self._calling(self._say, name):
            service = self._service(name)
            if not service.auth_enabled:
                raise UsageError(f"{name}: it has no keys")
            primary, secondary = service.get_keys()
            return Keys(primary=Secret(primary), secondary=Secret(secondary))

    def regenerate(self, name: str, which: Literal["primary", "secondary"], say: Say) -> Keys:
        """Replace one key; the SDK takes at least 5 s."""
        with self._calling(say, name) as tell:
            tell(f"making a new {which} key")
            self._service(name).regen_key(which.capitalize())
        return self.keys(name)

    def token(self, name: str) -> Token:
        """Return a token for scoring. Only AKS has them."""
        service = self._tokens_of(name)
        with translating(name):
            found = service.get_access_token()
            return Token(
                text=Secret(found.access_token),
                refresh_at_s=found.refresh_after.timestamp(),
                expires_at_s=found.expiry_on.timestamp(),
            )

    def _tokens_of(self, name: str) -> Any:
        """Return the SDK's object of a service that accepts tokens; it is fetched only once."""
        if name not in self._token_services:
            with self._calling(self._say, name):
                service = self._service(name)
                if not service.token_auth_enabled:
                    raise UsageError(f'{name}: it takes keys, not tokens: auth = "key"')
                self._token_services[name] = service
        return self._token_services[name]

    def delete(self, name: str, say: Say) -> None:
        """Delete a web service."""
        with self._calling(say, name) as tell:
            tell("deleting the service")
            self._service(name).delete()
            # The SDK does not check how the operation ended.
            with contextlib.suppress(_MissingError):
                state = self._service(name).state
                raise BackendError(f"{name}: it is not deleted; its state is {state}")

    def logs(self, name: str, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
        """Return the last lines of the container's log, or of the init container's."""
        _refuse_deployment(deployment)
        with self._calling(self._say, name):
            return lines_of(self._service(name).get_logs(num_lines=tail, init=init), tail)

    def set_app_insights(self, name: str, *, on: bool, deployment: str | None, say: Say) -> Endpoint:
        """Call `service.update(enable_app_insights=…)`, as the course does, and wait for its end."""
        _refuse_deployment(deployment)
        with self._calling(say, name) as tell:
            tell(f"turning Application Insights {'on' if on else 'off'}")
            service = self._service(name)
            service.update(enable_app_insights=on)
            if service._operation_endpoint is not None:  # noqa: SLF001 - the only word for an update under way
                service.wait_for_deployment(show_output=True)
        return self.show(name)

    @contextlib.contextmanager
    def _calling(self, say: Say, subject: str) -> Iterator[Say]:
        """Call the SDK. It is imported only here, after its environment variables are set."""
        # During its import it joins paths to HOME.
        home = {"HOME": os.environ.get("HOME") or os.path.expanduser("~")}  # noqa: PTH111 - never raises
        try:
            with environment({**VARIABLES, **home}), calling(say, subject) as aloud:
                yield aloud
        except _MissingError:
            raise BackendError(
                f"{subject}: no web service of this name in the workspace {self.workspace.name}"
            ) from None

    def _service(self, name: str) -> Any:
        """Return the SDK's object.

        Raises:
            _MissingError: there is no such service.
        """
        from azureml.core.webservice import Webservice

        try:
            return Webservice(self._ws, name)
        except Exception as error:
            if "WebserviceNotFound" in str(error) or is_missing(error):
                raise _MissingError(name) from None
            raise

    def _refuse_existing(self, name: str) -> None:
        with contextlib.suppress(_MissingError):
            self._service(name)
            raise BackendError(
                f"{name}: there is a web service of this name: epkit deploy update {name} --model DIR --entry FILE "
                f"replaces its model, epkit deploy delete {name} removes it"
            )

    def _configuration(self, order: Order) -> Any:
        from azureml.core.webservice import AciWebservice, AksWebservice

        common: dict[str, Any] = {"cpu_cores": CPU_CORES, "memory_gb": MEMORY_GB, "auth_enabled": True}
        common["enable_app_insights"] = order.app_insights
        if order.compute != "aks":
            return AciWebservice.deploy_configuration(**common)
        return AksWebservice.deploy_configuration(
            autoscale_enabled=False, num_replicas=order.instances, compute_target_name=order.compute_target, **common
        )

    def _say_logs(self, name: str, say: Say) -> None:
        with contextlib.suppress(EpkitError):
            for line in self.logs(name, tail=TAIL_LINES, init=False, deployment=None):
                say(f"log: {line}")

    def _describe(self, service: Any) -> Endpoint:
        uri = service.scoring_uri
        insights = getattr(service, "enable_app_insights", None)
        token = bool(service.token_auth_enabled)
        return Endpoint(
            name=service.name,
            backend="azureml-v1",
            state=str(service.state),
            scoring_uri=uri,
            swagger_uri=None if uri is None else f"{uri.rpartition('/')[0]}/swagger.json",
            auth="key" if service.auth_enabled else "aml_token" if token else "none",
            app_insights=None if insights is None else bool(insights),
            compute=str(service.compute_type).lower(),
            workspace=self.workspace.name,
            created_at=service.created_time.isoformat(),
            error=_message(service.error),
            deployments=(
                Deployment(
                    name=DEFAULT_DEPLOYMENT,
                    state=str(service.state),
                    traffic=100,
                    app_insights=None if insights is None else bool(insights),
                    instances=getattr(service, "num_replicas", None) or 1,
                ),
            ),
        )


class _MissingError(EpkitError):
    """There is no web service with this name."""

    exit_code = BackendError.exit_code


def _needed(script: Script | None) -> Script:
    if script is None:
        raise UsageError("--entry FILE: which script? SDK v1 sends it again with every model")
    return script


def _conda(order: Order | Replacement) -> Path:
    if (order.environment or "").startswith("azureml:"):
        raise UsageError(f"--environment {order.environment}: with azureml-v1 it is a conda file")
    return conda_file(order)


def _refuse_deployment(deployment: str | None) -> None:
    if deployment not in (None, DEFAULT_DEPLOYMENT):
        raise UsageError(f"--deployment {deployment}: {NO_DEPLOYMENTS}")


def _message(error: Any) -> str | None:
    if isinstance(error, Mapping):
        return ": ".join(str(error[key]) for key in ("code", "message") if error.get(key)) or None
    return str(error) if error else None
