"""The shared data of a check's steps: the client of the endpoint, the replies, and the outcomes of steps."""

import time
from dataclasses import dataclass

from epkit.core.http import url as urls
from epkit.core.http.masking import clean, mask_text
from epkit.core.http.url import Url
from epkit.endpoint.advice import detail, explain
from epkit.flows.target.client import Client, SingleRequest


class Unwell(Exception):  # noqa: N818 - an outcome, not an error
    """A step failed."""

    def __init__(self, detail: str, advice: str) -> None:
        super().__init__(detail)
        self.detail, self.advice = detail, advice


@dataclass(frozen=True, slots=True)
class Found:
    """A step succeeded.

    Args:
        advice: a warning.
        ms: the time to show, if it is not the time of the step itself.
    """

    detail: str
    advice: str | None = None
    ms: float | None = None


class Session:
    """One check of one endpoint.

    Attributes:
        last: the latest reply, and the time of day when it arrived (s since the epoch).
        health: the reply to the health request.
    """

    def __init__(self, client: Client) -> None:
        self.target, self.client = client.target, client
        self.deployment = client.options.deployment or client.target.spec.deployment
        self.last: tuple[SingleRequest, float] | None = None
        self.health: SingleRequest | None = None

    @property
    def sends_key(self) -> bool:
        """Whether requests carry a key."""
        return self.target.key.authorization is not None

    async def send(self, method: str, path: str, body: bytes = b"") -> SingleRequest:
        """Send a request to the target, and keep the reply."""
        kind = "application/json" if body else None
        return self._kept(await self.client.send(self.client.request(method, path, body, content_type=kind)))

    async def fetch(self, source: Url) -> SingleRequest:
        """Fetch the contract, and keep the reply if it comes from the target.

        Raises:
            EndpointError: as in `Client.fetch`.
        """
        once = await self.client.fetch(source)
        return self._kept(once) if urls.same_origin(source, self.target.uri) else once

    def _kept(self, once: SingleRequest) -> SingleRequest:
        if not once.failure:
            self.last = (once, time.time())
        return once

    def advice(self, once: SingleRequest) -> str:
        """Return the meaning of an unsuccessful reply, and what to do."""
        return explain(once.status, once.headers, once.text, key_sent=self.sends_key, secrets=self.target.secrets)

    def words(self, once: SingleRequest) -> str:
        """Return the server's own words in an unsuccessful reply."""
        return detail(once.text, self.target.secrets)

    def line(self, text: str) -> str:
        """Make a line that is safe to show."""
        return clean(mask_text(text, self.target.secrets), 600)
