"""Serves the docs application with uvicorn until somebody ends it."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from epkit.process import signals_to

MOST_CONNECTIONS: Final = 64


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: it would wait for open requests, and raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


def serve(app: ASGIApp, listener: socket.socket) -> signal.Signals:
    """Answer until Ctrl-C or SIGTERM, and end at once then, requests in flight included.

    Returns:
        The signal.

    Raises:
        Exception: a bug in the application, as it was raised.
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

    # h11 bounds the header; uvicorn's own log would speak to the user of things that are not theirs.
    config = uvicorn.Config(
        watched,
        http="h11",
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
        serving.result()  # it never ends by itself: a bug
    return ended.result()
