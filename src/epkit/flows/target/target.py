"""A resolved target: the destination, its key, and how the key is renewed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.keys import Key
from epkit.errors import EndpointError

if TYPE_CHECKING:
    from epkit.endpoint.tokens import Renewal


class UnreachableError(EndpointError):
    """There is no connection to the target: a load would fail in the same way."""


class NoContractError(EndpointError):
    """The target replies, but has no contract at any known place; the message lists the places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target that can receive requests.

    Args:
        uri: the URL where rows are scored.
        key: the source of the Authorization header, if there is one.
        contract: where the target's own contract is; None if it has to be found first.
        secrets: everything that must be masked, including the key; new tokens are added.
        renewal: how the key is renewed, if it is a token; `epkit.flows.target.tokens.renewing` renews it in time.
    """

    spec: TargetSpec
    uri: Url
    key: Key
    contract: Path | Url | None
    secrets: list[Secret] = field(repr=False)
    renewal: "Renewal | None" = None

    @property
    def shown(self) -> str:
        """The name of the target in messages."""
        return self.uri.shown if self.spec.name is None else f"{self.spec.name} ({self.uri.shown})"
