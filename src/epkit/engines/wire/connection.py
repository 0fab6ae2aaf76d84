"""A connection of the wire engine: it serves one slot, and carries the request in flight on it.

Theory of operation. A `Connection` is a protocol on one transport. It is also the `Exchange` that the driver gets. On
the hot path there is no task, no future and no await: the callback that ends a reply passes the exchange to the driver,
gets the next request from it, and writes this request, all before it returns to the loop.

The parser's callbacks handle only the parts that every reply needs: its body and its end. The header lines are stored
raw, and are read later if they are needed.

A connection is in one of five states; three attributes define them:

* *new*: `complete`, and no `transport` yet; the engine connects it, and sends its first request.
* *waiting*: not `complete`, nothing `received`: a request has been sent, or is being sent.
* *reading*: not `complete`, something `received`: a reply has begun.
* *idle*: `complete` and `keep`: between two requests, or parked. Bytes that arrive now are unexpected. An end of the
  connection is recorded, but is no failure.
* *closed*: `complete`, the transport aborted. The transport may call once more; there is no exchange to end then.

Times are `time.perf_counter_ns`; `epkit.core.samples.rows` explains each point of time.
"""

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Final, cast

import httptools

from epkit.core.http.headers import final_block, framing, with_crlf
from epkit.core.replies.framing import (
    BODY_BYTES,
    HEADER_BYTES,
    REPLIES_BYTES,
    SHORT_HEADER_BYTES,
    TOO_MANY_BYTES,
    USUAL,
    look_at,
)
from epkit.core.samples.rows import Failure
from epkit.engines.base import Arrival, Exchange
from epkit.engines.wire.tls import tls_reason

if TYPE_CHECKING:
    from epkit.engines.wire.wire import WireEngine

BLANK_LINE: Final = b"\r\n\r\n"

NO_HEADER: Final = b"\0"
"""No header block that the parser accepts begins with this."""

NOTHING: Final = -1
"""An impossible length of a reply."""

PIECES: Final = 1024
"""Greatest number of separate pieces of a body; more are joined, because a piece of one byte takes fifty bytes."""

clock = time.perf_counter_ns


class Connection(Exchange, asyncio.Protocol):
    """A connection, which is also the exchange in flight on it."""

    __slots__ = (
        "accepted", "complete", "engine", "feed", "held", "joined", "keep", "keeps", "like", "like_bytes", "loose",
        "parts", "request", "status_of", "surplus", "transport", "unusual", "write",
    )  # fmt: skip

    def __init__(self, engine: "WireEngine") -> None:
        super().__init__()
        self.engine = engine
        self.parts: list[bytes] = []
        self.joined: list[bytes] = []  # the body before `parts`
        self.held = 0  # bytes of the unfinished reply
        self.unusual = False  # the current reply comes in pieces, or an interim reply precedes it
        self.loose = False  # the current reply has lines that end in LF only, and its header is not complete
        self.complete = True
        self.keep = False
        self.surplus = False
        self.accepted = NO_HEADER  # the header block that was accepted last
        self.like = b""
        self.like_bytes = NOTHING
        self._renew_parser()

    def _renew_parser(self) -> None:
        parser = httptools.HttpResponseParser(self)
        # The methods are bound once, because each is called for every reply.
        self.feed = parser.feed_data
        self.status_of = parser.get_status_code
        self.keeps = parser.should_keep_alive if self.engine.keepalive else _never

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport; the engine sends the first request."""
        self.transport = cast("asyncio.Transport", transport)
        # Otherwise uvloop would write only at the end of the loop's turn, and this wait would count as latency.
        self.transport.set_write_buffer_limits(high=0)
        self.write = self.transport.write

    def send(self, arrival: Arrival) -> None:
        """Send a request on a ready connection; its start, tcp and connected are already set."""
        self.due, self.payload, self.request = arrival
        self.received = 0
        self.body = b""
        self.complete = False
        write = self.write
        write(self.request.wire)
        self.sent = clock()

    # Called by the transport.

    def data_received(self, data: bytes) -> None:
        """Parse a chunk of the reply; if it is the last one, end the exchange and begin the next."""
        try:
            # Bound methods are fetched before their call: a direct call of an attribute searches the class first.
            self.end = now = clock()
            if len(data) == self.like_bytes and not self.received and data.startswith(self.like):
                self.first = now
                self.head = data
                self.received = len(data)
                self.body = data[len(self.like) :]
                self.complete = True
            elif not self._parse(data, now):
                return
            engine = self.engine
            done = engine.done
            done(self)
            if not self.keep:
                self._part()
                return
            following = engine.next
            now = clock()
            arrival = following(now)
            if arrival is None:
                self.body = b""
                engine.park(self)
                return
            self.start = self.tcp = self.connected = now
            self.send(arrival)
        except BaseException as error:  # noqa: BLE001 - of the driver, or a sink: it ends the run
            # The transport would take an OSError for a failure of this connection. This `try` costs no time.
            self.engine.crash(error)

    def _parse(self, data: bytes, now: int) -> bool:
        """Parse a chunk, and tell whether it completed a reply."""
        if self.received:
            if self.complete:  # parked: no request was sent
                self._note_surplus()
                return False
            if len(self.head) <= HEADER_BYTES:
                self.head += data
            self.received += len(data)
            if self.loose:
                return self._parse_loosely(len(data))
        else:
            self.first = now
            self.head = data
            self.received = len(data)
        feed = self.feed
        try:
            feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                if not self.body and self.received == len(self.head) and with_crlf(self.head) is not None:
                    return self._parse_loosely(len(data))
                self._fail(Failure.TRANSPORT, f"not an HTTP reply: {error}")
                return False
            self._note_surplus()
        if not self.complete:
            self._hold(len(data))
            return False
        body = self.body
        plain = (
            body
            and data.endswith(body)
            and self.keep
            and not self.unusual
            and not self.parts
            and data.startswith(USUAL)
            and len(data) - len(body) < SHORT_HEADER_BYTES
        )
        if not plain and not self._check_reply(data):
            return False
        self._learn(data)
        return True

    def _parse_loosely(self, size: int) -> bool:
        """Parse a reply whose lines end in LF only, as if they ended in CRLF, when its header is complete.

        Args:
            size: size of the last chunk.
        """
        read, first = self.received, self.first
        mended = with_crlf(self.head) or self.head
        self.loose = final_block(mended) is None
        if self.loose:
            self._hold(size)
            return False
        self._renew_parser()
        self.received = 0
        over = self._parse(mended, first)
        self.received += read - len(mended)
        return over

    def _learn(self, data: bytes) -> None:
        """Remember the header block of a reply that came in one chunk: the next reply with this block needs no parser.

        The first blank line ends the header, and everything after it is the body. So the header contains the body's
        length: with transfer chunks, the bytes would differ from the body; without a length, the connection would end.
        """
        length = len(data) - len(self.body)
        if self.keep and self.received == len(data) and data.find(BLANK_LINE) == length - len(BLANK_LINE):
            self.like, self.like_bytes = data[:length], len(data)
        else:
            self.like_bytes = NOTHING

    def eof_received(self) -> None:
        """Handle the server's FIN: a half-closed connection would accept a request and never answer it."""
        if self.complete:
            self.keep = False
        elif self.received and framing(self.head) == "close":
            self.end = clock()
            self.on_message_complete()
            if self._check_reply(b""):
                self.engine.end(self)
                self._part()
        else:
            self._lost("closed")

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        self.engine.connections.discard(self)
        if not self.complete:
            if isinstance(exc, ssl.SSLError):
                self._lost(tls_reason(exc))
            else:
                self._lost("closed" if exc is None else (getattr(exc, "strerror", None) or str(exc)).lower())

    # Called by the parser.

    def on_body(self, body: bytes) -> None:
        """Store a piece of the body; most replies have one piece."""
        if self.complete:
            self._note_surplus()
        elif self.body:
            self.parts.append(body)
        else:
            self.body = body

    def on_message_complete(self) -> None:
        """Record the end of a reply, unless it is interim (1xx); a second final reply is unexpected."""
        if self.complete:
            self._note_surplus()
            return
        status_of, keeps = self.status_of, self.keeps
        status = status_of()
        if status >= 200:
            self.status = status
            self.keep = keeps()
            self.complete = True
        else:
            self.unusual = True
            self.complete = status < 100 or status == 101  # these statuses are refused; the others are interim

    # The end of an exchange.

    def _part(self) -> None:
        """Close a connection that cannot be used again, after its last reply, and let the slot continue."""
        engine = self.engine
        engine.traffic.unsolicited += self.surplus
        engine.traffic.closed += 1
        self.close()
        engine.go_on()

    def _note_surplus(self) -> None:
        """Record bytes after the end of a reply: it is not known which request the next bytes answer."""
        self.surplus = True
        self.keep = False

    def _hold(self, size: int) -> None:
        """Count a chunk of an incomplete reply, and check the limits for one reply and for all replies."""
        engine = self.engine
        self.unusual = True
        self.held += size
        engine.held += size
        if engine.held > REPLIES_BYTES:
            self._fail(Failure.TRANSPORT, TOO_MANY_BYTES)
        elif self._accept() and self.received > HEADER_BYTES:
            self._bound()

    def _accept(self) -> bool:
        """Check the header block as far as it was read; if it is refused, end the exchange and return False."""
        if self.head.startswith(self.accepted):
            return True
        refused, end = look_at(self.head)
        if refused:
            self._fail(Failure.TRANSPORT, refused)
            return False
        if end >= 0:
            self.accepted = self.head[:end]
        return True

    def _check_reply(self, data: bytes) -> bool:
        """Check a reply that is not just a header and a body in one chunk of bytes; tell whether it is accepted.

        Args:
            data: the last chunk of bytes; empty if the end of the connection ended the reply.
        """
        if self.held:
            self.engine.held -= self.held
            self.held = 0
        self.unusual = False
        if not self._accept():
            return False
        last = self.parts[-1] if self.parts else self.body
        # A chunked body ends with a blank line, and so does a header without a body. `head` contains the whole reply if
        # it is small; for a large reply, the last chunk of bytes may be only a part of its end.
        tail = self.head if self.received <= HEADER_BYTES else data
        if not tail.endswith((last or BLANK_LINE, BLANK_LINE)) and data.strip(b"0\r\n"):
            self._note_surplus()
        if self.parts or self.joined:
            self.body = b"".join((self.body, *self.joined, *self.parts))
            self.parts.clear()
            self.joined.clear()
        return True

    def _fail(self, failure: Failure, detail: str) -> None:
        self.end = clock()
        self.failure = failure
        self.detail = detail
        self.status = self.status_of() if framing(self.head) and self.received else 0
        if not self.received:
            # `head` still has the header of the previous reply.
            self.first, self.head = self.sent, b""
        self.close()
        self.engine.end(self)
        self.engine.go_on()

    def _lost(self, how: str) -> None:
        reused = self.connected == self.start
        untouched = self.transport.get_write_buffer_size() >= len(self.request.wire)
        if untouched and not self.received and reused:
            # The server had closed an idle connection, and no byte was sent: no server has seen this request.
            self.close()
            self.engine.traffic.retried += 1
            self.engine.open((self.due, self.payload, self.request))
        elif not self.received:
            again = "; it was a reused connection: --no-keepalive?" if reused else ""
            self._fail(Failure.TRANSPORT, f"{how} before a byte of the reply{again}")
        elif not framing(self.head):
            self._fail(Failure.TRANSPORT, f"{how} inside the reply's header")
        else:
            read = len(self.body) + sum(map(len, self.joined)) + sum(map(len, self.parts))
            self._fail(Failure.TRANSPORT, f"{how} inside the reply's body, after {read} bytes of it")

    def _bound(self) -> None:
        """Limit the memory for a large reply."""
        self.head = self.head[: HEADER_BYTES + 1]
        if len(self.parts) > PIECES:
            self.joined.append(b"".join(self.parts))
            self.parts.clear()
        if self.received > BODY_BYTES + HEADER_BYTES:
            self._fail(Failure.TRANSPORT, f"reply body over {BODY_BYTES // 2**20} MiB")

    def give_up(self, failure: Failure, detail: str) -> None:
        """End the exchange in flight because its time or the run is over."""
        if not self.complete:
            self._fail(failure, detail)

    def close(self) -> None:
        """Close; later calls of the transport have no effect."""
        self.complete = True
        self.engine.held -= self.held
        self.held = 0
        # A reference cycle with the parser would keep the last body until garbage collection, which is off in a run.
        self.feed, self.status_of, self.keeps = _ignore, _no_status, _never
        self.engine.connections.discard(self)
        self.transport.abort()


class HeadConnection(Connection):
    """A connection for HEAD: a reply ends with its header, whatever length it declares."""

    __slots__ = ()

    def on_headers_complete(self) -> None:
        """End the reply, because no body follows."""
        if not self.complete:
            self.on_message_complete()

    def on_message_complete(self) -> None:
        """Record the end of a reply once: llhttp reports it again if there is no length."""
        if not self.complete:
            super().on_message_complete()

    def send(self, arrival: Arrival) -> None:
        """Send a request with a new parser: the old one still waits for the body that Content-Length declares."""
        self._renew_parser()
        super().send(arrival)


def _ignore(data: object) -> None:  # noqa: ARG001
    return None


def _no_status() -> int:
    return 0


def _never() -> bool:
    return False
