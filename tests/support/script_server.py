"""A server that answers the requests of one connection after the other by a script, in the pieces that it lists."""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

PAUSE_S: Final = 0.001
"""Time between two pieces of a reply: long enough for the client to read them separately."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one request.

    Args:
        pieces: the reply, as it is sent.
        closes: whether the connection ends after it.
    """

    pieces: Sequence[bytes]
    closes: bool = False


class ScriptServer:
    """Serves in a thread; the last step is repeated.

    Args:
        early: whether the reply is sent before the body of the request is read.

    Attributes:
        requests: number of requests whose header was read.
        bodies: lengths of the bodies that were read.
    """

    def __init__(self, script: Sequence[Step], *, early: bool = False) -> None:
        self._script, self._early = script, early
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._over = False
        self.requests = 0
        self.bodies: list[int] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while self._serve_one(connection):
                    pass

    def _serve_one(self, connection: socket.socket) -> bool:
        """Read a request with a Content-Length, and answer it; tell whether the connection goes on."""
        read = b""
        while b"\r\n\r\n" not in read:
            got = connection.recv(1 << 16)
            if not got:
                return False
            read += got
        self.requests += 1
        goes_on = not self._early or self._answer(connection)
        head, _, body = read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        size = len(body)
        while size < length:
            size += len(connection.recv(min(1 << 16, length - size)))
        self.bodies.append(size)
        return goes_on if self._early else self._answer(connection)

    def _answer(self, connection: socket.socket) -> bool:
        """Send the reply; tell whether the connection goes on."""
        step = self._script[min(self.requests, len(self._script)) - 1]
        for place, piece in enumerate(step.pieces):
            if place:
                time.sleep(PAUSE_S)
            connection.sendall(piece)
        return not step.closes
