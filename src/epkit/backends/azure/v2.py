"""Managed online endpoints, with azure-ai-ml (SDK v2)."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from epkit.backends.azure import models
from epkit.backends.azure import sdk as azure_sdk
from epkit.backends.azure.sdk import (
    TAIL_LINES,
    WorkspaceBackend,
    calling,
    conda_file,
    lines_of,
    translating,
    uploadable,
    warn_of_missing_server,
)
from epkit.backends.azure.workspace import Workspace
from epkit.backends.base import Say
from epkit.core.hosting.azure_resources import differences, put_body
from epkit.core.hosting.deployments import (
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
from epkit.core.hosting.references import Reference, is_reference, shown
from epkit.core.http.secret import Secret
from epkit.errors import BackendError, EpkitError, UsageError

IMAGE: Final = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
SERVERS: Final = ("azureml-inference-server-http", "azureml-defaults")
INSTANCE_TYPE: Final = "Standard_DS3_v2"
RETRIES: Final = 3
"""Retries of a request; azure-core's default of 10 takes minutes."""

PROGRESS_EVERY_S: Final = 30.0

MODEL_TAG: Final = "epkit-model-sha256"
"""Tag of a deployment: hash of the files from which its model was uploaded."""

_AUTHS: Final[Mapping[str, Literal["key", "aml_token", "aad"]]] = {
    "key": "key", "amltoken": "aml_token", "aml_token": "aml_token", "aadtoken": "aad", "aad_token": "aad",
}  # fmt: skip


class AzureMLBackend(WorkspaceBackend):
    """The managed online endpoints of a workspace."""

    name: BackendName = "azureml"

    def __init__(self, workspace: Workspace, credential: Callable[[], Any], say: Say) -> None:
        """Prepare the backend, as in `WorkspaceBackend`."""
        super().__init__(workspace, credential, say)
        self._body: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
        self._seen: Any = None
        self._place: str | None = None

    @cached_property
    def _client(self) -> Any:
        return ml_client(
            self.workspace,
            self._credential(),
            retry_total=RETRIES,
            retry_backoff_factor=0.3,
            raw_request_hook=self._about_to_send,
            raw_response_hook=self._received,
        )

    @cached_property
    def _endpoints(self) -> Any:
        with calling(self._say, self.workspace.name):
            return self._client.online_endpoints

    def list(self) -> tuple[Endpoint, ...]:
        """Return the endpoints, without their deployments."""
        with calling(self._say, self.workspace.name):
            return tuple(_describe(self.workspace.name, each) for each in self._client.online_endpoints.list())

    def show(self, name: str) -> Endpoint:
        """Return an endpoint."""
        with calling(self._say, name):
            endpoint = self._client.online_endpoints.get(name)
            return _describe(self.workspace.name, endpoint, tuple(self._client.online_deployments.list(name)))

    def plan(self, order: Order) -> tuple[Mapping[str, Any], ...]:
        """Return what `create` would send."""
        steps: list[Mapping[str, Any]] = []
        script = order.script
        if script is not None:
            named = order.environment is not None and order.environment.startswith("azureml:")
            environment = order.environment if named else str(conda_file(order))
            steps = [
                {"step": "upload the script", "from": script.code, "what": script.selection},
                {"step": "use the environment" if named else "register the environment", "environment": environment}
                | ({} if named else {"image": IMAGE}),
            ]
        if is_reference(order.model):
            steps.append({"step": "use the model", "model": order.model})
        else:
            steps.append({"step": "register the model", "name": order.name, "type": models.TYPES[order.kind],
                          "from": order.source or order.model})  # fmt: skip
        return (
            {"step": "create the endpoint, unless it is there", "name": order.name, "authMode": "Key",
             "workspace": self.workspace.id},
            *steps,
            {"step": "create the deployment", "name": order.deployment,
             **({} if script is None else {"scoringScript": script.entry}),
             "instanceType": order.instance_type or INSTANCE_TYPE, "capacity": order.instances,
             "appInsightsEnabled": order.app_insights},
            {"step": "send it the traffic, if it is the first", "traffic": {order.deployment: 100}},
        )  # fmt: skip

    def create(self, order: Order, say: Say) -> Endpoint:
        """Create the endpoint if it does not exist, and a deployment. The first deployment gets the traffic."""
        with contextlib.ExitStack() as uploads:
            own: dict[str, Any] = {}
            if order.script is not None:
                environment = order.environment or str(conda_file(order))
                own["environment"] = self._environment(order.name, environment, say)
            with calling(say, order.name) as say:
                if order.script is not None:
                    own["code_configuration"] = _code(order.script, uploads)
                deployment = self._deployment(order, own)
                traffic = self._ensure_endpoint(order, say)
            try:
                with calling(say, f"{order.name}/{order.deployment}") as say:
                    say("uploading what is new, registering it")
                    poller = self._client.online_deployments.begin_create_or_update(deployment)
                    wait(poller, f"creating the deployment {order.deployment}", say)
            except BackendError:
                self._say_logs(order.name, order.deployment, say)
                raise
        if order.traffic and not traffic:
            self.set_traffic(order.name, {order.deployment: 100}, say)
        return self.show(order.name)

    def update(self, replacement: Replacement, say: Say) -> Endpoint:
        """Create a deployment with the other model next to the old one, move the traffic, and delete the old one."""
        name = replacement.name
        old, new = self.create_candidate(replacement, say)
        self.set_traffic(name, {new: 100}, say)
        try:
            self.delete_deployment(name, old, say)
        except BackendError as error:
            say(f"{new} serves, but {old} is there still: {error}")
        return self.show(name)

    def create_candidate(self, replacement: Replacement, say: Say) -> tuple[str, str]:
        """Create a deployment with another model next to the live one; it gets no traffic.

        Returns:
            The live deployment, and the new one.

        Raises:
            BackendError: it failed, and the new deployment is removed.
        """
        name = replacement.name
        old, new = self._beside(self.show(name), replacement.deployment)
        self._check_script(old, replacement)
        environment = replacement.environment and self._environment(name, replacement.environment, say)
        try:
            with calling(say, f"{name}/{new}") as say:
                say("uploading the model")
                self._create_like(old, new, replacement, environment, say)
        except BackendError:
            self._say_logs(name, new, say)
            with contextlib.suppress(EpkitError):
                self.delete_deployment(name, new, say)
            raise
        return old, new

    def delete_deployment(self, name: str, deployment: str, say: Say) -> None:
        """Delete a deployment that gets no traffic, if it exists.

        Raises:
            BackendError: it cannot be deleted.
        """
        with calling(say, name) as say:
            try:
                poller = self._client.online_deployments.begin_delete(name=deployment, endpoint_name=name)
            except Exception as error:
                if not azure_sdk.is_missing(error):
                    raise
                return
            wait(poller, f"deleting the deployment {deployment}", say)

    @staticmethod
    def _beside(endpoint: Endpoint, wanted: str | None) -> tuple[str, str]:
        """Return the live deployment, and a name for the new one.

        Raises:
            BackendError: not exactly one deployment is live, or no name is free.
        """
        there = {each.name: each.traffic for each in endpoint.deployments}
        serving = [name for name, share in there.items() if share]
        if len(serving) != 1:
            among = f"divided among {', '.join(serving)}" if serving else "sent to none of its deployments"
            raise BackendError(
                f"{endpoint.name}: its requests are {among}: epkit deploy update --traffic NAME=100 first"
            )
        new = wanted or next((name for name in ("blue", "green") if name not in there), None)
        if new is None or new == serving[0]:
            raise BackendError(
                f"{endpoint.name}: it has the deployments {', '.join(sorted(there))}, and {serving[0]} serves: "
                "--deployment NAME names another one, which is replaced if it is there"
            )
        return serving[0], new

    def _check_script(self, old: str, replacement: Replacement) -> None:
        """Refuse a model that needs a script and an environment if the live deployment has none to keep.

        Raises:
            UsageError: the message names the flags.
        """
        if replacement.kind == "mlflow" or (replacement.script and replacement.environment):
            return
        with calling(self._say, replacement.name):
            if self._client.online_deployments.get(old, replacement.name).code_configuration is not None:
                return
        raise UsageError(
            f"{replacement.name}: {old} serves an MLflow model, and has no script and no environment to keep: "
            "--entry FILE --environment FILE"
        )

    def _create_like(self, old: str, new: str, replacement: Replacement, environment: Any, say: Say) -> None:
        """Create a deployment with another model, and all other settings of the live one."""
        name, deployments = replacement.name, self._client.online_deployments
        place = f"/onlineEndpoints/{name}/deployments"
        before = self._raw(f"{place}/{old}", lambda: deployments.get(old, name))
        entity = deployments.get(old, name)
        entity.name = new
        entity.model = models.entity(replacement.model, name, replacement.kind)
        tags = _tags(replacement.model_sha256, before.get("tags"))
        changed = {"model"}
        if environment is not None:
            entity.environment = environment
            changed.add("environmentId")
        with contextlib.ExitStack() as uploads:
            if replacement.kind == "mlflow":
                entity.code_configuration = entity.environment = None
                changed |= {"codeConfiguration", "environmentId"}
            elif replacement.script is not None:
                entity.code_configuration = _code(replacement.script, uploads)
                changed.add("codeConfiguration")
            else:
                say("the script stays as it is: --entry FILE replaces it")

            def like_before(sent: Mapping[str, Any]) -> Mapping[str, Any]:
                body = put_body(before, **{each: sent["properties"].get(each) for each in changed})
                return {**body, "tags": tags} if tags or "tags" in body else body

            self._put(
                f"{place}/{new}",
                like_before,
                lambda: deployments.begin_create_or_update(entity),
                f"creating the deployment {new}",
                say,
            )

    def registered(self, reference: str) -> RegisteredModel:
        """Return a model of the workspace."""
        with calling(self._say, reference):
            return models.registered(self._client, reference)

    def fetch(self, reference: Reference, directory: Path, say: Say) -> Path:
        """Fetch the files of a model."""
        with calling(say, shown(reference)) as say:
            return models.fetch(self._client, self._credential(), reference, directory, say)

    def set_traffic(self, name: str, traffic: Mapping[str, int], say: Say) -> Endpoint:
        """Divide the requests among the deployments."""
        known = {each.name for each in self.show(name).deployments}
        unknown = [each for each in traffic if each not in known]
        if unknown:
            raise UsageError(f"{name}: no deployment {', '.join(unknown)}; there is {', '.join(sorted(known))}")
        with calling(say, name) as say:
            endpoint = self._client.online_endpoints.get(name)
            endpoint.traffic = dict(traffic)
            self._update(
                f"/onlineEndpoints/{name}",
                {"traffic": {each: share for each, share in traffic.items() if share}},
                lambda: self._client.online_endpoints.get(name),
                lambda: self._client.online_endpoints.begin_create_or_update(endpoint),
                "dividing the traffic",
                say,
            )
        return self.show(name)

    def keys(self, name: str) -> Keys:
        """Return the keys."""
        with calling(self._say, name):
            found = self._client.online_endpoints.get_keys(name)
            if not hasattr(found, "primary_key"):
                raise UsageError(f"{name}: it takes tokens, and has no keys")
            return Keys(primary=Secret(found.primary_key), secondary=Secret(found.secondary_key))

    def regenerate(self, name: str, which: Literal["primary", "secondary"], say: Say) -> Keys:
        """Replace one key."""
        with calling(say, name) as say:
            poller = self._client.online_endpoints.begin_regenerate_keys(name, key_type=which)
            wait(poller, f"making a new {which} key", say)
        return self.keys(name)

    def token(self, name: str) -> Token:
        """Return a token for scoring: Azure ML's own, or AAD's."""
        with translating(name):
            found = self._endpoints.get_keys(name)
            if not getattr(found, "access_token", None):
                raise UsageError(f'{name}: it takes keys, not tokens: auth = "key"')
            expires = float(found.expiry_time_utc)
            refresh = float(getattr(found, "refresh_after_time_utc", 0) or 0) or expires - 300
            return Token(text=Secret(found.access_token), refresh_at_s=refresh, expires_at_s=expires)

    def delete(self, name: str, say: Say) -> None:
        """Delete an endpoint with its deployments."""
        with calling(say, name) as say:
            wait(self._client.online_endpoints.begin_delete(name), "deleting the endpoint", say)

    def logs(self, name: str, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
        """Return the last lines of the server's log, or of the log of the container that fetches the model."""
        with calling(self._say, name):
            chosen = self._chosen(name, deployment)
            container = "storage-initializer" if init else None
            return lines_of(
                self._client.online_deployments.get_logs(chosen, name, tail, container_type=container), tail
            )

    def set_app_insights(self, name: str, *, on: bool, deployment: str | None, say: Say) -> Endpoint:
        """Turn Application Insights of a deployment on or off, without any other change."""
        with calling(say, name) as say:
            deployments = self._client.online_deployments
            chosen = self._chosen(name, deployment)
            entity = deployments.get(chosen, name)
            entity.app_insights_enabled = on
            self._update(
                f"/onlineEndpoints/{name}/deployments/{chosen}",
                {"appInsightsEnabled": on},
                lambda: deployments.get(chosen, name),
                lambda: deployments.begin_create_or_update(entity),
                f"turning Application Insights {'on' if on else 'off'}",
                say,
            )
        return self.show(name)

    def _chosen(self, name: str, deployment: str | None) -> str:
        if deployment is not None:
            return deployment
        names = [str(each.name) for each in self._client.online_deployments.list(name)]
        if len(names) == 1:
            return names[0]
        if not names:
            self._client.online_endpoints.get(name)  # raises an error if it does not exist
            raise BackendError(f"{name}: it has no deployment")
        raise UsageError(f"{name}: it has the deployments {', '.join(sorted(names))}: --deployment NAME")

    def _ensure_endpoint(self, order: Order, say: Say) -> Mapping[str, int]:
        """Create the endpoint if it does not exist; return how its traffic is divided."""
        from azure.ai.ml.entities import ManagedOnlineEndpoint

        try:
            there = self._client.online_endpoints.get(order.name)
        except Exception as error:
            if not azure_sdk.is_missing(error):
                raise
            made = ManagedOnlineEndpoint(name=order.name, auth_mode="key")
            wait(self._client.online_endpoints.begin_create_or_update(made), "creating the endpoint", say)
            return {}
        traffic: Mapping[str, int] = {each: share for each, share in (there.traffic or {}).items() if share}
        if order.deployment in (there.traffic or {}):
            raise BackendError(
                f"{order.name}: it has a deployment {order.deployment} already: --deployment NAME adds another one, "
                f"epkit deploy update {order.name} --model DIR replaces the model that serves"
            )
        return traffic

    @staticmethod
    def _deployment(order: Order, own: Mapping[str, Any]) -> Any:
        """Make the SDK's object; *own* are the script and the environment, which an MLflow model does not have."""
        from azure.ai.ml.entities import ManagedOnlineDeployment

        return ManagedOnlineDeployment(
            name=order.deployment,
            endpoint_name=order.name,
            model=models.entity(order.model, order.name, order.kind),
            **own,
            instance_type=order.instance_type or INSTANCE_TYPE,
            instance_count=order.instances,
            app_insights_enabled=order.app_insights,
            tags=_tags(order.model_sha256, None),
        )

    def _environment(self, name: str, environment: str, say: Say) -> Any:
        """Return the SDK's form of an environment: the ID of an existing one, or one made from a conda file."""
        if environment.startswith("azureml://"):
            return environment
        if environment.startswith("azureml:"):
            _, registered, version = environment.split(":", 2)
            return f"{self.workspace.id}/environments/{registered}/versions/{version}"
        warn_of_missing_server(Path(environment), SERVERS, say)
        with calling(say, name):
            from azure.ai.ml.entities import Environment

            return Environment(name=name, image=IMAGE, conda_file=environment)

    def _say_logs(self, name: str, deployment: str, say: Say) -> None:
        for init in (True, False):
            try:
                lines = self.logs(name, tail=TAIL_LINES, init=init, deployment=deployment)
            except EpkitError:
                continue  # it was never created
            for line in lines:
                say(f"log: {line}")

    def _raw(self, place: str, call: Callable[[], Any]) -> dict[str, Any]:
        """Return a resource as received, before the SDK drops unknown properties."""
        self._seen, self._place = None, place
        call()
        found, self._seen, self._place = self._seen, None, None
        assert isinstance(found, dict)
        return found

    def _update(
        self,
        place: str,
        changes: Mapping[str, Any],
        get: Callable[[], Any],
        put: Callable[[], Any],
        doing: str,
        say: Say,
    ) -> None:
        """Change these properties of a resource, and check that nothing else has changed.

        An update is a PUT of the whole resource. The SDK's own body lacks properties that it does not know or misreads
        (`maxQueueWait: PT0.5S` becomes 0 ms, and is left out).

        Args:
            get, put: let the SDK get the resource, and start to put it.
        """
        body = put_body(self._raw(place, get), **changes)
        self._put(place, lambda _sent: body, put, doing, say)
        changed = sorted(differences(body, self._raw(place, get)))
        if changed:
            name = place.split("/")[2]
            raise BackendError(f"{name}: the service changed more than it was asked to: {', '.join(changed)}")

    def _put(
        self,
        place: str,
        body: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        put: Callable[[], Any],
        doing: str,
        say: Say,
    ) -> None:
        """Let the SDK put a resource, but with another body.

        Args:
            body: makes the body from the SDK's own.
        """
        self._body, self._place = body, place
        try:
            wait(put(), doing, say)
        finally:
            self._body, self._place = None, None

    def _about_to_send(self, request: Any) -> None:
        """Replace the body of one PUT."""
        sent = request.http_request
        if self._body is not None and sent.method == "PUT" and self._is_place(sent.url):
            sent.set_json_body(self._body(json.loads(sent.body)))

    def _received(self, response: Any) -> None:
        """Keep the document of one GET."""
        sent = response.http_request
        if self._body is None and sent.method == "GET" and self._is_place(sent.url):
            self._seen = json.loads(response.http_response.text())

    def _is_place(self, url: str) -> bool:
        return self._place is not None and url.partition("?")[0].lower().endswith(self._place.lower())


def _code(script: Script, uploads: contextlib.ExitStack) -> Any:
    """Return the SDK's form of a script; its directory exists as long as *uploads*."""
    from azure.ai.ml.entities import CodeConfiguration

    return CodeConfiguration(code=uploads.enter_context(uploadable(script)), scoring_script=script.entry)


def ml_client(workspace: Workspace, credential: Any, **options: Any) -> Any:
    """Return the SDK's client for a workspace. It sends no telemetry."""
    from azure.ai.ml import MLClient

    return MLClient(
        credential, workspace.subscription, workspace.group, workspace.name, enable_telemetry=False, **options
    )


def _describe(workspace: str, endpoint: Any, deployments: tuple[Any, ...] = ()) -> Endpoint:
    """Convert the SDK's objects of an endpoint and its deployments."""
    traffic = dict(endpoint.traffic or {})
    insights = [bool(each.app_insights_enabled) for each in deployments]
    made = getattr(endpoint, "creation_context", None)
    created = getattr(made, "created_at", None)
    return Endpoint(
        name=endpoint.name,
        backend="azureml",
        state=word(endpoint.provisioning_state) or "Unknown",
        scoring_uri=endpoint.scoring_uri,
        swagger_uri=endpoint.openapi_uri,
        auth=_AUTHS[str(word(endpoint.auth_mode)).lower()],
        app_insights=all(insights) if insights else None,
        compute="managed" if type(endpoint).__name__.startswith("Managed") else "kubernetes",
        workspace=workspace,
        created_at=None if created is None else created.isoformat(),
        deployments=tuple(_describe_deployment(each, traffic) for each in deployments),
    )


def _tags(model_sha256: str | None, before: Mapping[str, str] | None) -> dict[str, str]:
    """Return the tags of a deployment: those of the deployment that it copies, and the hash of its own model."""
    kept = {name: value for name, value in (before or {}).items() if name != MODEL_TAG}
    return kept if model_sha256 is None else {**kept, MODEL_TAG: model_sha256}


def _describe_deployment(deployment: Any, traffic: Mapping[str, int]) -> Deployment:
    model = deployment.model
    return Deployment(
        name=deployment.name,
        state=word(deployment.provisioning_state) or "Unknown",
        traffic=int(traffic.get(deployment.name, 0)),
        app_insights=bool(deployment.app_insights_enabled),
        model=None if model is None else str(model).rpartition("/models/")[2].replace("/versions/", ":"),
        model_sha256=(deployment.tags or {}).get(MODEL_TAG),
        instance_type=deployment.instance_type,
        instances=deployment.instance_count,
    )


def word(value: Any) -> str | None:
    """Return the value of an enumeration as text."""
    return None if value is None else str(getattr(value, "value", value))


def wait(poller: Any, doing: str, say: Say) -> None:
    """Wait for an operation, and report regularly that it is still running.

    Raises:
        Exception: the SDK's own, if the operation failed or was cancelled.
    """
    say(doing)
    start = said_at = time.monotonic()
    while not poller.done():
        poller.wait(1.0)
        if time.monotonic() - said_at > PROGRESS_EVERY_S:
            said_at = time.monotonic()
            say(f"{doing}: {poller.status()}, {said_at - start:.0f} s")
    poller.result()
