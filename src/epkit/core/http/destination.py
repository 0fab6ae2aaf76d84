"""Where a request goes: the origin, and how the connection to it is made."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How TLS is spoken.

    Args:
        verify: check the certificate and the name in it.
        cacert: PEM file of trusted authorities, instead of the system's.
        client_cert: PEM file with the client's certificate and key.
        client_password: of that key, where it is encrypted; a credential, so it is not in the repr.
        server_name: the name sent as SNI and checked; None sends none (the host is checked all the same).
        ciphers: OpenSSL cipher list, or None for the default.
        version: the only protocol version spoken (`TLSv1.2`, `TLSv1.3`), or None for the default range.
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
        scheme: how the proxy itself is spoken to.
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
    """An origin (scheme, host, port) and how it is reached.

    Every engine goes through `proxy`, if there is one. A request that such a proxy passes on names the whole URL and
    carries the proxy's credentials; `epkit.core.http.request.build_for` writes it.

    Args:
        host: name or address as in the URL, without brackets.
        connect_to: (host, port) to connect to instead, or that the proxy is asked for; the Host header names *host*.
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
        """Host and port as in a Host header: the port is left out where it is the scheme's own."""
        host = _bracketed(self.host)
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def last_hop(self) -> tuple[str, int]:
        """Host and port of the server that answers: the only ones that a proxy is asked for."""
        return self.connect_to or (self.host, self.port)

    @property
    def first_hop(self) -> tuple[str, int]:
        """Host and port that this machine connects to, the only name that it looks up: the proxy's if there is one."""
        return self.last_hop if self.proxy is None else (self.proxy.host, self.proxy.port)

    @property
    def is_tunnelled(self) -> bool:
        """Whether requests pass the proxy unread, in a tunnel that CONNECT opens."""
        return self.proxy is not None and self.scheme == "https"

    @property
    def tunnel(self) -> str:
        """What CONNECT asks a proxy for: host and port, always both (RFC 9110 § 9.3.6)."""
        host, port = self.last_hop
        return f"{_bracketed(host)}:{port}"

    def request_target(self, path: str) -> str:
        """Return what a request line names: the path, or for a proxy that passes the request on the whole URL.

        Source: RFC 9112 § 3.2.2, absolute-form. A proxy connects to what the URL names, whatever Host says.
        """
        if self.proxy is None or self.is_tunnelled:
            return path
        host, port = self.last_hop
        return f"http://{_bracketed(host)}{'' if port == 80 else f':{port}'}{path}"

    def proxy_headers(self) -> tuple[tuple[str, str], ...]:
        """Return what each request carries for the proxy: nothing inside a tunnel, where the server would read it."""
        if self.proxy is None or self.is_tunnelled or self.proxy.authorization is None:
            return ()
        return (("Proxy-Authorization", self.proxy.authorization),)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
