"""A forward proxy: passes plain requests on, opens tunnels for CONNECT, remembers both."""

import base64
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


@dataclass(slots=True)
class Proxy:
    """A proxy on a free loopback port; a context manager.

    Args:
        seen: the first line and the headers (names in lower case) of every request.
        wants: `user:password`, without which everything is answered with 407.
        refusal: the status line that everything is answered with, if any.
    """

    wants: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusal: str = ""
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                received = client.recv(65536)
                if not received:  # somebody only looked whether it is there
                    return
                data += received
            head, _, body = data.partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
            self.seen.append((line, headers))
            method, target, _ = line.split(" ")
            basic = "Basic " + base64.b64encode(self.wants.encode()).decode()
            known = not self.wants or headers.get("proxy-authorization") == basic
            refusal = self.refusal if known else "407 Proxy Authentication Required"
            if refusal:
                client.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                client.close()
                return
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                server = self._connect(host, int(port))
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                url = urlsplit(target)
                server = self._connect(url.hostname or "", url.port or 80)
                passed = [text for text in lines if not text.lower().startswith("proxy-")]
                first = f"{method} {url.path} HTTP/1.1"
                server.sendall("\r\n".join([first, *passed, "", ""]).encode("latin-1") + body)
            threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
            self._pump(client, server)

    def _connect(self, host: str, port: int) -> socket.socket:
        server = socket.create_connection((host, port), timeout=5)
        self._open.append(server)
        return server

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
