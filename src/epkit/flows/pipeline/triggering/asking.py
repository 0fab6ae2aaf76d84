"""Sends requests to the server of a published pipeline. No request is repeated or redirected."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from epkit.core.http.masking import clean, mask_text, mask_url
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.core.pipeline import triggered
from epkit.core.pipeline.wires import Wire
from epkit.core.samples.rows import Failure
from epkit.endpoint.tokens import Renewal
from epkit.errors import BackendError, EndpointError, EpkitError, UsageError
from epkit.flows.target.client import Client, SingleRequest, wait_for
from epkit.flows.target.tokens import bearer

DOUBTFUL: Final = range(500, 600)
"""Statuses after which a run may still have started: the server, or a gateway, failed on the way."""

_ADVICE: Final[Mapping[int, tuple[type[EpkitError], str]]] = {
    400: (UsageError, "the server does not take this request: check --set"),
    401: (EndpointError, "the key or token is not accepted: give it with --key-file, EPKIT_KEY or epkit.toml"),
    403: (EndpointError, "the key or token may not do that: ask for the right on this pipeline"),
    404: (EndpointError, "nothing is there: the pipeline is no longer published, or the URL is another one's"),
    405: (EndpointError, "the path does not take this method: check the URL"),
    409: (BackendError, "the server takes no further run now"),
    410: (EndpointError, "the pipeline is no longer published"),
    413: (UsageError, "the request is too large: set fewer or shorter values"),
    422: (UsageError, "the server does not take this request: check --set and --idempotency-key"),
    429: (EndpointError, "the server has too much to do: ask again in a while"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePipeline:
    """A published pipeline to send requests to.

    Args:
        name: name in `epkit.toml`; None for a URL.
        wire: protocol of its URL.
        azure: whether Azure hosts it; Azure ignores an Idempotency-Key.
    """

    name: str | None
    url: Url
    wire: Wire
    azure: bool
    asker: "Asker"

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self.name or self.url.shown


class Asker:
    """Sends requests with the current key or token. Another thread may replace the token."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def renewal(self) -> Renewal | None:
        """How the token is replaced; None for a key."""
        return self._client.target.renewal

    @property
    def secrets(self) -> list[Secret]:
        """The secrets that must not be shown."""
        return self._client.target.secrets

    def use(self, authorization: Secret) -> None:
        """Use another value of Authorization from now on."""
        target = self._client.target
        self._client = replace(
            self._client, target=replace(target, key=replace(target.key, authorization=authorization))
        )

    def renew(self) -> bool:
        """Get another token now.

        Returns:
            Whether there is a new one; never for a key.
        """
        if self.renewal is None:
            return False
        try:
            value = bearer(self.renewal.source().text)
        except EpkitError:
            return False
        self.secrets.append(value)
        self.use(value)
        return True

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> SingleRequest:
        """Send one request. A failure is part of the result.

        Args:
            headers: in addition to those of every request.

        Raises:
            UsageError: a header cannot be sent.
        """
        client = self._client
        client = replace(client, options=replace(client.options, headers=(*client.options.headers, *headers)))
        data = b"" if body is None else json.dumps(body).encode()
        kind = None if body is None else "application/json"
        request = client.request(method, path, data, content_type=kind, accept="application/json")
        return wait_for(client.send(request))

    def why_none(self, reply: SingleRequest) -> str:
        """Return one line that says why there is no reply."""
        return reply.advice(self._client.target)

    def words(self, reply: SingleRequest) -> str:
        """Return the text of a refusal, masked, in one line."""
        found = triggered.refusal(triggered.parse(reply.text))
        return mask_text(found or clean(reply.text.strip().partition("\n")[0]), self.secrets)


def is_well(reply: SingleRequest) -> bool:
    """Tell whether a request was successful."""
    return not reply.failure and 200 <= reply.status < 300


def question(asker: Asker, url: Url, path: str) -> Any:
    """Get a document.

    Returns:
        Its JSON.

    Raises:
        UsageError, EndpointError, BackendError: it cannot be fetched; one line.
    """
    reply = asker.ask("GET", path)
    if not is_well(reply):
        refuse(asker, url, reply)
    return triggered.parse(reply.text)


def refuse(asker: Asker, url: Url, reply: SingleRequest) -> NoReturn:
    """Raise the error for a reply that is not a success.

    Raises:
        UsageError: the server refuses the request in this form.
        EndpointError: there is no answer, or the server refuses the key, or does not have the pipeline.
        BackendError: the server cannot do it now.
    """
    if reply.failure is not Failure.NONE:
        raise EndpointError(f"{url.shown}: {asker.why_none(reply)}")
    if 300 <= reply.status < 400:
        location = clean(mask_url(reply.headers.get("location", "")))
        use = f"use {location} as the URL if it is meant" if location else "check the URL"
        raise EndpointError(
            f"{url.shown}: {reply.status}: a redirect, which is not followed, for the key goes to this origin: {use}"
        )
    kind, advice = _ADVICE.get(reply.status, (EndpointError, "the server failed"))
    said = asker.words(reply)
    version = _version(url, said)
    raise kind(f"{url.shown}: {reply.status}: {advice}" + (f" (the server says: {said}{version})" if said else version))


def _version(url: Url, said: str) -> str:
    """Name the requested version of the API, if the server's text does not contain it."""
    pairs = (pair.partition("=") for pair in (url.query.reveal() if url.query else "").split("&"))
    found = next((clean(value, 40) for name, _, value in pairs if name.lower() == "api-version"), None)
    return f"; asked for api-version {found}" if found and found not in said else ""
