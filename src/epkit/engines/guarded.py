"""Guards the replies that httpx reads, so that it accepts only what the wire engine accepts.

This is a network backend for httpcore with llhttp in between. h11, httpx's parser, accepts more than llhttp, and takes
bytes after a reply as the beginning of the next one. So every byte of an HTTP/1.1 reply passes llhttp and
`epkit.core.replies.framing` on its way to h11, and a connection with unexpected bytes is not used again. HTTP/2 has its
own framing, and is not guarded.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httptools

from epkit.core.http.headers import final_block, with_crlf
from epkit.core.replies.framing import look_at
from epkit.engines.wire.tls import RAGGED

BLANK_LINE: Final = b"\r\n\r\n"

INTERIM: Final = (b"HTTP/1.1 1", b"HTTP/1.0 1")

LARGE_BYTES: Final = 64 << 10
"""A smaller body fits into the system's buffers: writing it never waits."""

READ_BYTES: Final = 64 << 10

LAST_BYTES_S: Final = 0.02
"""Longest time to write the rest of a request after a reply has arrived."""

LAST_WORDS_S: Final = 0.2
"""Longest time to read a reply that is already on this machine."""


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
        """Connect like httpcore, with a guard."""
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
    """A connection that returns only bytes that the guard has accepted."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        secured = stream.get_extra_info("ssl_object")
        self._secured: ssl.SSLObject | None = secured
        self._is_http2 = secured is not None and secured.selected_alpn_protocol() == "h2"
        self._reply: GuardedReply | None = None
        self._early: bytes | None = None  # bytes that were read while the request was written

    @property
    def closes(self) -> bool:
        """Tell whether the connection cannot be used for another request."""
        return self._reply is not None and not self._reply.keep

    @property
    def has_surplus(self) -> bool:
        """Tell whether unexpected bytes followed the reply."""
        return self._reply is not None and self._reply.surplus

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Read bytes that the guard accepts.

        Raises:
            httpcore.RemoteProtocolError: the guard does not accept them. httpcore.ReadError: the connection breaks.
        """
        early, self._early = self._early, None
        data = await self._stream.read(max_bytes, timeout) if early is None else early
        if self._reply is not None and (wrong := self._reply.take(data)):
            raise httpcore.RemoteProtocolError(wrong)
        if not data and self._is_ragged():
            raise httpcore.ReadError(RAGGED)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Write; after a complete reply, this starts another request."""
        if buffer and not self._is_http2 and (self._reply is None or self._reply.complete):
            method = buffer.partition(b" ")[0]
            # httpcore itself handles the reply to CONNECT. The connection through the tunnel has its own stream.
            self._reply = None if method == b"CONNECT" else GuardedReply(is_head=method == b"HEAD")
        if self._is_http2 or len(buffer) < LARGE_BYTES:
            await self._stream.write(buffer, timeout)
        else:
            await self._write_and_listen(buffer, timeout)

    async def _write_and_listen(self, buffer: bytes, timeout: float | None) -> None:  # noqa: ASYNC109 - httpcore's
        """Write a large body. If a reply comes meanwhile (413), it answers this request, and the rest is not sent.

        Raises:
            httpcore.WriteError: a reply came, which httpcore then reads; or the connection broke.
        """
        writing = asyncio.ensure_future(self._stream.write(buffer, timeout))
        listening = asyncio.ensure_future(self._stream.read(READ_BYTES, None))
        try:
            await asyncio.wait({writing, listening}, return_when=asyncio.FIRST_COMPLETED)
            if _result(listening).startswith(INTERIM):
                await asyncio.wait({writing})
            elif not writing.done():
                # A server that has read everything can answer before this task knows that all is written.
                await asyncio.wait({writing}, timeout=LAST_BYTES_S)
            elif not listening.done() and writing.exception() is not None:
                # The connection broke during the write: bytes that the server sent before are read first.
                await asyncio.wait({listening}, timeout=LAST_WORDS_S)
        finally:
            for task in (writing, listening):
                task.cancel()
            await asyncio.gather(writing, listening, return_exceptions=True)
        self._early = _result(listening) or None
        if writing.cancelled() or (self._early is not None and writing.exception() is not None):
            raise httpcore.WriteError("the request was not read to its end")
        await writing

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS; return the stream that uses it."""
        return GuardedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Ask the connection below. One that cannot be used again is reported as readable: httpcore checks this."""
        return True if info == "is_readable" and self.closes else self._stream.get_extra_info(info)

    def _is_ragged(self) -> bool:
        """Tell whether TLS ended without close_notify. anyio hides this, but OpenSSL's object still has it."""
        if self._secured is None:
            return False
        try:
            self._secured.read(1)
        except ssl.SSLError:
            return True
        return False


class GuardedReply:
    """One reply during its arrival. It takes the bytes, and reports their faults.

    Attributes:
        complete: whether the reply has ended; later bytes are unexpected.
        keep: whether the connection can be used again.
        surplus: whether unexpected bytes followed.
    """

    def __init__(self, *, is_head: bool) -> None:
        self._is_head = is_head
        self._parser = httptools.HttpResponseParser(self)
        self._head = self._last = b""
        self._checked = self._loose = False
        self.complete = self.surplus = False
        self.keep = True

    def take(self, data: bytes) -> str:
        """Take the next bytes, or none at the end of the connection; return their fault, or ""."""
        was_complete = self.complete
        if not data:
            self.keep = False
            return ""
        if was_complete:
            self._note_surplus()
            return ""
        if not self._checked:
            self._head += data
        if self._loose:
            return self._take_loosely("")
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                return self._take_loosely(f"not an HTTP reply: {error}")
            self._note_surplus()
        if not self._checked:
            wrong, end = look_at(self._head)
            if wrong:
                return wrong
            self._checked = end >= 0
        if self.complete and not data.endswith((self._last or BLANK_LINE, BLANK_LINE)) and data.strip(b"0\r\n"):
            self._note_surplus()
        return ""

    def _take_loosely(self, wrong: str) -> str:
        """Accept a header whose lines end with LF only, when it is complete; h11 accepts such lines.

        Args:
            wrong: the fault to report if the header has another fault.
        """
        mended = None if self._checked else with_crlf(self._head)
        if mended is None:
            return wrong
        self._loose = final_block(mended) is None
        if self._loose:
            return look_at(self._head)[0]
        self._parser, self._head = httptools.HttpResponseParser(self), b""
        return self.take(mended)

    def on_headers_complete(self) -> None:
        """End the reply to a HEAD request."""
        if self._is_head and not self.complete:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Remember the last bytes of the reply."""
        self._last = body
        self.surplus = self.surplus or self.complete

    def on_message_complete(self) -> None:
        """Record the end of a reply that is not interim."""
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


def _result(reading: "asyncio.Future[bytes]") -> bytes:
    """Return the bytes that were read; nothing if the read is not over or failed: the next read reports that."""
    done = reading.done() and not reading.cancelled() and reading.exception() is None
    return reading.result() if done else b""
