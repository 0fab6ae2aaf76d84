"""What a backend is: who hosts endpoints, on this machine or at Azure, and what can be asked of it.

A backend is constructed with what it needs of the world and asks nothing of the user. SDKs are imported inside its
methods; what they print goes to stderr, what they raise becomes a `BackendError` of code and message.
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
"""Tells the user, in a line, what is being done."""


class Backend(Protocol):
    """Who hosts endpoints.

    Every method raises `BackendError` where the backend says no, and `UsageError` where an extra, a login or a
    workspace is missing, or where it cannot do what is asked.
    """

    name: BackendName

    def list(self) -> tuple[Endpoint, ...]:
        """Return the endpoints, by name; deployments may be left out."""

    def show(self, name: str) -> Endpoint:
        """Return an endpoint with its deployments."""

    def plan(self, order: Order) -> tuple[Mapping[str, Any], ...]:
        """Say what `create` would send, step by step; nothing is sent.

        Returns:
            `{"step": what, …}` each, as JSON has it.
        """

    def create(self, order: Order, say: Say) -> Endpoint:
        """Register the model, upload the script, make the endpoint, wait until it answers.

        Raises:
            BackendError: it fails; the message ends with the tail of the service's own log.
        """

    def update(self, replacement: Replacement, say: Say) -> Endpoint:
        """Have another model serve under the same URL and keys; what serves goes on until that one answers.

        Raises:
            BackendError: the new model fails; the old one serves on, and nothing is left of the new one.
        """

    def set_traffic(self, name: str, traffic: Mapping[str, int], say: Say) -> Endpoint:
        """Divide the requests among the deployments, in percent; those not named get none."""

    def keys(self, name: str) -> Keys:
        """Return the keys."""

    def regenerate(self, name: str, which: Literal["primary", "secondary"], say: Say) -> Keys:
        """Replace one key; the other one goes on to work."""

    def token(self, name: str) -> Token:
        """Return a token for scoring, where the endpoint takes tokens."""

    def delete(self, name: str, say: Say) -> None:
        """Delete an endpoint with its deployments."""

    def logs(self, name: str, *, tail: int, init: bool, deployment: str | None) -> tuple[str, ...]:
        """Return the last lines of the log.

        Args:
            tail: how many, ≥ 1.
            init: of what happens before the server runs instead.
            deployment: None where there is one.
        """

    def requests(self, name: str, *, tail: int, request_id: str | None = None) -> tuple[LoggedRequest, ...]:
        """Return the last requests in Application Insights, oldest first.

        Args:
            tail: how many, ≥ 1.
            request_id: of the only one that is wanted, as the client or the server calls it.
        """

    def set_app_insights(self, name: str, *, on: bool, deployment: str | None, say: Say) -> Endpoint:
        """Turn Application Insights on or off, and wait until that is so."""


class StagedBackend(Backend, Protocol):
    """Who hosts endpoints that have several deployments, among which the requests are divided."""

    def create_candidate(self, replacement: Replacement, say: Say) -> tuple[str, str]:
        """Create a deployment with another model next to the one that serves; it gets no traffic.

        Returns:
            The deployment that serves, and the new one.

        Raises:
            BackendError: it fails; nothing is left of it.
        """

    def delete_deployment(self, name: str, deployment: str, say: Say) -> None:
        """Delete a deployment that gets no traffic; one that is not there is no mistake."""


class RegistryBackend(Backend, Protocol):
    """Who hosts endpoints, and has models of its own."""

    def registered(self, reference: str) -> RegisteredModel:
        """Return a model that is registered.

        Args:
            reference: `azureml:NAME:VERSION`, or `azureml:NAME@latest`.
        """


class StoreBackend(RegistryBackend, Protocol):
    """Who has models of its own, and hands out their files."""

    def fetch(self, reference: Reference, directory: Path, say: Say) -> Path:
        """Fetch the files of a registered model, or of a job; of one with children, those of the best.

        Args:
            directory: is there, and empty.

        Returns:
            The model in it: a directory, or a file.

        Raises:
            BackendError: there are none, too many, or they are too large.
            UsageError: a name among them would lead out of the directory.
        """
