"""TLS contexts, names in certificates, and a transport on a socket that accepts only part of the data."""

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.destination import Tls
from epkit.engines.wire.tls import (
    RECORD_BYTES,
    VERSIONS,
    TlsTransport,
    _check_name,
    describe,
    handshake,
    make_context,
    tls_reason,
)
from epkit.errors import UsageError
from support import certificates

# The context.


@pytest.mark.parametrize(
    ("word", "version"),
    [
        ("TLS1.2", ssl.TLSVersion.TLSv1_2),
        ("tls1.3", ssl.TLSVersion.TLSv1_3),
        ("TLSv1.2", ssl.TLSVersion.TLSv1_2),
        ("tlsv1.3", ssl.TLSVersion.TLSv1_3),
    ],
)
def test_one_version_is_spoken_where_one_is_named(word: str, version: ssl.TLSVersion) -> None:
    context = make_context(Tls(version=word))

    assert (version, version) == (context.minimum_version, context.maximum_version)


@pytest.mark.parametrize("word", [None, "ALL", "all"])
def test_the_default_range_is_spoken_otherwise(word: str | None) -> None:
    context, default = make_context(Tls(version=word)), ssl.create_default_context()

    assert default.minimum_version == context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert default.maximum_version == context.maximum_version


@pytest.mark.parametrize("word", ["SSL3", "TLS2", "1.2", "banana"])
def test_a_version_that_is_not_known_is_named_beside_those_that_are(word: str) -> None:
    with pytest.raises(UsageError, match=rf"-f {word}: not one of ALL, TLS1, .*TLS1\.3") as caught:
        make_context(Tls(version=word))

    assert all(version in str(caught.value) for version in VERSIONS)


def test_a_cipher_that_is_not_known_is_named() -> None:
    with pytest.raises(UsageError, match="-Z NO-SUCH-CIPHER: no cipher"):
        make_context(Tls(ciphers="NO-SUCH-CIPHER"))


@pytest.mark.parametrize(
    ("tls", "mode", "names"),
    [
        (Tls(), ssl.CERT_REQUIRED, False),  # `handshake` checks the name
        (Tls(server_name="h"), ssl.CERT_REQUIRED, True),
        (Tls(verify=False), ssl.CERT_NONE, False),
        (Tls(verify=False, server_name="h"), ssl.CERT_NONE, False),
    ],
)
def test_certificates_are_checked_unless_told_otherwise(tls: Tls, mode: ssl.VerifyMode, names: bool) -> None:
    context = make_context(tls)

    assert (mode, names) == (context.verify_mode, context.check_hostname)


@pytest.mark.parametrize("field", ["cacert", "client_cert"])
@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "text"])
def test_a_file_that_is_no_certificate_is_named(field: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "hello")

    with pytest.raises(UsageError, match=r"x\.pem: (no such|not a PEM)"):
        make_context(Tls(**{field: str(path)}))


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(b"-----BEGIN CERT" + certificates.self_signed().partition(b"-----BEGIN CERT")[2])

    with pytest.raises(UsageError, match="not a PEM file with a certificate and its key"):
        make_context(Tls(client_cert=str(path)))


def test_what_is_agreed_on_is_described_even_before_there_is_anything() -> None:
    context = make_context(Tls(verify=False))
    unshaken = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())

    assert "?,?,0" == describe(unshaken)


def reasoned(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] something (_ssl.c:1)")
    error.reason = reason  # type: ignore[assignment]
    return error


def test_the_reason_is_in_words() -> None:
    verification = ssl.SSLCertVerificationError("x")
    verification.verify_message = "certificate has expired"

    assert "certificate: certificate has expired" == tls_reason(verification)
    assert "wrong version number" == tls_reason(reasoned("WRONG_VERSION_NUMBER"))
    assert "something" in tls_reason(reasoned(None))


# The name in a certificate.


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        ([("DNS", "h.example")], "h.example", True),
        ([("DNS", "H.Example")], "h.EXAMPLE.", True),
        ([("DNS", "a.example"), ("DNS", "b.example")], "b.example", True),
        ([("DNS", "*.example.com")], "a.example.com", True),
        ([("DNS", "*.example.com")], "a.b.example.com", False),
        ([("DNS", "*.example.com")], "example.com", False),
        ([("DNS", "a*.example.com")], "ab.example.com", False),
        ([("DNS", "h.example")], "h.example.com", False),
        ([("DNS", "127.0.0.1")], "127.0.0.1", False),
        ([("IP Address", "127.0.0.1")], "127.0.0.1", True),
        ([("IP Address", "127.0.0.1")], "127.0.0.2", False),
        ([("IP Address", "0:0:0:0:0:0:0:1\n")], "::1", True),
        ([("IP Address", "127.0.0.1")], "localhost", False),
        ([("email", "h.example"), ("URI", "h.example")], "h.example", False),
        ([], "h.example", False),
    ],
)
def test_a_certificate_is_for_its_alternative_names_alone(names: list[tuple[str, str]], host: str, good: bool) -> None:
    certificate = {"subjectAltName": tuple(names), "subject": ((("commonName", host),),)}

    if good:
        _check_name(certificate, host)
    else:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            _check_name(certificate, host)
        assert host in tls_reason(caught.value)


def test_a_certificate_without_any_name_is_for_nobody() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _check_name({}, "h.example")


# The handshake.


class FakeContext:
    """Returns a socket whose handshake ends in the given ways, one after another."""

    def __init__(self, *ways: Exception | None) -> None:
        self.ways = deque(ways)
        self.secured: Any = None

    def wrap_socket(self, sock: socket.socket, **_options: Any) -> Any:
        self.secured = sock
        return self

    def do_handshake(self) -> None:
        client = self.ways.popleft()
        if client is not None:
            raise client

    def fileno(self) -> int:
        return int(self.secured.fileno())

    def close(self) -> None:
        self.secured.close()


def shake(context: Any) -> socket.socket:
    one, other = socket.socketpair()

    async def main() -> None:
        tls = Tls(verify=False)
        await asyncio.wait_for(handshake(asyncio.get_running_loop(), one, context, tls, "h"), 8)

    with other:
        other.sendall(b"x")  # something to read
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(main())
        except BaseException:
            assert one.fileno() == -1, "a failed handshake closes its socket"
            raise
    return one


def test_a_handshake_waits_until_it_can_read_or_write() -> None:
    context = FakeContext(ssl.SSLWantWriteError(), ssl.SSLWantReadError(), ssl.SSLWantWriteError(), None)

    shake(context).close()

    assert not context.ways


def test_a_handshake_that_breaks_closes_the_socket() -> None:
    with pytest.raises(ConnectionResetError):
        shake(FakeContext(ssl.SSLWantReadError(), ConnectionResetError()))


def test_a_socket_that_cannot_be_wrapped_is_closed() -> None:
    class Refusing:
        def wrap_socket(self, *_arguments: Any, **_options: Any) -> None:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shake(Refusing())


# The transport, on a socket and a loop whose behaviour the test sets.


class FakeSocket:
    """Each step of *takes* is a write's number of bytes, or its exception; each step of *gives* is a read's data."""

    def __init__(self, takes: Any = (), gives: Any = ()) -> None:
        self.takes = deque(takes)
        self.gives = deque(gives)
        self.written = b""
        self.closed = 0

    def fileno(self) -> int:
        return 7

    def write(self, data: bytes) -> int:
        step = self.takes.popleft() if self.takes else len(data)
        if isinstance(step, Exception):
            raise step
        taken = min(step, len(data))
        self.written += data[:taken]
        return taken

    def read(self, size: int) -> bytes:
        step = self.gives.popleft() if self.gives else ssl.SSLWantReadError()
        if isinstance(step, Exception):
            raise step
        assert len(step) <= size
        return bytes(step)

    def close(self) -> None:
        self.closed += 1


class FakeLoop:
    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.writers: dict[int, Callable[[], None]] = {}
        self.soon: list[tuple[Any, ...]] = []
        self.add_reader = self.readers.__setitem__
        self.add_writer = self.writers.__setitem__
        self.remove_reader = lambda fileno: self.readers.pop(fileno, None)
        self.remove_writer = lambda fileno: self.writers.pop(fileno, None)
        self.call_soon = lambda *call: self.soon.append(call)

    def turn(self) -> None:
        """Call the functions of `call_soon`."""
        calls, self.soon = self.soon, []
        for call, *arguments in calls:
            call(*arguments)


class Notes(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: Any = None
        self.seen: list[Any] = []
        self.close_at: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)
        if data == self.close_at:
            self.transport.close()

    def eof_received(self) -> None:
        self.seen.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append(("lost", exc))


class Stage:
    def __init__(self, takes: Any = (), gives: Any = ()) -> None:
        self.sock, self.loop, self.notes = FakeSocket(takes, gives), FakeLoop(), Notes()
        self.transport = TlsTransport(self.loop, self.sock, self.notes)  # type: ignore[arg-type]

    def readable(self) -> list[Any]:
        self.loop.readers[7]()
        self.loop.turn()
        return self.notes.seen

    def writable(self) -> None:
        self.loop.writers[7]()


WAITS = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]


def test_the_protocol_gets_its_transport_and_what_is_under_it() -> None:
    stage = Stage()

    assert stage.transport is stage.notes.transport
    assert [stage.sock] * 2 == [stage.transport.get_extra_info(name) for name in ("socket", "ssl_object")]
    assert (None, 1) == (stage.transport.get_extra_info("peername"), stage.transport.get_extra_info("cipher", 1))


def test_what_the_socket_takes_at_once_does_not_wait() -> None:
    stage = Stage()
    stage.transport.write(b"hello")

    assert (b"hello", 0, {}) == (stage.sock.written, stage.transport.get_write_buffer_size(), stage.loop.writers)


def test_what_it_does_not_take_waits_until_it_does() -> None:
    stage = Stage(takes=[3, ssl.SSLWantWriteError(), 4, 1, 1])
    stage.transport.write(b"0123456")
    stage.transport.write(b"89")
    assert (b"012", 6) == (stage.sock.written, stage.transport.get_write_buffer_size())
    stage.writable()
    assert (b"012", 6) == (stage.sock.written, stage.transport.get_write_buffer_size())
    stage.writable()

    assert (b"012345689", 0, {}) == (stage.sock.written, stage.transport.get_write_buffer_size(), stage.loop.writers)


STEPS = st.lists(st.integers(0, 5) | st.sampled_from(WAITS), max_size=30)


@given(STEPS, st.lists(st.binary(min_size=1, max_size=12), max_size=6))
def test_every_byte_is_written_once_and_in_order(takes: list[Any], pieces: list[bytes]) -> None:
    stage = Stage(takes=takes)
    for piece in pieces:
        stage.transport.write(piece)
    for _ in range(200):
        if not stage.loop.writers:
            break
        stage.writable()

    assert b"".join(pieces) == stage.sock.written
    assert 0 == stage.transport.get_write_buffer_size()


def test_a_write_that_breaks_loses_the_connection_and_says_that_nothing_was_written() -> None:
    error = BrokenPipeError()
    stage = Stage(takes=[error])
    stage.transport.write(b"hello")
    assert [] == stage.notes.seen, "not from inside write"
    stage.loop.turn()  # earlier messages are read
    stage.loop.turn()

    assert [("lost", error)] == stage.notes.seen
    assert 5 == stage.transport.get_write_buffer_size()
    assert stage.transport.is_closing()


def test_a_write_that_breaks_later_loses_the_connection() -> None:
    error = ConnectionResetError()
    stage = Stage(takes=[2, error])
    stage.transport.write(b"hello")
    stage.writable()
    stage.loop.turn()

    assert [("lost", error)] == stage.notes.seen
    assert ({}, {}, 1) == (stage.loop.readers, stage.loop.writers, stage.sock.closed)


@pytest.mark.parametrize("wait", WAITS)
def test_a_read_gives_what_there_is(wait: Exception) -> None:
    stage = Stage(gives=[b"one", b"two", wait])

    assert [b"one"] == stage.readable()
    assert [b"one", b"two"] == stage.readable()
    assert [b"one", b"two"] == stage.readable()
    assert not stage.transport.is_closing()


def test_after_a_full_record_the_next_is_read_too() -> None:
    full = b"x" * RECORD_BYTES
    stage = Stage(gives=[full, full, b"rest", b"later"])

    assert [full, full, b"rest"] == stage.readable()


def test_nothing_is_read_after_the_protocol_has_closed() -> None:
    full = b"x" * RECORD_BYTES
    stage = Stage(gives=[full, b"unwanted"])
    stage.notes.close_at = full

    assert [full, ("lost", None)] == stage.readable()


def test_the_servers_end_is_no_loss() -> None:
    assert ["eof", ("lost", None)] == Stage(gives=[b""]).readable()


def test_an_end_without_close_notify_is_a_loss() -> None:
    ((what, error),) = Stage(gives=[ssl.SSLEOFError()]).readable()

    assert ("lost", "closed without close_notify") == (what, str(error))


def test_a_read_that_breaks_loses_the_connection() -> None:
    error = ConnectionResetError()

    assert [("lost", error)] == Stage(gives=[error]).readable()


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_connection_is_lost_once(end: str) -> None:
    stage = Stage()
    assert not stage.transport.is_closing()
    for _ in range(2):
        getattr(stage.transport, end)()
    stage.loop.turn()

    assert stage.transport.is_closing()
    assert [("lost", None)] == stage.notes.seen
    assert ({}, {}, 1) == (stage.loop.readers, stage.loop.writers, stage.sock.closed)


# A connection that is reset before the handshake.


@pytest.mark.filterwarnings("error")
def test_a_socket_that_was_reset_before_its_handshake_is_closed() -> None:
    async def shake() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        ours.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        tls = Tls(verify=False)
        with pytest.raises(ConnectionResetError):
            await handshake(asyncio.get_running_loop(), ours, make_context(tls), tls, "localhost")
        assert -1 == ours.fileno()

    asyncio.run(shake())
