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
    """There is no connection to the target: a load would say the same."""


class NoContractError(EndpointError):
    """The target answers, and publishes no contract at any place that is known; the message names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target that can be spoken to.

    Args:
        uri: where rows are scored.
        key: what goes into Authorization, if anything.
        contract: where the target's own contract is; None where it has to be looked for.
        secrets: everything that must not be shown, the key among it; grows where a token is replaced.
        renewal: how the key, a token, is replaced before it ends; `epkit.flows.target.tokens.renewing` does it.
    """

    spec: TargetSpec
    uri: Url
    key: Key
    contract: Path | Url | None
    secrets: list[Secret] = field(repr=False)
    renewal: "Renewal | None" = None

    @property
    def shown(self) -> str:
        """How the target is called."""
        return self.uri.shown if self.spec.name is None else f"{self.spec.name} ({self.uri.shown})"
