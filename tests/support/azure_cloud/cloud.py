"""The emulated cloud on loopback: a CONNECT proxy that ends TLS and passes each request to its emulated host."""

import contextlib
import fnmatch
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, Self

import trustme

from support.azure_cloud import arm, login, mms, scoring, storage
from support.azure_cloud.http import Reply, Request, Routes, refusal
from support.azure_cloud.state import REGION, State

HOSTS: Final[dict[str, Callable[[State], Routes]]] = {
    "login.microsoftonline.com": login.routes,
    "management.azure.com": arm.routes,
    "emu.blob.core.windows.net": storage.routes,
    f"{REGION}.api.azureml.ms": mms.routes,
    f"*.{REGION}.inference.ml.azure.com": scoring.routes,
    f"*.{REGION}.azurecontainer.io": scoring.routes,
    "localhost": scoring.routes,  # for commands that cannot connect elsewhere
}
OPEN: Final = ("login.microsoftonline.com", "emu.blob.core.windows.net")
"""Hosts that require no token: they issue tokens, or check a signature."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """A reply that replaces the usual one, for requests of a method whose path matches.

    Args:
        times: number of requests that it affects; later ones are answered normally.
    """

    method: str
    path: str
    reply: Reply
    times: int = 10**9


class Cloud:
    """The emulated cloud; a context manager."""

    def __init__(self, certificates: "Certificates") -> None:
        self._certificates = certificates
        self.reset()
        self._proxy = _Server(_ConnectHandler, self)
        self._direct = _Server(_TlsHandler, self)

    def reset(self) -> None:
        """Delete all state."""
        self.state = State()
        self.requests: list[Request] = []
        self.unknown: list[str] = []
        self.faults: list[Fault] = []
        self._routes = {pattern: make(self.state) for pattern, make in HOSTS.items()}

    def __enter__(self) -> Self:
        for server in (self._proxy, self._direct):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._proxy, self._direct):
            server.shutdown()
            server.server_close()

    @property
    def proxy(self) -> str:
        """The URL for HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._proxy.server_address[1]}"

    @property
    def direct(self) -> str:
        """HOST:PORT of a listener that speaks TLS for all hosts."""
        return f"127.0.0.1:{self._direct.server_address[1]}"

    @property
    def cacert(self) -> str:
        return str(self._certificates.cacert)

    def fail(self, method: str, path: str, reply: Reply, times: int = 10**9) -> None:
        """Make requests fail whose path matches a regular expression."""
        self.faults.append(Fault(method=method, path=path, reply=reply, times=times))

    def sent(self, method: str, path: str) -> list[Request]:
        """Return the requests of a method whose path ends with a match of the regular expression."""
        return [each for each in self.requests if each.method == method and re.search(path + "$", each.path)]

    def plays(self, host: str) -> str | None:
        """Return the pattern of a known host, and record an unknown one."""
        for pattern in HOSTS:
            if fnmatch.fnmatch(host, pattern):
                return pattern
        self.unknown.append(host)
        return None

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        pattern = self.plays(request.host)
        if pattern is None:
            return refusal(502, "UnknownHost", request.host)
        for fault in self.faults:
            if fault.times > 0 and fault.method == request.method and re.search(fault.path, request.path):
                fault.times -= 1
                return fault.reply
        scored = HOSTS[pattern] is scoring.routes
        public = request.host in OPEN or scored or request.path == "/discovery"
        if not public and not self.state.knows(request.headers.get("authorization", "")):
            return refusal(401, "InvalidAuthenticationToken", "The access token is missing or has expired.")
        reply = self._routes[pattern].answer(request)
        if reply is None:
            self.unknown.append(f"{request.method} {request.host}{request.path}")
            return refusal(404, "NoRoute", f"the emulator has no {request.method} {request.path}")
        return reply

    def wrap(self, connection: socket.socket) -> ssl.SSLSocket:
        return self._certificates.context.wrap_socket(connection, server_side=True)


class Certificates:
    """A CA for one test session, and one certificate for all hosts."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.cacert = directory / "ca.pem"
        authority.cert_pem.write_to_path(self.cacert)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(self.context)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, handler: type, cloud: Cloud) -> None:
        self.cloud = cloud
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: a client may disconnect at any time."""


class _TlsHandler(socketserver.BaseRequestHandler):
    """A connection that uses TLS from its first byte."""

    def handle(self) -> None:
        cloud = self.server.cloud  # type: ignore[attr-defined]
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), cloud.wrap(self.request) as secured:
            _Http(secured, self.client_address, cloud)


class _ConnectHandler(_TlsHandler):
    """A connection to the proxy: CONNECT first, for an emulated host."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        method, target, _ = head.split(b" ", 2)
        host = target.decode().rpartition(":")[0] or target.decode()
        if method != b"CONNECT" or self.server.cloud.plays(host) is None:  # type: ignore[attr-defined]
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        super().handle()


class _Http(BaseHTTPRequestHandler):
    """HTTP/1.1 on an open connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, secured: ssl.SSLSocket, address: Any, cloud: Cloud) -> None:
        self._cloud = cloud
        super().__init__(secured, address, cloud)  # type: ignore[arg-type]

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        host = headers["host"].partition(":")[0]
        reply = self._cloud.answer(Request.of(self.command, host, self.path, headers, body))
        if reply.drop:
            self.close_connection = True
            return
        self.send_response(reply.status)
        content = reply.content
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content)), **reply.headers}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Do nothing."""


def environment(cloud: Cloud, home: Path) -> dict[str, str]:
    """Return the environment variables with which the SDKs use the emulated cloud."""
    from support.azure_cloud.state import CLIENT_SECRET, TENANT

    return {
        "HTTPS_PROXY": cloud.proxy,
        "REQUESTS_CA_BUNDLE": cloud.cacert,
        "SSL_CERT_FILE": cloud.cacert,
        "HOME": str(home),
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "44444444-4444-4444-4444-444444444444",
        "AZURE_CLIENT_SECRET": CLIENT_SECRET,
    }


def names(requests: Sequence[Request]) -> list[str]:
    """Format requests as `METHOD last/two/segments`, for comparison in a test."""
    return [f"{each.method} {'/'.join(each.path.split('/')[-2:])}" for each in requests]
