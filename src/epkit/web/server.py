"""Serves the docs application with uvicorn until a signal ends it."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from epkit.process import signals_to

MOST_CONNECTIONS: Final = 64
MOST_OF_A_PEER: Final = 32
"""Greatest number of connections from one address; a browser opens six."""
HEADER_S: Final = 10.0
"""Longest time until a request's header is complete, from the first byte of the connection or of the request."""
BODY_S: Final = 60.0
"""Longest time until its body is complete."""


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with time limits for incomplete requests, and a bound on the connections of a peer.

    uvicorn itself limits only the time between two requests, and answers 503 to requests over its bound.
    """

    _state: object = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close this connection if the peer already has too many."""
        super().connection_made(transport)
        peers = [other.client and other.client[0] for other in self.connections if isinstance(other, _Protocol)]
        if peers.count(self.client and self.client[0]) > MOST_OF_A_PEER or len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Process the received bytes, and set the time limit for the rest of the request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is self._state:
            return  # the time limit stays
        self._state = self.conn.their_state
        if self._timer is not None:
            self._timer.cancel()
        patience_s = {h11.IDLE: HEADER_S, h11.SEND_BODY: BODY_S}.get(self._state)
        self._timer = None if patience_s is None else self.loop.call_later(patience_s, self.transport.abort)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would wait for open requests and raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: `serve` handles the signals."""
        yield


def serve(app: ASGIApp, listener: socket.socket) -> signal.Signals:
    """Answer until Ctrl-C or SIGTERM; then end at once, also requests in flight.

    Returns:
        The signal.

    Raises:
        Exception: a bug in the application; the original exception is raised.
    """
    return asyncio.run(_serve(app, listener))


async def _serve(app: ASGIApp, listener: socket.socket) -> signal.Signals:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            if not ended.done():
                ended.set_exception(error)
            raise

    # h11 limits the header. uvicorn's own log is off: its messages are not meant for the user.
    config = uvicorn.Config(
        watched,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=sys.maxsize,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
    )
    serving = asyncio.create_task(_Server(config).serve([listener]))

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)

    with signals_to(end, loop):
        try:
            either: list[asyncio.Future[Any]] = [serving, ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    if not ended.done():
        serving.result()  # it ends by itself only after a bug
    return ended.result()
