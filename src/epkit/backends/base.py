"""The interface of a backend, which hosts endpoints on this machine or at Azure.

A backend gets everything that it needs in its constructor, and requests no input from the user. SDKs are imported
inside its methods. Their output goes to stderr, and their exceptions become a `BackendError` with code and message.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from epkit.core.hosting.deployments import (
    BackendName,
    Endpoint,
    Keys,
    LoggedRequest,
    Order,
    RegisteredModel,
    Replacement,
    Token,
)
from epkit.core.hosting.references import Reference

Say = Callable[[str], None]
"""Shows the user one line about the current step."""


class Backend(Protocol):
    """A host of endpoints.

    Every method raises `BackendError` if the backend refuses. It raises `UsageError` if an extra, a login or a
    workspace is missing, or if the backend does not support the operation.
    """

    name: BackendName

    def list(self) -> tuple[Endpoint, ...]:
        """Return the endpoints by name. Their deployments may be left out."""

    def show(self, name: str) -> Endpoint:
        """Return an endpoint with its deployments."""

    def plan(self, order: Order) -> tuple[Mapping[str, Any], ...]:
        """Return what `create` would send, step by step. Nothing is sent.

        Returns:
            Each step is `{"step": what, …}`, in plain JSON values.
        """

    def create(self, order: Order, say: Say) -> Endpoint:
        """Register the model, upload the script, create the endpoint, and wait until it answers.

        Raises:
            BackendError: it failed; the message ends with the last lines of the service's own log.
        """

    def update(self, replacement: Replacement, say: Say) -> Endpoint:
        """Replace the model; URL and keys stay. The old model serves until the new one answers.

        Raises:
            BackendError: the new model failed and is removed; the old one still serves.
        """

    def set_traffic(self, name: str, traffic: Mapping[str, int], say: Say) -> Endpoint:
        """Divide the requests among the deployments, in percent; deployments that are not named get none."""

    def keys(self, name: str) -> Keys:
        """Return the keys."""

    def regenerate(self, name: str, which: Literal["primary", "secondary"], say: Say) -> Keys:
        """Replace one key; the other one stays valid."""

    def token(self, name: str) -> Token:
        """Return a token for scoring, if the endpoint accepts tokens."""

    def delete(self, name: str, say: Say) -> None:
        """Delete an endpoint with its deployments."""

    def logs(self, name: str, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
        """Return the last lines of the log.

        Args:
            tail: number of lines, ≥ 1.
            init: return the log from before the server runs instead.
            deployment: None if there is only one.
        """

    def requests(self, name: str, *, tail: int, request_id: str | None = None) -> tuple[LoggedRequest, ...]:
        """Return the last requests in Application Insights, oldest first.

        Args:
            tail: number of requests, ≥ 1.
            request_id: return only this request; the id is the client's or the server's.
        """

    def set_app_insights(self, name: str, *, on: bool, deployment: str | None, say: Say) -> Endpoint:
        """Turn Application Insights on or off, and wait until the change is complete."""


class StagedBackend(Backend, Protocol):
    """A host of endpoints with several deployments, among which the requests are divided."""

    def create_candidate(self, replacement: Replacement, say: Say) -> tuple[str, str]:
        """Create a deployment with another model next to the live one; it gets no traffic.

        Returns:
            The live deployment, and the new one.

        Raises:
            BackendError: it failed, and the new deployment is removed.
        """

    def delete_deployment(self, name: str, deployment: str, say: Say) -> None:
        """Delete a deployment that gets no traffic, if it exists."""


class RegistryBackend(Backend, Protocol):
    """A host of endpoints that also has a registry of models."""

    def registered(self, reference: str) -> RegisteredModel:
        """Return a registered model.

        Args:
            reference: `azureml:NAME:VERSION`, or `azureml:NAME@latest`.
        """


class StoreBackend(RegistryBackend, Protocol):
    """A host of endpoints whose registry can return the files of models."""

    def fetch(self, reference: Reference, directory: Path, say: Say) -> Path:
        """Fetch the files of a registered model, or of a job; if the job has children, those of the best child.

        Args:
            directory: exists, and is empty.

        Returns:
            The model in it: a directory, or a file.

        Raises:
            BackendError: there are no files, too many, or they are too large.
            UsageError: a file name leads out of the directory.
        """
