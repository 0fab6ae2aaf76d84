"""The httpx engine: slower than the wire engine, but with HTTP/2. Otherwise both behave alike.

Each slot has its own client, because a shared pool examines every connection for each request. A slot is a task that
calls the driver's two methods. Points of time come from httpcore's trace events. Replies are guarded
(`epkit.engines.guarded`), so that both engines judge them alike.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import httpcore
import httpx

from epkit.core.http.destination import Destination
from epkit.core.http.request import Request
from epkit.core.replies.framing import BODY_BYTES, HEADER_BYTES, REPLIES_BYTES, TOO_MANY_BYTES, look_at
from epkit.core.samples.rows import Failure
from epkit.engines.base import FOREVER, INTERRUPTED, Arrival, CrashingEngine, Driver, Exchange, PacingDriver, Traffic
from epkit.engines.guarded import GuardedBackend, GuardedStream
from epkit.engines.stamps import Stamps
from epkit.engines.wire.addresses import Addresses
from epkit.engines.wire.tls import describe, make_context, tls_reason
from epkit.engines.wire.tunnel import make_proxy_context

COARSE_NS: Final = 1_200_000
"""Below this distance from a time, timers are too coarse."""

KEPT_S: Final = 5.0
"""How long an idle connection is kept; httpx's own default."""

clock = time.perf_counter_ns


class HttpxEngine(CrashingEngine):
    """Sends requests with `httpx.AsyncClient`, one client for each slot."""

    name = "httpx"

    def __init__(self, destination: Destination, *, timeout_ns: int, keepalive: bool = True) -> None:
        super().__init__(destination, timeout_ns=timeout_ns, keepalive=keepalive)
        self._addresses = Addresses(destination)
        self._context = self._make_context() if destination.scheme == "https" else None
        self._proxy = self._proxy_options()
        # A request through a proxy has a whole URL as its target; httpx adds the beginning of the URL again.
        self._begun = len(destination.request_target(""))
        self._stopped = False
        self._held = 0  # bytes of all unfinished replies
        self._tasks: list[asyncio.Task[None]] = []
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()

    def _make_context(self) -> ssl.SSLContext:
        # httpcore always sends the host as server name, so OpenSSL can check it.
        tls = replace(self.destination.tls, server_name=self.destination.tls.server_name or self.destination.host)
        return make_context(tls, alpn=("h2", "http/1.1") if self.destination.http2 else ("http/1.1",))

    def _proxy_options(self) -> dict[str, Any]:
        """Return httpcore's settings for a proxy, if there is one."""
        proxy = self.destination.proxy
        if proxy is None:
            return {}
        context = None
        if proxy.scheme == "https":
            context = make_proxy_context(proxy, self.destination.tls)
            context.check_hostname = True  # also for addresses, because httpcore sends them as server name
        key = proxy.authorization
        return {
            "proxy_url": proxy.origin,
            "proxy_ssl_context": context,
            "proxy_headers": None if key is None else {"Proxy-Authorization": key},
        }

    async def prepare(self) -> None:
        """Look the host's name up, or the proxy's.

        Raises:
            EndpointError: it has no address.
        """
        await self._addresses.resolve()

    async def run(self, driver: Driver, slots: int) -> Traffic:
        """Serve *driver* with *slots* slots until each is retired.

        Raises:
            EndpointError: the host has no address.
        """
        if not self._addresses.known:
            await self.prepare()
        driver.begin()
        stamp = clock if self.stamps is None else self.stamps.next
        async with asyncio.TaskGroup() as group:
            self._tasks = [group.create_task(self._serve(driver, stamp)) for _ in range(slots)]
        # Closed transports release their sockets in the next turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        if self.crashed is not None:
            raise self.crashed
        return self.traffic

    def stop(self, *, drain: bool) -> None:
        """Start no more requests; without *drain*, end those in flight as failed at once."""
        self._stopped = True
        self.wake()
        if not drain:
            for task in self._tasks:
                task.cancel()

    def abandon(self) -> None:
        """Stop calling the driver, and end `run`."""
        self.stop(drain=False)

    def wake(self) -> None:
        """Let parked slots ask the driver again."""
        self._woken.set()
        self._woken = asyncio.Event()

    async def _next(self, driver: Driver) -> Arrival | None:
        """Wait for the next arrival, and return it; None if the slot retires."""
        arrival = None if self._stopped else driver.next(clock())
        if arrival is not None or not isinstance(driver, PacingDriver):
            return arrival
        # One slot waits for the next due time, the others wait in line: not all of them wake for each request.
        async with self._turn:
            while not self._stopped:
                woken = self._woken
                now = clock()
                arrival = driver.next(now)
                if arrival is not None:
                    return arrival
                until = driver.rest(now)
                if until is None:
                    return None
                await self._rest(woken, until)
        return None

    async def _rest(self, woken: asyncio.Event, until: int) -> None:
        """Wait until a time, or to be woken. Timers have a resolution of 1 ms, so the last part is a busy wait."""
        if until == FOREVER:
            await woken.wait()
        elif (left := until - clock()) > COARSE_NS:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((left - COARSE_NS) / 1e9):
                    await woken.wait()
        else:
            await asyncio.sleep(0)

    async def _serve(self, driver: Driver, stamp: Callable[[], int]) -> None:
        x = Exchange()
        client = self._client()
        try:
            while (arrival := await self._next(driver)) is not None:
                x.due, x.payload, request = arrival
                x.start = x.tcp = x.connected = x.sent = x.first = x.end = stamp()
                x.failure, x.detail, x.head, x.body, x.status, x.received = Failure.NONE, "", b"", b"", 0, 0
                await self._send(client, request, x)
                if self.crashed is None:
                    driver.done(x)
                x.body = b""  # releases it while the slot rests
                if x.failure and self.destination.is_tunnelled:
                    # httpcore keeps a tunnel whose handshake failed, and would wait for it forever.
                    await client.aclose()
                    client = self._client()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - of the driver, or a sink: it ends the run
            self.crash(error)
        finally:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        how = {
            "ssl_context": self._context,
            "http2": self.destination.http2,
            "max_connections": 1,
            "max_keepalive_connections": 1 if self.keepalive else 0,
            "keepalive_expiry": KEPT_S,
            "uds": self.destination.unix,
            "local_address": self.destination.bind,
            "network_backend": GuardedBackend(),
        }
        transport = _Transport(how | self._proxy)
        return httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False, trust_env=False)  # noqa: S113

    def _request(self, request: Request, start: int, trace: "_Trace") -> httpx.Request:
        destination = self.destination
        host, port = destination.last_hop
        extensions: dict[str, Any] = {"trace": trace}
        # With a proxy, httpcore would send that server name to the proxy itself.
        if destination.scheme == "https" and destination.proxy is None:
            extensions["sni_hostname"] = destination.tls.server_name or destination.host
        # The client's own builder is not used: it adds headers that the user has not set.
        path = request.path[self._begun :].encode("latin-1")
        return httpx.Request(
            request.method,
            httpx.URL(scheme=destination.scheme, host=host, port=port, raw_path=path),
            headers=request.headers if self.stamps is None else self._numbered(request, start, self.stamps),
            content=request.body or None,
            extensions=extensions,
        )

    def _numbered(self, request: Request, start: int, stamps: Stamps) -> list[tuple[str, str]]:
        """Return the headers of a request, with its id."""
        text = stamps.text(start)
        return [(name, text if name == stamps.header else value) for name, value in request.headers]

    async def _send(self, client: httpx.AsyncClient, request: Request, x: Exchange) -> None:
        trace = _Trace(x, self.traffic, self.destination)
        try:
            async with asyncio.timeout(self.timeout_ns / 1e9):
                response = await client.send(self._request(request, x.start, trace), stream=True)
                try:
                    await self._read(response, x)
                finally:
                    self._held -= x.received
                    await response.aclose()
        except TimeoutError:
            what = "connection through the proxy" if trace.at_proxy else "whole reply"
            x.failure, x.detail = Failure.TIMEOUT, f"no {what} within {self.timeout_ns / 1e9:g} s"
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            x.failure, x.detail = Failure.TRANSPORT, INTERRUPTED
        except (httpx.ConnectError, httpx.ProxyError) as error:
            x.failure, x.detail = _connect_failure(error, x)
            if self.destination.proxy is not None and (trace.at_proxy or not self.destination.is_tunnelled):
                x.detail = f"proxy: {x.detail}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = _tls_cause(error)
            words = (str(error) or type(error).__name__) if cause is None else tls_reason(cause)
            x.failure, x.detail = Failure.TRANSPORT, words[:1].lower() + words[1:]
            if trace.at_proxy:
                x.failure, x.detail = Failure.CONNECT, f"proxy: {x.detail}"
        except Exception as error:  # noqa: BLE001 - what a library raises for one request is that request's failure
            cause = _tls_cause(error)
            words = f"{type(error).__name__}: {error}".rstrip(": ") if cause is None else tls_reason(cause)
            x.failure, x.detail = Failure.TRANSPORT, words
        x.end = clock()
        await trace.close()

    async def _read(self, response: httpx.Response, x: Exchange) -> None:
        x.status = response.status_code
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}".encode("latin-1", "replace")]
        lines += [name + b": " + value for name, value in response.headers.raw]
        x.head = b"\r\n".join([*lines, b"", b""])
        x.received = len(x.head)
        self._held += x.received
        refused, _ = look_at(x.head)  # for HTTP/2, which has no guard
        if refused:
            raise httpx.RemoteProtocolError(refused)
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            x.received += len(part)
            self._held += len(part)
            if x.received > BODY_BYTES + HEADER_BYTES:
                raise httpx.RemoteProtocolError(f"reply body over {BODY_BYTES // 2**20} MiB")
            if self._held > REPLIES_BYTES:
                raise httpx.RemoteProtocolError(TOO_MANY_BYTES)
        x.body = bytes(body)
        if not self.keepalive or _closes(response):
            self.traffic.closed += 1
        stream = response.extensions["network_stream"]
        self.traffic.unsolicited += isinstance(stream, GuardedStream) and stream.has_surplus


class _Trace:
    """Turns httpcore's trace events into the points of time of an exchange.

    Source: httpcore's documentation, "Trace"; the names begin with `connection.`, `http11.` or `http2.`, and with
    `proxy.` for the TLS inside of a tunnel.

    Attributes:
        at_proxy: whether a connection is being made and its tunnel is not open yet.
    """

    def __init__(self, x: Exchange, traffic: Traffic, destination: Destination) -> None:
        self._x = x
        self._traffic = traffic
        self._tunnelled = destination.is_tunnelled
        self._secure = "https" in (destination.scheme, destination.proxy and destination.proxy.scheme)
        self.at_proxy = False
        self.unsecured: Any = None  # a stream during its handshake

    async def close(self) -> None:
        """Close a connection whose handshake was cancelled: httpcore leaves it open."""
        if self.unsecured is not None:
            await self.unsecured.aclose()

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        x = self._x
        if self._tunnelled and event == "connection.connect_tcp.started":
            self.at_proxy = True
        elif event == "proxy.start_tls.started":
            self.at_proxy = False
            x.tcp = x.connected = x.sent = x.first = clock()
        elif self.at_proxy:
            if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
                self.unsecured = info["return_value"]
            return
        match event.partition(".")[2]:
            case "connect_tcp.complete" | "connect_unix_socket.complete":
                x.tcp = x.connected = x.sent = x.first = clock()
                if self._secure:
                    self.unsecured = info["return_value"]
                else:
                    self._traffic.connections += 1
            case "start_tls.complete":
                x.connected = x.sent = x.first = clock()
                self.unsecured = None
                self._traffic.connections += 1
                secured = info["return_value"].get_extra_info("ssl_object")
                if self._traffic.tls is None and secured is not None:
                    self._traffic.tls = describe(secured)
            case "send_request_headers.complete" | "send_request_body.complete":
                x.sent = x.first = clock()
            case "receive_response_headers.complete":
                x.first = clock()


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport with guarded connections: the original has no parameter for a network backend."""

    def __init__(self, how: dict[str, Any]) -> None:  # does not call httpx's, which would make another pool
        self._pool = httpcore.AsyncHTTPProxy(**how) if "proxy_url" in how else httpcore.AsyncConnectionPool(**how)


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    """Return OpenSSL's error behind an error, because the libraries in between drop its text."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def _closes(response: httpx.Response) -> bool:
    """Tell whether the connection ends after this reply; h11 keeps no HTTP/1.0 connection."""
    if response.http_version == "HTTP/2":
        return False
    stream = response.extensions["network_stream"]
    return response.http_version == "HTTP/1.0" or (isinstance(stream, GuardedStream) and stream.closes)


def _connect_failure(error: Exception, x: Exchange) -> tuple[Failure, str]:
    if isinstance(error, httpx.ProxyError):  # the proxy did not open a tunnel
        # Not converted to lower case: credentials in the reason would no longer be masked.
        return Failure.CONNECT, str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Failure.TLS, tls_reason(cause)
        if isinstance(cause, OSError) and cause.strerror:
            return Failure.CONNECT if x.tcp == x.start else Failure.TLS, cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return Failure.CONNECT if x.tcp == x.start else Failure.TLS, str(error).lower()
