"""The client for single requests to a target: they all use the same engine, trust, proxy, key, headers and limits.

A load uses the same destination and engine with another driver. Each single request has a connection of its own. A key
goes to the target's own origin only: a contract at another origin is requested without the key.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urljoin

from epkit.core.http import url as urls
from epkit.core.http.destination import Destination, Proxy
from epkit.core.http.headers import fields
from epkit.core.http.request import Request, build_for
from epkit.core.http.url import Url
from epkit.core.replies import judging
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure
from epkit.endpoint.keys import basic
from epkit.endpoint.target import to_destination
from epkit.engines.base import Arrival, Engine, Exchange
from epkit.engines.runner import loop_factory
from epkit.errors import EndpointError, UsageError
from epkit.flows.context import Context
from epkit.flows.target.opening import open_target
from epkit.flows.target.request_options import AGENT, RequestOptions, TargetOptions, check_proxy, compose_headers
from epkit.flows.target.target import Target
from epkit.flows.target.transport import engine_class, proxy_of
from epkit.flows.target.unlocking import unlocked
from epkit.process import outside_loop

T = TypeVar("T")

PATIENCE_S: Final = 10.0
"""Time for a contract, including redirects, in seconds, if no other time is set."""

MOST_REDIRECTS: Final = 5
"""Redirects of a contract within its origin; other requests are never redirected."""

GRACE_S: Final = 0.5
"""An engine ends a request itself, with its own message. Steps before that, such as a slow name server, are ended
after this additional time."""

_REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class SingleRequest:
    """A driver that sends one request and keeps its outcome.

    Args:
        took_ns: the time from the connect to the last byte.
        sent: False if it is certain that no byte of the request was written.
    """

    request: Request | None
    failure: Failure = Failure.NONE
    detail: str = ""
    status: int = 0
    head: bytes = b""
    body: bytes = field(default=b"", repr=False)
    took_ns: int = 0
    sent: bool = True

    def begin(self) -> None:
        """Do nothing: there is nothing to start."""

    def next(self, now: int) -> Arrival | None:
        """Return the request, once."""
        request, self.request = self.request, None
        return None if request is None else (now, 0, request)

    def done(self, exchange: Exchange) -> None:
        """Keep the outcome."""
        self.failure, self.detail = exchange.failure, exchange.detail
        self.status, self.head, self.body = exchange.status, exchange.head, exchange.body
        self.took_ns = exchange.end - exchange.start
        self.sent = exchange.sent > exchange.connected  # equal if there was no connection to write to

    @property
    def headers(self) -> dict[str, str]:
        """The fields of the reply, names in lower case."""
        return fields(self.head)

    @property
    def content(self) -> bytes:
        """The reply's body, decompressed; empty if that is not possible."""
        try:
            return judging.unpack(self.headers.get("content-encoding", ""), self.body)
        except ValueError:
            return b""

    @property
    def text(self) -> str:
        """The reply's body, decompressed, as text."""
        return self.content.decode("utf-8", "replace")

    def advice(self, target: Target) -> str:
        """Describe why a request got no reply, and what to do."""
        return advise_failure(self.failure, self.detail, target.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Sends single requests to a target, each over a connection of its own.

    Args:
        make_engine: makes the engine for a destination.
        options: the user's own headers, and the deployment.
        timeout_s: the timeout of one request; None means the target's own, and `PATIENCE_S` for a contract.
    """

    target: Target
    destination: Destination
    make_engine: Callable[..., Engine]
    options: RequestOptions
    timeout_s: float | None = None

    @property
    def limit_s(self) -> float:
        """The time of one request, from the connect to the last byte."""
        return self.target.spec.timeout_s if self.timeout_s is None else self.timeout_s

    def request(
        self, method: str, path: str, body: bytes = b"", *, content_type: str | None = None, accept: str = "*/*"
    ) -> Request:
        """Build a request that contains the key.

        Args:
            path: path and query.

        Raises:
            UsageError: a header cannot be written.
        """
        headers = compose_headers(replace(self.options, keepalive=False), self.target, content_type)
        headers = [(name, accept if name == "Accept" else value) for name, value in headers]
        if not body and content_type is None:  # with such a header, the server would wait for a body
            headers = [(name, value) for name, value in headers if name.lower() not in _OF_A_BODY]
        return _built(self.destination, method, path, headers, body)

    async def send(self, request: Request) -> SingleRequest:
        """Send a request to the target; a failure is part of the outcome."""
        return await self._exchange(request, self.destination, self.limit_s)

    async def fetch(self, source: Url) -> SingleRequest:
        """Fetch a contract: from the target's own origin like any request, from another origin without key and headers.

        Redirects within the origin are followed. The time limit applies to all of them together.

        Returns:
            The last reply, whatever its status; a failure is part of the outcome.

        Raises:
            EndpointError: a redirect leads to another origin, or there are too many.
        """
        limit_s = min(PATIENCE_S, self.limit_s) if self.timeout_s is None else self.timeout_s
        ends = time.monotonic() + limit_s
        url, destination = source, self._destination(source)
        for _ in range(MOST_REDIRECTS + 1):
            request = self._get(url, source)
            reply = await self._exchange(request, destination, max(0.001, ends - time.monotonic()))
            if reply.failure is Failure.TIMEOUT:
                reply.detail = f"no whole reply within {limit_s:g} s"
            location = reply.headers.get("location")
            if reply.failure or reply.status not in _REDIRECTS or location is None:
                return reply
            url = _redirected(url, location, source.shown)
        raise EndpointError(f"{source.shown}: more than {MOST_REDIRECTS} redirects")

    def _destination(self, source: Url) -> Destination:
        own = self.destination
        if urls.same_origin(source, self.target.uri):
            return own
        # The client's certificate is a key too.
        tls = replace(own.tls, client_cert=None, server_name=None)
        return to_destination(source, tls=tls, bind=own.bind, proxy=own.proxy, http2=own.http2)

    def _get(self, url: Url, source: Url) -> Request:
        """Build the request for *url*, to which *source* has led."""
        if urls.same_origin(source, self.target.uri):
            return self.request("GET", url.request_path)
        headers = [("User-Agent", AGENT), ("Accept", "*/*"), ("Connection", "close")]
        if source.userinfo is not None:
            self.target.secrets.append(source.userinfo)
            headers.append(("Authorization", basic(source.userinfo).reveal()))
        return _built(self._destination(source), "GET", url.request_path, headers, b"")

    async def _exchange(self, request: Request, destination: Destination, timeout_s: float) -> SingleRequest:
        once = SingleRequest(request)
        engine = self.make_engine(destination, timeout_ns=round(timeout_s * 1e9), keepalive=False)
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                await engine.run(once, 1)
        except TimeoutError:
            once.failure, once.detail = Failure.TIMEOUT, f"no whole reply within {timeout_s:g} s"
        except EndpointError as error:  # the host has no address
            once.failure, once.detail, once.sent = Failure.CONNECT, str(error), False
        return once


_OF_A_BODY: Final = ("content-type", "content-encoding")


@contextmanager
def open_client(options: TargetOptions, context: Context, what: str) -> Iterator[Client]:
    """Open the client of a target.

    Args:
        what: the things that do not use the environment's proxies, for a note.

    Raises:
        UsageError: the target, the key, the timeout or the proxy is invalid; a certificate file is missing or unusable.
        EndpointError: the embedded endpoint does not start.
    """
    check_options(options)
    proxy = proxy_of(options.request, context, what)
    with open_target(options.target, options.request, context, key_file=options.key_file) as target:
        yield client_for(target, replace(options, tls=unlocked(options.tls, context)), proxy=proxy)


def check_options(options: TargetOptions) -> None:
    """Refuse options that make no sense, before anything is started.

    Raises:
        UsageError: there is a password for a proxy but no proxy, or the timeout is out of range.
    """
    check_proxy(options.request)
    if options.timeout_s is not None and not 0 < options.timeout_s < 1e9:
        raise UsageError(f"-s {options.timeout_s:g}: must be more than 0 and less than 10^9 seconds")


def client_for(target: Target, options: TargetOptions, *, proxy: Proxy | None = None) -> Client:
    """Make the client of a target.

    Args:
        options: trust, headers and timeout; the target itself is already known.
        proxy: the proxy for all requests.

    Raises:
        UsageError: a certificate file is missing or unusable.
    """
    make_engine = engine_class("wire")
    destination = to_destination(target.uri, tls=options.tls, proxy=proxy)
    # An engine refuses certificates that it cannot use: better here than at the first request.
    make_engine(destination, timeout_ns=1, keepalive=False)
    return Client(
        target=target,
        destination=destination,
        make_engine=make_engine,
        options=options.request,
        timeout_s=options.timeout_s,
    )


def wait_for(question: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; in a separate thread if this thread has a running event loop, as in a notebook."""
    return outside_loop(partial(_answered, question))


def _answered(question: Coroutine[Any, Any, T]) -> T:
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(question)
    finally:
        question.close()  # it has not started if no loop could be created for lack of descriptors


def _built(destination: Destination, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Request:
    try:
        return build_for(destination, method, path, headers, body)
    except (ValueError, UnicodeEncodeError):
        raise UsageError("a header holds a line break, or a character that HTTP cannot write") from None


def _redirected(url: Url, location: str, name: str) -> Url:
    """Return the URL that a redirect leads to.

    Raises:
        EndpointError: the URL has another origin, or it is not a URL.
    """
    base = replace(url, unix=None)
    try:
        to = urls.parse(urljoin(base.reveal(), location))
    except (UsageError, ValueError):
        raise EndpointError(f"{name}: redirects to something that is not a URL") from None
    if not urls.same_origin(to, base):
        raise EndpointError(f"{name}: redirects to another origin, {to.shown}: name that URL if you mean it")
    return replace(to, unix=url.unix)
