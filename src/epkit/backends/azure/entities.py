"""What SDK v2's objects say, as values; and waiting for its operations."""

import time
from collections.abc import Mapping
from typing import Any, Final, Literal

from epkit.backends.base import Say
from epkit.core.hosting.deployments import Deployment, Endpoint

TOLD_EVERY_S: Final = 30.0

_AUTHS: Final[Mapping[str, Literal["key", "aml_token", "aad"]]] = {
    "key": "key", "amltoken": "aml_token", "aml_token": "aml_token", "aadtoken": "aad", "aad_token": "aad",
}  # fmt: skip


def describe(workspace: str, endpoint: Any, deployments: tuple[Any, ...] = ()) -> Endpoint:
    """Turn the SDK's objects of an endpoint and its deployments into values."""
    traffic = dict(endpoint.traffic or {})
    insights = [bool(each.app_insights_enabled) for each in deployments]
    made = getattr(endpoint, "creation_context", None)
    created = getattr(made, "created_at", None)
    return Endpoint(
        name=endpoint.name,
        backend="azureml",
        state=_word(endpoint.provisioning_state) or "Unknown",
        scoring_uri=endpoint.scoring_uri,
        swagger_uri=endpoint.openapi_uri,
        auth=_AUTHS[str(_word(endpoint.auth_mode)).lower()],
        app_insights=all(insights) if insights else None,
        compute="managed" if type(endpoint).__name__.startswith("Managed") else "kubernetes",
        workspace=workspace,
        created_at=None if created is None else created.isoformat(),
        deployments=tuple(_describe_deployment(each, traffic) for each in deployments),
    )


def _describe_deployment(deployment: Any, traffic: Mapping[str, int]) -> Deployment:
    model = deployment.model
    return Deployment(
        name=deployment.name,
        state=_word(deployment.provisioning_state) or "Unknown",
        traffic=int(traffic.get(deployment.name, 0)),
        app_insights=bool(deployment.app_insights_enabled),
        model=None if model is None else str(model).rpartition("/models/")[2].replace("/versions/", ":"),
        instance_type=deployment.instance_type,
        instances=deployment.instance_count,
    )


def _word(value: Any) -> str | None:
    """Return an enumeration's own word."""
    return None if value is None else str(getattr(value, "value", value))


def wait(poller: Any, doing: str, say: Say) -> None:
    """Wait for an operation, and say every now and then that it goes on.

    Raises:
        Exception: the SDK's own, where it failed or was cancelled.
    """
    say(doing)
    start = told = time.monotonic()
    while not poller.done():
        poller.wait(1.0)
        if time.monotonic() - told > TOLD_EVERY_S:
            told = time.monotonic()
            say(f"{doing}: {poller.status()}, {told - start:.0f} s")
    poller.result()
