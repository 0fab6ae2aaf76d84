"""The URL of an endpoint, parsed once, so that its credentials can be sent but are never shown."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn
from urllib.parse import quote, unquote_to_bytes

from epkit.core.http.masking import MASK, clean, mask_url, url_secrets
from epkit.core.http.secret import Secret
from epkit.errors import UsageError

DEFAULT_PORT = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_AUTHORITY = re.compile(r"(?:(?P<userinfo>.*)@)?(?P<host>\[[^]@]*\]|[^:\[\]@]*)(?::(?P<port>[^:]*))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """An http or https URL, or a path on a Unix socket. Its `str` is safe to show; `reveal` is for requests.

    Args:
        host: in ASCII and lower case, without brackets.
        path: percent-encoded, begins with a slash.
        query: percent-encoded, without the question mark; may contain a signature.
        userinfo: `user:password`, percent-decoded; sent as Basic authorization, never as part of a URL.
        unix: path of the socket, or None for TCP.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = "/"
    query: Secret | None = field(default=None, hash=False)
    userinfo: Secret | None = field(default=None, hash=False)
    unix: str | None = None

    @property
    def request_path(self) -> str:
        """Path and query as in the request line; must not be shown."""
        return self.path if self.query is None else f"{self.path}?{self.query.reveal()}"

    @property
    def origin(self) -> str:
        """Scheme, host and port for display; the scheme's default port is left out."""
        if self.unix is not None:
            return f"unix:{self.unix}:"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORT[self.scheme] else f":{self.port}")

    @property
    def shown(self) -> str:
        """The URL without its userinfo, and with masked credentials in its query."""
        return mask_url(self.reveal())

    def reveal(self) -> str:
        """Return the URL to fetch, without userinfo; call it only where a request is built."""
        return self.origin + self.request_path

    def sibling(self, name: str) -> "Url":
        """Return the URL with *name* as the last path segment, without a query."""
        return replace(self, path=self.path.rpartition("/")[0] + "/" + name, query=None)

    def __str__(self) -> str:
        return self.shown


def proxy_secrets(text: str) -> Iterator[Secret]:
    """Yield the credentials in the address of a proxy: `HOST:PORT` or a URL, `user:password@` before the host."""
    return url_secrets(text if "://" in text else f"//{text}")


def is_url(text: str) -> bool:
    """Tell whether *text* looks like a URL or a Unix socket, not like a name or a path of a file."""
    return "://" in text or text.startswith("unix:")


def parse(text: str) -> Url:
    """Parse a URL.

    A fragment is dropped, and an empty path becomes `/`. Characters that a request line cannot contain (spaces,
    non-ASCII) are percent-encoded; encoded ones stay. A non-ASCII host gets its IDNA form. `unix:/run/x.sock:/score` is
    the path `/score` on a Unix socket; without the second colon the path is `/`.

    Raises:
        UsageError: no scheme or a wrong one, no host or a malformed one, a port out of range, a control
            character. The message never shows userinfo or a signature.

    Source: RFC 3986; the last `@` ends the userinfo, as in curl and the WHATWG standard; IDNA 2008 (UTS 46).
    """
    if _CONTROL.search(text) or text != text.strip():
        _refuse(text, "holds white space at an end, or a control character")
    if text.startswith("unix:"):
        return _parse_unix(text)
    parts = _URL.fullmatch(text)
    if parts is None:
        _refuse(text, "is not a URL: a URL begins with http:// or https://")
    scheme = parts["scheme"].lower()
    if scheme not in ("http", "https"):
        _refuse(text, "has a scheme that is not spoken here: a URL begins with http:// or https://")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        _refuse(text, "has a malformed host or port (an IPv6 address goes in brackets)")
    userinfo, query = authority["userinfo"], parts["query"]
    return Url(
        scheme="https" if scheme == "https" else "http",
        host=_host(authority["host"], text),
        port=_port(authority["port"], DEFAULT_PORT[scheme], text),
        path=_encode(parts["path"] or "/", safe=""),
        query=None if query is None else Secret(_encode(query, safe="?")),
        userinfo=Secret(unquote_to_bytes(userinfo).decode("utf-8", "surrogateescape")) if userinfo else None,
    )


def parse_connect_to(text: str) -> tuple[str, int] | str:
    """Parse `HOST:PORT` or `unix:PATH`: the place to connect to instead.

    Returns:
        Host and port, or the path of a Unix socket.

    Raises:
        UsageError: neither.
    """
    if text.startswith("unix:") and len(text) > len("unix:"):
        return text.removeprefix("unix:")
    place = _AUTHORITY.fullmatch(text)
    if place is None or not place["port"] or place["userinfo"] is not None:
        _refuse(text, "is not HOST:PORT or unix:PATH")
    return _host(place["host"], text), _port(place["port"], 0, text)


def same_origin(a: Url, b: Url) -> bool:
    """Tell whether two URLs have the same scheme, host and port: then a key of one may be sent to the other.

    Source: RFC 6454, section 5.
    """
    return (a.scheme, a.host, a.port, a.unix) == (b.scheme, b.host, b.port, b.unix)


def shown(text: str) -> str:
    """Mask everything that may be a credential in a text that looks like a URL but cannot be parsed."""
    # Everything before the last @ may be a password with a slash in it.
    return clean(mask_url(re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*:/+)?.*@", rf"\1{MASK}@", text, flags=re.DOTALL)))


def _parse_unix(text: str) -> Url:
    socket, colon, rest = text.removeprefix("unix:").rpartition(":/")
    if not colon:
        socket, rest = rest, ""
    if not socket:
        _refuse(text, "names no Unix socket: unix:/path/of.sock:/score")
    path, mark, query = rest.partition("#")[0].partition("?")
    return Url(
        scheme="http",
        host="localhost",
        port=80,
        path=_encode("/" + path, safe=""),
        query=Secret(_encode(query, safe="?")) if mark else None,
        unix=socket,
    )


def _host(host: str, text: str) -> str:
    if not host:
        _refuse(text, "names no host")
    if host.startswith("["):
        try:
            # RFC 6874 writes the % before a zone as %25.
            return str(ipaddress.IPv6Address(host[1:-1].replace("%25", "%")))
        except ValueError:
            _refuse(text, "has a malformed IPv6 address")
    if not host.isascii():
        import idna  # late: its tables take longer to load than the rest of this module

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            _refuse(text, "has a host name that cannot be written in ASCII (IDNA)")
    if not _NAME.fullmatch(host):
        _refuse(text, "has a malformed host name")
    return host.lower()


def _port(port: str | None, default: int, text: str) -> int:
    if not port:
        return default
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        _refuse(text, "has a port that is not a number from 1 to 65535")
    return int(port)


def _encode(text: str, safe: str) -> str:
    # Bytes of the command line that are not UTF-8 arrive as lone surrogates, and leave as the original bytes.
    return quote(_STRAY_PERCENT.sub("%25", text), safe="/:@!$&'()*+,;=~%" + safe, errors="surrogateescape")


def _refuse(text: str, why: str) -> NoReturn:
    # `from None`: the message of the cause may quote the URL.
    raise UsageError(f'"{shown(text)}" {why}') from None
