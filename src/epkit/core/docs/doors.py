"""Decides which requests the docs server accepts: those from its own pages, under a name that DNS rebinding cannot use.

A browser lets any page on the internet send requests to a server on this machine, and an attacker can make a name that
he owns lead here (DNS rebinding). So a request must name this server by a loopback name or by an address, must not
come from a page of another origin, and must contain JSON, which no HTML form can send.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from epkit.core.http.addresses import is_address, is_loopback

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:@/\[\]\s]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The names under which a server answers.

    Args:
        port: the port on which it listens.
        names: names in addition to those of loopback, in lower case, IPv6 addresses in brackets.
        any_address: whether every literal address is accepted as a name; needed if the server listens on all addresses.
        printer: the command that printed the address, for messages.
    """

    port: int
    names: frozenset[str] = frozenset()
    any_address: bool = False
    printer: str = "epkit docs"

    def lead_here(self, authority: str) -> bool:
        """Tell whether `HOST:PORT` names this server."""
        parts = _AUTHORITY.fullmatch(authority.strip().lower())
        if parts is None or int(parts[2] or 80) != self.port:
            return False
        host = parts[1]
        return host in self.names or is_loopback(host) or (self.any_address and is_address(host))


def refusal(method: str, headers: Iterable[tuple[bytes, bytes]], doors: Doors) -> tuple[int, str] | None:
    """Judge a request by its method and headers.

    Args:
        headers: as received, names in lower case.

    Returns:
        The status and the reason of a refusal; None if the request may pass.

    Source: Fetch standard (Origin, `null` for opaque ones); Fetch Metadata (Sec-Fetch-Site); RFC 9112 § 3.2 (Host).
    """
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1").strip())
    hosts = fields.get("host", [])
    if len(hosts) != 1 or not doors.lead_here(hosts[0]):
        return 421, f"this server answers only under the address that {doors.printer} printed"
    for origin in fields.get("origin", ()):
        scheme, _, authority = origin.partition("://")
        if scheme.lower() != "http" or not doors.lead_here(authority):
            return 403, "requests from pages of another origin are refused"
    if any(site.lower() not in ("same-origin", "none") for site in fields.get("sec-fetch-site", ())):
        return 403, "requests from pages of another site are refused"
    if method not in ("GET", "HEAD"):
        kinds = fields.get("content-type", [])
        if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != "application/json":
            return 403, "only Content-Type: application/json is taken"
    return None
