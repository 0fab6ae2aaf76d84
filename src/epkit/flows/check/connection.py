"""The steps of a check before the first reply: name, TCP, TLS, health."""

import asyncio
import os
import socket
import ssl
import time
from typing import Final

from epkit.core.http.addresses import is_loopback
from epkit.core.http.masking import clean, mask_url
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure, wants_tls
from epkit.engines.wire import probe
from epkit.engines.wire.addresses import Address, look_up
from epkit.engines.wire.tls import tls_reason
from epkit.engines.wire.tunnel import ProxyError
from epkit.flows.check.session import Found, Session, Unwell

DAYS_LEFT: Final = 14
"""A certificate that expires in fewer days gets a warning."""


class ConnectionSteps:
    """Connects to an endpoint step by step."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._client = session.client
        # Messages distinguish faults of a proxy from faults of the endpoint.
        self._whose = "" if session.client.destination.proxy is None else "proxy: "
        self._addresses: tuple[Address, ...] = ()
        self._sock: socket.socket | None = None

    def close(self) -> None:
        """Close the connection of the steps."""
        if self._sock is not None:
            self._sock.close()

    async def name(self) -> Found:
        """Look up the name of the host, or that of the proxy: a proxy looks up the host itself."""
        destination = self._client.destination
        name = f"{self._whose}{destination.first_hop[0]}"
        try:
            async with asyncio.timeout(self._client.limit_s):
                self._addresses = await look_up(destination)
        except TimeoutError:
            raise Unwell(f"{name}: no name server answers", "check the network and its DNS") from None
        except (OSError, UnicodeError) as error:
            said = f"{name}: {getattr(error, 'strerror', None) or error}"
            raise Unwell(said, advise_failure(Failure.CONNECT, said, quote=False)) from None
        if destination.unix is not None:
            return Found("a Unix socket: there is no name to look up")
        shown = ", ".join(dict.fromkeys(str(address[0]) for _, address in self._addresses))
        return Found(f"{name} is {shown}" if shown != destination.first_hop[0] else f"{self._whose}{shown}")

    async def tcp(self) -> Found:
        """Connect."""
        destination = self._client.destination
        try:
            self._sock, (_, address) = await probe.connect(self._addresses, self._client.limit_s)
        except OSError as error:
            timed_out = isinstance(error, TimeoutError)
            # asyncio has its own wording; the error number gives the system's wording.
            said = (os.strerror(error.errno) if error.errno and not timed_out else str(error)).lower()
            kind = Failure.TIMEOUT if timed_out else Failure.CONNECT
            place = destination.unix or destination.authority
            if destination.proxy is not None:
                place = destination.proxy.origin
            advice = advise_failure(kind, f"{self._whose}{said}", quote=False)
            raise Unwell(f"{self._whose}{place}: {said}", advice) from None
        if destination.scheme == "http":
            self._sock.close()  # an open connection would block the next requests at a server with a single worker
        return Found(destination.unix or f"{self._whose}connected to {address[0]}, port {address[1]}")

    async def tls(self) -> Found:
        """Do the TLS handshake, if the endpoint uses TLS."""
        destination = self._client.destination
        if destination.scheme == "http":
            exposed = self._session.sends_key and not is_loopback(destination.host)
            warning = "the key crosses the network in the clear: use https:// if the endpoint has it"
            return Found("plain http: nothing is encrypted", warning if exposed and not destination.unix else None)
        try:
            assert self._sock is not None  # the step before has connected
            secured = await probe.secure(self._sock, destination, self._client.limit_s)
        except ProxyError as error:
            raise Unwell(str(error), advise_failure(error.failure, str(error), quote=False)) from None
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

    async def health(self) -> Found:
        """Request the health page. Any reply without failure is enough, because not every endpoint has such a page."""
        name = "ping" if self._session.target.uri.path.endswith("/invocations") else ""  # for MLflow
        uri = self._session.target.uri.sibling(name)
        once = self._session.health = await self._session.send("GET", uri.request_path)
        if once.failure:
            raise Unwell(f"GET {uri.path}: {once.detail}", advise_failure(once.failure, once.detail, quote=False))
        said = f"GET {uri.path}: {once.status}"
        if once.status >= 500 or wants_tls(once.status, once.text):
            raise Unwell(f"{said} {self._session.words(once)}", self._session.advice(once))
        location = once.headers.get("location", "")
        if 300 <= once.status < 400 and self._client.destination.scheme == "http" and location.startswith("https://"):
            raise Unwell(f"{said}, to {mask_url(location)}", "the server requires TLS: use https:// in the URL")
        if once.status == 200:
            words = clean(once.text, 40).strip('"')
            return Found(f"{said} {words}" if words.isprintable() and "<" not in words else said)
        return Found(f"{said}: it answers, but has no open health page here")
