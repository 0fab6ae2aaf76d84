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
        server_name: the name sent as SNI and checked; None sends none (the host is checked all the same).
        ciphers: OpenSSL cipher list, or None for the default.
        version: the only protocol version spoken (`TLSv1.2`, `TLSv1.3`), or None for the default range.
    """

    verify: bool = True
    cacert: str | None = None
    client_cert: str | None = None
    server_name: str | None = None
    ciphers: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An origin (scheme, host, port) and how it is reached.

    Args:
        host: name or address as in the URL, without brackets.
        connect_to: (host, port) to connect to instead; the request still names *host*.
        unix: path of a Unix socket to connect to instead.
        bind: local address to connect from.
        buffer_bytes: size of the socket's send and receive buffers, None for the system's.
        proxy: URL of an HTTP proxy (httpx engine only); may hold credentials, so it is not in the repr.
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
    proxy: str | None = field(default=None, repr=False)
    http2: bool = False

    @property
    def authority(self) -> str:
        """Host and port as in a Host header: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"
