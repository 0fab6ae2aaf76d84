"""The destination of a request: the origin, and the settings of the connection to it."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The settings of TLS.

    Args:
        verify: check the certificate and the name in it.
        cacert: PEM file of trusted authorities, instead of the system's.
        client_cert: PEM file with the client's certificate and key.
        client_password: password of that key, if it is encrypted; a credential, so it is not in the repr.
        server_name: the name that is sent as SNI and checked; None: send none (the host is still checked).
        ciphers: OpenSSL cipher list, or None for the default.
        version: the only protocol version that is allowed (`TLSv1.2`, `TLSv1.3`), or None for the default range.
    """

    verify: bool = True
    cacert: str | None = None
    client_cert: str | None = None
    client_password: str | None = field(default=None, repr=False)
    server_name: str | None = None
    ciphers: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy: it passes requests for http:// on, and opens tunnels for https://.

    Args:
        scheme: protocol for the proxy itself.
        host: name or address, without brackets.
        authorization: value of Proxy-Authorization; a credential, so it is not in the repr.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """The proxy's URL, without its credentials."""
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An origin (scheme, host, port), and how to reach it.

    Every engine uses `proxy`, if there is one. A request that a proxy passes on has the whole URL, and contains the
    proxy's credentials; `epkit.core.http.request.build_for` writes it.

    Args:
        host: name or address as in the URL, without brackets.
        connect_to: (host, port) to connect to instead, also through a proxy; the Host header still has *host*.
        unix: path of a Unix socket to connect to instead.
        bind: local address to connect from.
        buffer_bytes: size of the socket's send and receive buffers, None for the system's.
        proxy: None for a direct connection.
        http2: offer HTTP/2 (httpx engine only).
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    connect_to: tuple[str, int] | None = None
    unix: str | None = None
    bind: str | None = None
    buffer_bytes: int | None = None
    tls: Tls = Tls()
    proxy: Proxy | None = None
    http2: bool = False

    @property
    def authority(self) -> str:
        """Host and port as in a Host header: the scheme's default port is left out."""
        host = _bracketed(self.host)
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def last_hop(self) -> tuple[str, int]:
        """Host and port of the server that answers; a proxy only gets these."""
        return self.connect_to or (self.host, self.port)

    @property
    def first_hop(self) -> tuple[str, int]:
        """Host and port that this machine looks up and connects to: those of the proxy, if there is one."""
        return self.last_hop if self.proxy is None else (self.proxy.host, self.proxy.port)

    @property
    def is_tunnelled(self) -> bool:
        """Whether requests pass the proxy unread, in a tunnel that CONNECT opens."""
        return self.proxy is not None and self.scheme == "https"

    @property
    def tunnel(self) -> str:
        """The target of a CONNECT request: always host and port (RFC 9110 § 9.3.6)."""
        host, port = self.last_hop
        return f"{_bracketed(host)}:{port}"

    def request_target(self, path: str) -> str:
        """Return the target of the request line: the path, or the whole URL if a proxy passes the request on.

        Source: RFC 9112 § 3.2.2, absolute-form. A proxy connects to the host of the URL, whatever Host is.
        """
        if self.proxy is None or self.is_tunnelled:
            return path
        host, port = self.last_hop
        return f"http://{_bracketed(host)}{'' if port == 80 else f':{port}'}{path}"

    def proxy_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers for the proxy in each request: none inside a tunnel, the server would read them."""
        if self.proxy is None or self.is_tunnelled or self.proxy.authorization is None:
            return ()
        return (("Proxy-Authorization", self.proxy.authorization),)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
