"""TLS for the engines: the context, and a transport that uses an `SSLSocket` directly.

The TLS transports of uvloop and asyncio decrypt through memory BIOs. Here OpenSSL reads and writes the socket itself,
which needs 1.5 to 2 times less CPU for each request. `TlsTransport` is the small part of `asyncio.Transport` that the
wire engine uses, so a connection can use either of the two.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from epkit.core.http.destination import Tls
from epkit.core.near import not_one_of
from epkit.errors import UsageError
from epkit.reading import CERTIFICATES, read_whole

VERSIONS: Final = {
    "TLS1": ssl.TLSVersion.TLSv1,
    "TLS1.0": ssl.TLSVersion.TLSv1,
    "TLS1.1": ssl.TLSVersion.TLSv1_1,
    "TLS1.2": ssl.TLSVersion.TLSv1_2,
    "TLS1.3": ssl.TLSVersion.TLSv1_3,
}
"""ab's values of `-f`, without SSL3, which OpenSSL no longer supports."""

RAGGED: Final = "closed without close_notify"
"""Reason for a TLS connection that breaks without a proper end."""

PKCS12: Final = b"\x30"
"""The first byte of a PKCS#12 file, or of any DER file: a SEQUENCE."""

RECORD_BYTES: Final = 16384
"""Greatest size of one TLS record (RFC 8446 § 5.1)."""


def make_context(tls: Tls, *, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """Make the context for all connections of a run.

    Raises:
        UsageError: a certificate file is missing or unusable, a cipher list or version unknown.
    """
    for path in (tls.cacert, tls.client_cert):
        if path is not None and not Path(path).is_file():
            raise UsageError(f"{path}: no such certificate file")
        if path is not None:
            with contextlib.suppress(OSError):  # OpenSSL reads the file again, and reports the reason
                read_whole(Path(path), CERTIFICATES, name=path)
    try:
        context = ssl.create_default_context(cafile=tls.cacert)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"{tls.cacert}: not a PEM file of certificates ({_reason(error)})") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.server_name is None:
        # OpenSSL can only check a name that is sent; `handshake` checks the host instead.
        context.check_hostname = False
    if tls.client_cert:
        _load_client(context, tls.client_cert, tls.client_password)
    if tls.ciphers:
        try:
            context.set_ciphers(tls.ciphers)
        except ssl.SSLError:
            raise UsageError(f"-Z {tls.ciphers}: no cipher of that name in {ssl.OPENSSL_VERSION}") from None
    if tls.version and tls.version.upper() != "ALL":
        version = VERSIONS.get(tls.version.upper().replace("TLSV", "TLS"))
        if version is None:
            raise not_one_of("-f", tls.version, ("ALL", *VERSIONS))
        context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(list(alpn))
    # Python's default makes OpenSSL accept a connection's end as the end of the data (RFC 8446 § 6.1 does not).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


def _load_client(context: ssl.SSLContext, file: str, password: str | None) -> None:
    """Load the client's certificate and key.

    Raises:
        UsageError: the file has a wrong format, or the password does not decrypt its key.
    """
    asked = False

    def answer() -> str:  # otherwise OpenSSL asks at the terminal, for each new context
        nonlocal asked
        asked = True
        return password or ""

    try:
        context.load_cert_chain(file, password=answer)
    except (ssl.SSLError, OSError, ValueError) as error:
        if asked:
            why = "the password does not open its key" if password else "its key is encrypted, and no password is known"
        elif Path(file).read_bytes()[:1] == PKCS12:
            why = f"not PEM but PKCS#12 or DER: convert it with openssl pkcs12 -in {Path(file).name} -out client.pem"
        else:
            why = f"not a PEM file with a certificate and its key ({_reason(error)})"
        raise UsageError(f"{file}: {why}") from None


def describe(connection: ssl.SSLSocket | ssl.SSLObject) -> str:
    """Return the agreed version, cipher and cipher bits, in ab's order."""
    name, version, bits = connection.cipher() or ("?", "?", 0)
    return f"{connection.version() or version},{name},{bits}"


def tls_reason(error: ssl.SSLError) -> str:
    """Return the reason for a TLS failure, in lower case."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    return (error.reason or str(error)).lower().replace("_", " ")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


async def handshake(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, context: ssl.SSLContext, tls: Tls, host: str
) -> ssl.SSLSocket:
    """Do the TLS handshake on a connected, non-blocking socket, and check the certificate's name.

    Args:
        host: the name that the certificate must have if no server name is sent.

    Raises:
        ssl.SSLError, OSError: the handshake failed; the socket is closed.
    """
    secured = None
    try:
        _refuse_a_reset(sock)
        secured = context.wrap_socket(
            sock, server_hostname=tls.server_name, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await until(loop.add_reader, loop.remove_reader, secured.fileno(), loop)
            except ssl.SSLWantWriteError:
                await until(loop.add_writer, loop.remove_writer, secured.fileno(), loop)
            else:
                break
        if tls.verify and tls.server_name is None:
            _check_name(secured.getpeercert() or {}, host)
    except BaseException:
        (secured or sock).close()
        raise
    return secured


def _refuse_a_reset(sock: socket.socket) -> None:
    """Raise the error of a connection that the peer has reset: CPython's `wrap_socket` would lose the open socket.

    Raises:
        OSError: the peer has reset it.
    """
    try:
        sock.getpeername()
    except OSError:
        sock.recv(1)  # raises the reason
        raise


def _check_name(certificate: Mapping[str, Any], host: str) -> None:
    """Check that a certificate is for *host*.

    Raises:
        ssl.SSLCertVerificationError: it is not for *host*.

    Source: RFC 9525 § 6.3: only subjectAltName counts; a wildcard replaces the whole leftmost label.
    """
    names = certificate.get("subjectAltName", ())
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        wanted = {host.lower().rstrip("."), "*." + host.lower().rstrip(".").partition(".")[2]}
        found = any(kind == "DNS" and name.lower() in wanted for kind, name in names)
    else:
        found = any(kind == "IP Address" and ipaddress.ip_address(name.strip()) == address for kind, name in names)
    if not found:
        error = ssl.SSLCertVerificationError(f"certificate is not valid for {host!r}")
        error.verify_message = f"Hostname mismatch, certificate is not valid for '{host}'."
        raise error


async def until(
    add: Callable[..., Any], remove: Callable[[int], bool], fileno: int, loop: asyncio.AbstractEventLoop
) -> None:
    """Wait once until a descriptor is ready, with the loop's functions for reading or for writing."""
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(fileno, wake)
    try:
        await ready
    finally:
        remove(fileno)


class TlsTransport(asyncio.Transport):
    """A transport on an `SSLSocket`: it reads when the loop reports data, and writes at once."""

    __slots__ = (
        "_closed",
        "_fileno",
        "_loop",
        "_pending",
        "_protocol",
        "_receive",
        "_received",
        "_send",
        "_sock",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._sock = sock
        self._fileno = sock.fileno()
        self._protocol = protocol
        self._receive = sock.read
        self._received = protocol.data_received
        self._send = sock.write
        self._pending: deque[bytes] = deque()
        self._closed = False
        loop.add_reader(self._fileno, self._readable)
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the socket for `socket` and `ssl_object`."""
        return self._sock if name in ("socket", "ssl_object") else default

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be written."""
        return sum(map(len, self._pending))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: written data is never held back."""

    def is_closing(self) -> bool:
        """Tell whether the transport is closed."""
        return self._closed

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Send *data*: now if the socket accepts it, otherwise as soon as it does."""
        if not self._pending:
            try:
                sent = self._send(data)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                sent = 0
            except OSError as error:
                self._pending.append(data)  # nothing of it was written; the size of the buffer shows this
                self._loop.call_soon(self._break_off, error)
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._loop.add_writer(self._fileno, self._writable)
        self._pending.append(data)

    def _writable(self) -> None:
        while self._pending:
            data = self._pending[0]
            try:
                sent = self._send(data)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                self._break_off(error)
                return
            if sent < len(data):
                self._pending[0] = data[sent:]
            else:
                self._pending.popleft()
        self._loop.remove_writer(self._fileno)

    def _readable(self) -> None:
        while True:
            try:
                data = self._receive(RECORD_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except ssl.SSLEOFError:
                # An attacker may have cut the connection, so this does not end a reply (RFC 9112 § 9.8).
                self._lose(EOFError(RAGGED))
                return
            except OSError as error:
                self._lose(error)
                return
            if not data:
                self._protocol.eof_received()
                self._lose(None)
                return
            self._received(data)
            # A read returns at most one whole TLS record. After a full record there is probably another.
            if self._closed or len(data) < RECORD_BYTES:
                return

    def close(self) -> None:
        """Close the connection. Waiting bytes are dropped: a connection with a request in flight is never closed."""
        self._lose(None)

    abort = close

    def _break_off(self, error: OSError) -> None:
        """Handle a connection that can no longer be written to. Data from the server (413) is read first."""
        if not self._closed:
            self._loop.remove_writer(self._fileno)
            self._readable()
            self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fileno)
        self._loop.remove_writer(self._fileno)
        with contextlib.suppress(OSError):
            self._sock.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
        # Garbage is not collected in a run, and a cycle would keep the last reply.
        del self._protocol, self._received
