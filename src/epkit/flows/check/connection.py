"""The steps of a check that lead to an answer: name, TCP, TLS, health."""

import asyncio
import os
import socket
import ssl
import time
from typing import Final

from epkit.core.http import url as urls
from epkit.core.http.masking import clean, mask_url
from epkit.core.http.url import Url
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure, wants_tls
from epkit.endpoint.target import to_destination
from epkit.engines.wire import probe
from epkit.engines.wire.addresses import Address
from epkit.engines.wire.tls import tls_reason
from epkit.flows.check.session import Found, Session, Unwell

DAYS_LEFT: Final = 14
"""A certificate that expires sooner is warned of."""


class ConnectionSteps:
    """Reaches an endpoint step by step."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._client = session.client
        self._destination = session.client.destination
        # With a proxy, what is connected to is the proxy.
        self._proxy = None if self._destination.proxy is None else urls.parse(self._destination.proxy)
        self._next = self._destination if self._proxy is None else to_destination(self._proxy)
        self._addresses: tuple[Address, ...] = ()
        self._sock: socket.socket | None = None

    def close(self) -> None:
        """Close the connection that the steps made."""
        if self._sock is not None:
            self._sock.close()

    async def name(self) -> Found:
        """Look the host's name up, or the proxy's, which then looks up the host's."""
        destination, who = self._next, "" if self._proxy is None else "proxy: "
        try:
            async with asyncio.timeout(self._client.limit_s):
                self._addresses = await probe.look_up(destination)
        except TimeoutError:
            raise Unwell(f"{who}{destination.host}: no name server answers", "check the network and its DNS") from None
        except (OSError, UnicodeError) as error:
            said = f"{who}{destination.host}: {getattr(error, 'strerror', None) or error}"
            raise Unwell(said, advise_failure(Failure.CONNECT, said, quote=False)) from None
        if destination.unix is not None:
            return Found("a Unix socket: there is no name to look up")
        shown = ", ".join(dict.fromkeys(str(address[0]) for _, address in self._addresses))
        return Found(who + (f"{destination.host} is {shown}" if shown != destination.host else shown))

    async def tcp(self) -> Found:
        """Connect."""
        destination, who = self._next, "" if self._proxy is None else "proxy: "
        try:
            self._sock, (_, address) = await probe.connect(self._addresses, self._client.limit_s)
        except OSError as error:
            timed_out = isinstance(error, TimeoutError)
            # asyncio words it its own way; the number is the system's.
            said = (os.strerror(error.errno) if error.errno and not timed_out else str(error)).lower()
            kind = Failure.TIMEOUT if timed_out else Failure.CONNECT
            place = destination.unix or destination.authority
            raise Unwell(f"{who}{place}: {said}", advise_failure(kind, who + said, quote=False)) from None
        return Found(destination.unix or f"connected to {who and 'the proxy at '}{address[0]}, port {address[1]}")

    async def tls(self) -> Found:
        """Do the TLS handshake, where there is one."""
        destination = self._destination
        if destination.scheme == "http":
            exposed = self._session.sends_key and not _stays_here(destination.host)
            warning = "the key crosses the network in the clear: use https:// if the endpoint has it"
            return Found("plain http: nothing is encrypted", warning if exposed and not destination.unix else None)
        if self._proxy is not None:
            return await self._tls_through_proxy()
        try:
            assert self._sock is not None  # the step before connected
            secured = await probe.secure(self._sock, destination, self._client.limit_s)
        except ssl.SSLError as error:
            said = tls_reason(error)
            raise Unwell(said, advise_failure(Failure.TLS, said, quote=False)) from None
        except OSError as error:
            said = (error.strerror or str(error) or "the connection was closed in the handshake").lower()
            raise Unwell(said, advise_failure(Failure.TLS, said, quote=False)) from None
        took_ms = secured.took_ns / 1e6
        agreed = f"{secured.version}, {secured.cipher}"
        if secured.expires is None:
            return Found(f"{agreed}, the certificate is not checked (--insecure)", ms=took_ms)
        days = int((secured.expires - time.time()) // 86_400)
        left = f"the certificate expires in {days:,} day{'' if days == 1 else 's'}"
        return Found(f"{agreed}, {left}", f"{left}: renew it" if days < DAYS_LEFT else None, took_ms)

    async def _tls_through_proxy(self) -> Found:
        """Ask for the health page already: the handshake takes place in the tunnel that the engine opens for it."""
        once = self._session.health = await self._session.send("GET", self._health.request_path)
        if once.tls is None:
            said = once.detail or "no handshake"
            raise Unwell(said, advise_failure(once.failure or Failure.TLS, said, quote=False))
        version, cipher, _ = once.tls.split(",")
        checked = "checked" if self._destination.tls.verify else "not checked (--insecure)"
        return Found(f"{version}, {cipher}, in a tunnel through the proxy, the certificate is {checked}")

    @property
    def _health(self) -> Url:
        name = "ping" if self._session.target.uri.path.endswith("/invocations") else ""  # MLflow's
        return self._session.target.uri.sibling(name)

    async def health(self) -> Found:
        """Ask for the health page: any answer but a failure will do, as not every endpoint has one."""
        uri = self._health
        once = self._session.health
        if once is None:
            once = self._session.health = await self._session.send("GET", uri.request_path)
        if once.failure:
            raise Unwell(f"GET {uri.path}: {once.detail}", advise_failure(once.failure, once.detail, quote=False))
        said = f"GET {uri.path}: {once.status}"
        if once.status >= 500 or once.status == 407 or wants_tls(once.status, once.text):
            raise Unwell(f"{said} {self._session.words(once)}", self._session.advice(once))
        location = once.headers.get("location", "")
        if 300 <= once.status < 400 and self._destination.scheme == "http" and location.startswith("https://"):
            raise Unwell(f"{said}, to {mask_url(location)}", "the server wants TLS: use https:// in the URL")
        if once.status == 200:
            words = clean(once.text, 40).strip('"')
            return Found(f"{said} {words}" if words.isprintable() and "<" not in words else said)
        return Found(f"{said}: it answers, and has no health page here that is open")


def _stays_here(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
