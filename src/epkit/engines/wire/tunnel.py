"""A tunnel through a proxy: the CONNECT request, and the proxy's reply.

A tunnel is opened once for each connection, before the TLS handshake with the server. The result is a socket like any
other, so other code need not care about a proxy.
"""

import asyncio
import re
import socket
import ssl
from typing import Final, cast

from epkit.core.http.addresses import is_address
from epkit.core.http.destination import Destination, Proxy, Tls
from epkit.core.http.headers import final_block
from epkit.core.http.masking import clean
from epkit.core.samples.rows import Failure
from epkit.engines.wire.tls import TlsTransport, handshake, make_context, tls_reason

HEAD_BYTES: Final = 64 * 1024
"""The largest header block of a reply to CONNECT that is accepted."""

_PIECE_BYTES: Final = 4096
_STATUS_LINE: Final = re.compile(r"HTTP/1\.[01] (\d{3})( .*)?")


class ProxyError(Exception):
    """The proxy can be reached, but does not open a tunnel; the message begins with `proxy: `."""

    def __init__(self, words: str, failure: Failure = Failure.CONNECT) -> None:
        super().__init__(f"proxy: {words}")
        self.failure = failure


def proxy_tls(proxy: Proxy) -> Tls:
    """Return the TLS settings for the proxy itself, if its URL begins with https://.

    Its certificate is always checked: `--insecure` and the client's certificate are only for the server.
    """
    return Tls(server_name=None if is_address(proxy.host) else proxy.host.rstrip("."))


def make_proxy_context(proxy: Proxy, tls: Tls) -> ssl.SSLContext:
    """Make the context for TLS to the proxy itself.

    Args:
        tls: settings for the server. Its authorities are trusted in addition to the system's: a proxy's certificate may
            come from either.

    Raises:
        UsageError: the file of authorities cannot be used.
    """
    context = make_context(proxy_tls(proxy))
    if tls.cacert is not None:
        make_context(Tls(cacert=tls.cacert))  # its message has words; `load_verify_locations` has only a code
        context.load_verify_locations(tls.cacert)
    return context


class Tunnels:
    """Opens tunnels to the server of a destination."""

    def __init__(self, destination: Destination) -> None:
        """Build the request.

        Raises:
            UsageError: the file of authorities cannot be used.
        """
        assert destination.proxy is not None
        self._proxy = destination.proxy
        secure = self._proxy.scheme == "https"
        self._context = make_proxy_context(self._proxy, destination.tls) if secure else None
        self._relays: set[_Relay] = set()
        lines = [f"CONNECT {destination.tunnel} HTTP/1.1", f"Host: {destination.tunnel}"]
        if self._proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        self._request = "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def open(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> socket.socket:
        """Open a tunnel.

        Args:
            sock: connected to the proxy, non-blocking; closed if no tunnel is opened.

        Returns:
            A non-blocking socket that leads to the server.

        Raises:
            ProxyError: the proxy refuses, or does not speak HTTP.
            OSError: the connection to it breaks.
        """
        try:
            if self._context is not None:
                sock = await self._relayed(loop, sock, self._context)
            await loop.sock_sendall(sock, self._request)
            await _take_reply(loop, sock)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _relayed(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, context: ssl.SSLContext
    ) -> socket.socket:
        """Speak TLS to the proxy, and return another socket for the plain bytes.

        The `ssl` module cannot wrap a socket twice. So the server's TLS uses one end of a socket pair, and the bytes at
        the other end are passed through the proxy's TLS in both directions.
        """
        try:
            secured = await handshake(loop, sock, context, proxy_tls(self._proxy), self._proxy.host)
        except ssl.SSLError as error:
            raise ProxyError(tls_reason(error), Failure.TLS) from None
        near, far = socket.socketpair()
        inner = _Relay(self._relays)
        try:
            near.setblocking(False)
            await loop.create_connection(lambda: inner, sock=far)
        except BaseException:
            for opened in (secured, near, far):
                opened.close()
            raise
        TlsTransport(loop, secured, _Relay(self._relays, inner))
        return near

    def close(self) -> None:
        """Close the remaining relays."""
        for relay in tuple(self._relays):
            relay.transport.abort()


class _Relay(asyncio.Protocol):
    """One of two ends: data that arrives at one leaves at the other, and both close together."""

    transport: asyncio.Transport

    def __init__(self, every: "set[_Relay]", other: "_Relay | None" = None) -> None:
        self._every = every
        self.other = other
        if other is not None:
            other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)
        self._every.add(self)

    def data_received(self, data: bytes) -> None:
        """Pass data on."""
        assert self.other is not None  # both exist before data can arrive
        self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason at one end is not passed to the other
        """Close the other end."""
        self._every.discard(self)
        if self.other is not None:
            self.other.transport.close()


async def _take_reply(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Read a proxy's reply to CONNECT.

    Raises:
        ProxyError: it is not 2xx, or not a reply.
        OSError: the connection breaks.

    Source: RFC 9110 § 9.3.6: a 2xx has no body, whatever its header says. With TLS, the client speaks first.
    """
    head = b""
    while (block := final_block(head)) is None:
        if len(head) > HEAD_BYTES:
            raise ProxyError(f"header block over {HEAD_BYTES} bytes")
        piece = await loop.sock_recv(sock, _PIECE_BYTES)
        if not piece:
            raise ProxyError(f"closed {'inside' if head else 'before a byte of'} its reply")
        head += piece
        if not head.startswith(b"HTTP/1."[: len(head)]):
            break
    line = (block or head).partition(b"\r\n")[0].decode("latin-1")
    found = _STATUS_LINE.fullmatch(line)
    if block is None or found is None:
        raise ProxyError("not an HTTP reply")
    if not found[1].startswith("2"):
        # Not converted to lower case: credentials in the reason would no longer be masked.
        raise ProxyError(clean(f"{found[1]}{found[2] or ''}"))
    if not head.endswith(block + b"\r\n\r\n"):
        raise ProxyError("unexpected bytes follow its reply")
