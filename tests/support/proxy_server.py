"""A forward proxy: it forwards plain requests, opens tunnels, misbehaves on purpose, and records requests."""

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Self
from urllib.parse import urlsplit

from epkit.core.http.destination import Proxy as ProxyValue


@dataclass(slots=True)
class Proxy:
    """A proxy on a free loopback port; a context manager.

    Args:
        user: `user:password` that every request must contain, if set.
        refusal: status line of every reply, if set.
        says: bytes of every reply, if set; *waits* determines what follows.
        waits: whether the connection stays open after *says*.
        welcome: bytes that report that a tunnel is open.
        cut_after: number of bytes from the server after which a tunnel is closed, if set.
        hosts: addresses of names that no name server has.
        tls: TLS context of the proxy itself, None for plain HTTP.
        seen: the first line and the headers (names in lower case) of every request.
        connections: number of accepted clients.
    """

    user: str = ""
    refusal: str = ""
    says: bytes | None = None
    waits: bool = False
    welcome: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
    cut_after: int | None = None
    hosts: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=1024))
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def lines(self) -> list[str]:
        """The first lines of the requests."""
        return [line for line, _ in self.seen]

    def value(self, user: str = "", *, host: str = "127.0.0.1") -> ProxyValue:
        """Return the proxy in the form that engines take."""
        authorization = f"Basic {base64.b64encode(user.encode()).decode()}" if user else None
        scheme = "http" if self.tls is None else "https"
        return ProxyValue(scheme=scheme, host=host, port=self.port, authorization=authorization)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that still connects to the server would make a connection during the next test.
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            for opened in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(opened, socket.SHUT_RDWR)  # TLS's own would disturb a reading thread
            alive[0].join(0.05)
        for opened in (self._listener, *self._open):
            opened.close()

    def _start(self, call: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._open.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            if self.tls is not None:
                client = self.tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
                self._open.append(client)
                client.do_handshake()
            reader = client.makefile("rb")
            server: socket.socket | None = None
            if reader.peek(1).startswith(b"\x16"):  # an unexpected TLS handshake
                client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                client.shutdown(socket.SHUT_RDWR)
                return
            while (line := _read_line(reader)) != "":
                method, target, _ = line.split(" ")
                lines = list(iter(lambda: _read_line(reader), ""))
                headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
                self.seen.append((line, headers))
                if not self._lets_through(client, headers):
                    return
                if method == "CONNECT":
                    host, _, port = target.rpartition(":")
                    server = self._connect(host.strip("[]"), int(port))
                    client.sendall(self.welcome)
                    self._start(self._pump, server, client, self.cut_after)
                    self._pump(client, server)
                    return
                url = urlsplit(target)
                if server is None:
                    server = self._connect(url.hostname or "", url.port or 80)
                    self._start(self._pump, server, client)
                passed = [text for text in lines if not text.lower().startswith("proxy-")]
                first = f"{method} {url.path}{f'?{url.query}' if url.query else ''} HTTP/1.1"
                server.sendall("\r\n".join([first, *passed, "", ""]).encode("latin-1"))
                left = int(headers.get("content-length", 0))
                while left:
                    piece = reader.read1(min(left, 65536))
                    if not piece:
                        return
                    server.sendall(piece)
                    left -= len(piece)

    def _lets_through(self, client: socket.socket, headers: dict[str, str]) -> bool:
        if self.says is not None:
            client.sendall(self.says)
            if self.waits:
                client.recv(1)
            client.close()
            return False
        refusal = self.refusal
        if self.user and headers.get("proxy-authorization") != self.value(self.user).authorization:
            refusal = "407 Proxy Authentication Required"
        if refusal:
            client.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode("latin-1"))
            client.shutdown(socket.SHUT_RDWR)
            client.close()
        return not refusal

    def _connect(self, host: str, port: int) -> socket.socket:
        server = socket.create_connection((self.hosts.get(host, host), port), timeout=5)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        return server

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, limit: int | None = None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data if limit is None else data[:limit])
                if limit is not None and (limit := limit - len(data)) <= 0:
                    sink.shutdown(socket.SHUT_RDWR)
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _read_line(reader: BufferedReader) -> str:
    line = reader.readline()
    if line and not line.endswith(b"\n"):
        raise EOFError("closed inside a line")
    return line.decode("latin-1").rstrip("\r\n")
