"""What httpx reads, held to what the wire engine accepts: httpcore's network backend, with llhttp in between.

h11, which parses for httpx, is more lenient than llhttp, and keeps what follows a reply as the beginning of the next.
So every byte of an HTTP/1.1 reply passes llhttp and `epkit.core.replies.framing` on its way to h11, and a connection
on which something else came is not used again. HTTP/2 has its own framing, and passes as it is.
"""

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httptools

from epkit.core.replies.framing import look_at
from epkit.engines.wire.tls import RAGGED

BLANK_LINE: Final = b"\r\n\r\n"


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections whose replies are guarded."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, as httpcore does."""
        stream = await self._backend.connect_tcp(
            host, port, timeout=timeout, local_address=local_address, socket_options=socket_options
        )
        return GuardedStream(stream)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, as httpcore does."""
        return GuardedStream(
            await self._backend.connect_unix_socket(path, timeout=timeout, socket_options=socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)


class GuardedStream(httpcore.AsyncNetworkStream):
    """A connection; whoever reads from it gets what the guard has accepted."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        secured = stream.get_extra_info("ssl_object")
        self._secured: ssl.SSLObject | None = secured
        self._is_http2 = secured is not None and secured.selected_alpn_protocol() == "h2"
        self._reply: GuardedReply | None = None

    @property
    def closes(self) -> bool:
        """Tell whether the connection cannot be used for another request."""
        return self._reply is not None and not self._reply.keep

    @property
    def has_surplus(self) -> bool:
        """Tell whether bytes followed the reply that nobody asked for."""
        return self._reply is not None and self._reply.surplus

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Read what the guard accepts.

        Raises:
            httpcore.RemoteProtocolError: it does not.
            httpcore.ReadError: the connection breaks off.
        """
        data = await self._stream.read(max_bytes, timeout)
        if self._reply is not None and (wrong := self._reply.take(data)):
            raise httpcore.RemoteProtocolError(wrong)
        if not data and self._is_ragged():
            raise httpcore.ReadError(RAGGED)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Write; what begins after a whole reply is another request."""
        if buffer and not self._is_http2 and (self._reply is None or self._reply.complete):
            method = buffer.partition(b" ")[0]
            # The reply to CONNECT is httpcore's own affair, and what follows has a stream of its own.
            self._reply = None if method == b"CONNECT" else GuardedReply(is_head=method == b"HEAD")
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from now on; returns the stream that does."""
        return GuardedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Ask the connection below; one that cannot be used again has its end to be read, which httpcore looks for."""
        return True if info == "is_readable" and self.closes else self._stream.get_extra_info(info)

    def _is_ragged(self) -> bool:
        """Tell whether TLS broke off, at its end: anyio does not, but OpenSSL still knows."""
        if self._secured is None:
            return False
        try:
            self._secured.read(1)
        except ssl.SSLError:
            return True
        return False


class GuardedReply:
    """One reply on its way: fed with its bytes, it says what is wrong with it.

    Attributes:
        complete: it is over; what follows was asked for by nobody.
        keep: the connection can be used again.
        surplus: bytes followed it.
    """

    def __init__(self, *, is_head: bool) -> None:
        self._is_head = is_head
        self._parser = httptools.HttpResponseParser(self)
        self._head = self._last = b""
        self._checked = False
        self.complete = self.surplus = False
        self.keep = True

    def take(self, data: bytes) -> str:
        """Take the next bytes, none for the end of the connection; return what is wrong with them, in words."""
        was_complete = self.complete
        if not data:
            self.keep = False
            return ""
        if was_complete:
            self._note_surplus()
            return ""
        if not self._checked:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                return f"not an HTTP reply: {error}"
            self._note_surplus()
        if not self._checked:
            wrong, end = look_at(self._head)
            if wrong:
                return wrong
            self._checked = end >= 0
        if self.complete and not data.endswith((self._last or BLANK_LINE, BLANK_LINE)) and data.strip(b"0\r\n"):
            self._note_surplus()
        return ""

    def on_headers_complete(self) -> None:
        """End the reply to a HEAD."""
        if self._is_head and not self.complete:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Note what the reply ends with."""
        self._last = body
        self.surplus = self.surplus or self.complete

    def on_message_complete(self) -> None:
        """Note the end of a reply that is not interim."""
        if self.complete:
            if not self._is_head:
                self._note_surplus()
            return
        status = self._parser.get_status_code()
        if status >= 200 or status < 100 or status == 101:
            self.complete = True
            self.keep = self._parser.should_keep_alive()

    def _note_surplus(self) -> None:
        self.surplus = True
        self.keep = False
