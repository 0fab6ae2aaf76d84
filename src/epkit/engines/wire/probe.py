"""Opens a connection step by step, to find out which step fails: name, TCP, TLS.

With a proxy, name and TCP are those of the proxy, and its tunnel is opened before TLS.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from epkit.core.http.destination import Destination
from epkit.core.samples.rows import Failure
from epkit.engines.wire.addresses import Address
from epkit.engines.wire.tls import handshake, make_context, until
from epkit.engines.wire.tunnel import ProxyError, Tunnels

_SHORTEST_S: Final = 0.05
_LONGEST_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """The result of a TLS handshake.

    Args:
        version: `TLSv1.3`.
        cipher: its name.
        expires: expiry of the certificate, seconds since the epoch; None if it was not checked.
        took_ns: duration of the handshake.
    """

    version: str
    cipher: str
    expires: int | None
    took_ns: int


async def connect(addresses: Sequence[Address], timeout_s: float) -> tuple[socket.socket, Address]:
    """Connect to the first address that accepts.

    Args:
        addresses: at least one.
        timeout_s: time limit for each address.

    Returns:
        The socket, non-blocking, and the address.

    Raises:
        OSError: no address accepted; the error of the last one. A TimeoutError has a message.
    """
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, address)
        except TimeoutError:
            sock.close()
            failure = TimeoutError(f"connect timed out after {timeout_s:g} s")
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock, (family, address)
    raise failure


async def secure(sock: socket.socket, destination: Destination, timeout_s: float) -> Secured:
    """Do the TLS handshake on a connected socket, wait for a refusal, and close it.

    In TLS 1.3 the client's part ends before the server has checked the client's certificate. A refusal comes one round
    trip later, and would be lost if a request had been sent by then.

    Raises:
        ProxyError: the proxy does not open a tunnel, or not in time. ssl.SSLError, OSError: it failed.
        UsageError: a certificate file cannot be used.
    """
    loop = asyncio.get_running_loop()
    context = make_context(destination.tls)
    began = 0
    with contextlib.ExitStack() as stack:
        try:
            async with asyncio.timeout(timeout_s):
                if destination.is_tunnelled:
                    tunnels = Tunnels(destination)
                    stack.callback(tunnels.close)
                    sock = await tunnels.open(loop, sock)
                began = time.perf_counter_ns()
                secured = stack.enter_context(await handshake(loop, sock, context, destination.tls, destination.host))
        except TimeoutError:
            if not began and destination.is_tunnelled:
                raise ProxyError(f"no tunnel within {timeout_s:g} s", Failure.TIMEOUT) from None
            raise TimeoutError(f"no handshake within {timeout_s:g} s") from None
        finally:
            sock.close()
        took_ns = time.perf_counter_ns() - began
        if secured.version() == "TLSv1.3":
            await _objection(loop, secured, min(_LONGEST_S, _SHORTEST_S + 2 * took_ns / 1e9))
        certificate = secured.getpeercert() or {}
        until_ = certificate.get("notAfter")
        name, _, _ = secured.cipher() or ("?", "", 0)
        return Secured(
            version=secured.version() or "?",
            cipher=name,
            expires=ssl.cert_time_to_seconds(until_) if isinstance(until_, str) else None,
            took_ns=took_ns,
        )


async def _objection(loop: asyncio.AbstractEventLoop, secured: ssl.SSLSocket, patience_s: float) -> None:
    """Raise the server's refusal of this client, if one comes in time."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                await until(loop.add_reader, loop.remove_reader, secured.fileno(), loop)
                try:
                    said = secured.read(1)
                except ssl.SSLWantReadError:
                    continue  # a session ticket
                except ssl.SSLEOFError:
                    said = b""
                if not said:
                    raise ConnectionError("closed right after the handshake: client certificate required?")
                return
    except TimeoutError:
        return
