"""One request after another to a target, the way a load would go: same engine, TLS, key and headers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from epkit import __version__
from epkit.core.http.destination import Destination, Tls
from epkit.core.http.headers import fields
from epkit.core.http.request import Request, build_for
from epkit.core.http.url import Url
from epkit.core.replies import judging
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure
from epkit.endpoint.target import to_destination
from epkit.engines.base import Arrival, Engine, Exchange
from epkit.errors import EndpointError, UsageError
from epkit.flows.target.request_options import RequestOptions, compose_headers
from epkit.flows.target.target import Target
from epkit.flows.target.transport import engine_class

AGENT: Final = f"epkit/{__version__}"


@dataclass(slots=True)
class SingleRequest:
    """A driver that sends one request and keeps what came of it.

    Args:
        took_ns: from the connect to the last byte.
    """

    request: Request | None
    failure: Failure = Failure.NONE
    detail: str = ""
    status: int = 0
    head: bytes = b""
    body: bytes = field(default=b"", repr=False)
    took_ns: int = 0

    def begin(self) -> None:
        """Nothing has to be started."""

    def next(self, now: int) -> Arrival | None:
        """Give out the request."""
        request, self.request = self.request, None
        return None if request is None else (now, 0, request)

    def done(self, exchange: Exchange) -> None:
        """Keep the outcome."""
        self.failure, self.detail = exchange.failure, exchange.detail
        self.status, self.head, self.body = exchange.status, exchange.head, exchange.body
        self.took_ns = exchange.end - exchange.start

    @property
    def headers(self) -> dict[str, str]:
        """The reply's fields, names in lower case."""
        return fields(self.head)

    @property
    def text(self) -> str:
        """The reply's body, unpacked, as text."""
        try:
            return judging.unpack(self.headers.get("content-encoding", ""), self.body).decode("utf-8", "replace")
        except ValueError:
            return ""

    def advice(self, target: Target) -> str:
        """Say what a request that got no reply met, and what to do."""
        return advise_failure(self.failure, self.detail, target.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How requests reach a target, one connection each.

    Args:
        timeout_s: of one request.
        options: the user's own headers, and the deployment.
    """

    target: Target
    destination: Destination
    timeout_s: float
    options: RequestOptions

    @property
    def make_engine(self) -> Callable[..., Engine]:
        """What sends."""
        return engine_class("wire")

    def request(
        self, method: str, path: str, body: bytes = b"", *, content_type: str | None = None, accept: str = "*/*"
    ) -> Request:
        """Build a request with the key in it.

        Args:
            path: path and query.

        Raises:
            UsageError: a header cannot be written.
        """
        headers = compose_headers(self.options, self.target, AGENT, content_type)
        headers = [(name, accept if name == "Accept" else value) for name, value in headers]
        try:
            return build_for(self.destination, method, path, headers, body)
        except (ValueError, UnicodeEncodeError):
            raise UsageError("a header holds a line break, or a character that HTTP cannot write") from None

    async def send(self, request: Request) -> SingleRequest:
        """Send a request; what fails is in the outcome."""
        once = SingleRequest(request)
        engine = self.make_engine(self.destination, timeout_ns=round(self.timeout_s * 1e9), keepalive=False)
        try:
            await engine.run(once, 1)
        except EndpointError as error:  # the host has no address
            once.failure, once.detail = Failure.CONNECT, str(error)
        return once


def client_for(
    target: Target,
    *,
    tls: Tls,
    timeout_s: float | None,
    headers: tuple[tuple[str, str], ...] = (),
    deployment: str | None = None,
    uri: Url | None = None,
) -> Client:
    """Say how a target is reached.

    Args:
        timeout_s: None for the target's own.
        uri: None for the target's own.

    Raises:
        UsageError: no timeout; a certificate file is missing or unusable.
    """
    if timeout_s is not None and not 0 < timeout_s < 1e9:
        raise UsageError(f"-s {timeout_s:g}: the seconds are more than 0, and less than 10^9")
    destination = to_destination(uri or target.uri, tls=tls)
    client = Client(
        target=target,
        destination=destination,
        timeout_s=target.spec.timeout_s if timeout_s is None else timeout_s,
        options=RequestOptions(headers=headers, deployment=deployment, keepalive=False),
    )
    # An engine refuses certificates that it cannot use: better now than at the first request.
    client.make_engine(destination, timeout_ns=1, keepalive=False)
    return client
