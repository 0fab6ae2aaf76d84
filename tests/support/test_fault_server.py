"""Tests the fault server by raw sockets: tests rely on its exact behaviour."""

import http.client
import re
import socket
import ssl
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import faults
from support.fault_server import FaultServer
from support.faults import COURSE, FAULTS, OK


def ask(name: str, *, method: str = "POST", body: bytes = b"{}", headers: str = "") -> bytes:
    head = f"{method} /fault/{name} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", fault_server.port), timeout=5) as connection:
        yield connection


def until_eof(connection: socket.socket) -> bytes:
    got = b""
    while chunk := connection.recv(1 << 16):
        got += chunk
    return got


def exactly(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (chunk := connection.recv(size - len(got))):
        got += chunk
    return got


def silent(connection: socket.socket) -> bool:
    """Tell whether the connection is open, and no data arrives."""
    connection.settimeout(0.1)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)
    return False


def test_every_behaviour_is_in_the_table_and_the_table_has_no_other() -> None:
    rows = re.findall(r"^\| (.+?) \|", faults.__doc__ or "", re.MULTILINE)[1:]

    assert set(FAULTS) == {name for row in rows for name in row.split(", ")}


def test_a_connection_is_kept_from_reply_to_reply(fault_server: FaultServer, client: socket.socket) -> None:
    for _ in range(3):
        client.sendall(ask("ok"))

        assert exactly(client, len(OK)) == OK
    assert (fault_server.connections, fault_server.requests["ok"]) == (1, 3)


def test_what_was_asked_is_remembered(fault_server: FaultServer, client: socket.socket) -> None:
    client.sendall(ask("delay?ms=1", body=b"abc", headers="X-Arrival: 7\r\n"))
    exactly(client, len(OK))

    (seen,) = fault_server.seen
    assert (seen.connection, seen.method, seen.target) == (0, "POST", "/fault/delay?ms=1")
    assert (seen.body, seen.body_bytes, seen.header("x-arrival")) == (b"abc", 3, "7")


def test_a_large_body_is_counted_whole_and_remembered_in_part(fault_server: FaultServer, client: socket.socket) -> None:
    client.sendall(ask("ok", body=bytes(1 << 20)))
    exactly(client, len(OK))

    assert (fault_server.seen[0].body_bytes, len(fault_server.seen[0].body)) == (1 << 20, 64 << 10)


def test_a_client_that_says_close_gets_it(client: socket.socket) -> None:
    client.sendall(ask("ok", headers="Connection: close\r\n"))

    assert until_eof(client) == OK


@pytest.mark.parametrize("name", ["ok", "ok-chunked", "ok-close-delimited", "early-hints", "500", "304"])
def test_the_head_of_a_reply_is_all_that_head_gets(client: socket.socket, name: str) -> None:
    client.sendall(ask(name, method="HEAD", body=b"", headers="Connection: close\r\n"))

    got = until_eof(client)

    assert got.endswith(b"\r\n\r\n")
    assert b"HTTP/1.1 100" not in got or got.count(b"HTTP/1.1 ") == 3


@pytest.mark.parametrize(
    "name", ["ok", "ok-chunked", "ok-split", "ok-split-chunked", "ok-close-delimited", "ok-connection-close"]
)
def test_the_good_replies_are_good_to_another_client(fault_server: FaultServer, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fault_server.port, timeout=5)
    connection.request("POST", f"/fault/{name}", body=b"{}")

    assert connection.getresponse().read() == COURSE
    connection.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("close-before", b""),
        ("close-in-header", OK[:30]),
        ("close-after-header", OK[: -len(COURSE)]),
        ("closes-idle", OK),
        ("closes-idle?after_ms=5", OK),
        ("ok-close-delimited", b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + COURSE),
    ],
)
def test_a_close_is_a_fin_after_exactly_so_much(client: socket.socket, name: str, expected: bytes) -> None:
    client.sendall(ask(name))

    assert until_eof(client) == expected


def test_a_truncated_body_is_shorter_than_its_length(client: socket.socket) -> None:
    client.sendall(ask("truncated"))

    _, _, body = until_eof(client).partition(b"\r\n\r\n")

    assert 0 < len(body) < len(COURSE)
    assert COURSE.startswith(body)


@pytest.mark.parametrize(("name", "received"), [("reset", 0), ("reset-in-body", 1)])
def test_a_reset_is_a_reset_and_no_close(client: socket.socket, name: str, received: int) -> None:
    client.sendall(ask(name))

    assert received == len(client.recv(received))
    with pytest.raises(ConnectionResetError):
        until_eof(client)


def test_the_second_request_of_a_connection_dies_and_the_first_of_the_next_does_not(
    fault_server: FaultServer, client: socket.socket
) -> None:
    client.sendall(ask("second-dies"))
    assert exactly(client, len(OK)) == OK
    client.sendall(ask("second-dies"))
    assert until_eof(client) == b""
    with socket.create_connection(("127.0.0.1", fault_server.port), timeout=5) as another:
        another.sendall(ask("second-dies"))

        assert exactly(another, len(OK)) == OK
    assert [seen.connection for seen in fault_server.seen] == [0, 0, 1]


def test_two_answers_come_at_once(client: socket.socket) -> None:
    client.sendall(ask("twice", headers="Connection: close\r\n"))

    assert until_eof(client) == OK + OK


@pytest.mark.parametrize("surplus", [("length-too-short", -5), ("length-too-long", 100)])
def test_a_length_lies(client: socket.socket, surplus: tuple[str, int]) -> None:
    name, difference = surplus
    client.sendall(ask(name))

    head, _, _ = client.recv(1 << 16).partition(b"\r\n\r\n")

    assert b"Content-Length: %d" % (len(COURSE) + difference) in head
    assert silent(client)


@pytest.mark.parametrize("name", ["never", "never-reads", "drip?every_ms=60000"])
def test_silence_is_silent(client: socket.socket, name: str) -> None:
    client.sendall(ask(name))
    if name.startswith("drip"):
        assert client.recv(10) == b"H"

    assert silent(client)


def test_an_unread_body_stops_its_sender(client: socket.socket) -> None:
    client.settimeout(0.3)

    with pytest.raises(TimeoutError):
        client.sendall(ask("never-reads", body=bytes(32 << 20)))


@pytest.mark.parametrize("name", ["endless-body", "endless-header"])
def test_what_is_endless_goes_on_as_long_as_someone_reads(
    fault_server: FaultServer, client: socket.socket, name: str
) -> None:
    client.sendall(ask(name))

    assert len(exactly(client, 2 << 20)) == 2 << 20
    client.close()
    with socket.create_connection(("127.0.0.1", fault_server.port), timeout=5) as another:
        another.sendall(ask("ok"))

        assert exactly(another, len(OK)) == OK


def test_headers_are_as_large_as_they_say(client: socket.socket) -> None:
    for name, kib in [("big-header", 59), ("huge-header", 69)]:
        client.sendall(ask(name))
        got = b""
        while not got.endswith(COURSE):
            got += client.recv(1 << 16)

        assert kib << 10 < got.index(b"\r\n\r\n") < (kib + 1) << 10


def test_every_third_request_is_flaky(client: socket.socket) -> None:
    statuses = []
    for _ in range(6):
        client.sendall(ask("flaky?every=3&status=429"))
        statuses.append(client.recv(1 << 16)[9:12])

    assert statuses == [b"200", b"200", b"429"] * 2


def test_deployments_take_turns(client: socket.socket) -> None:
    names = []
    for _ in range(4):
        client.sendall(ask("azure"))
        found = re.search(rb"azureml-model-deployment: (\w+)", client.recv(1 << 16))
        names.append(found and found[1])

    assert names == [b"blue", b"green"] * 2


def test_a_delay_lasts_as_long_as_it_says(client: socket.socket) -> None:
    began = time.monotonic()
    client.sendall(ask("delay?ms=60"))
    exactly(client, len(OK))

    assert time.monotonic() - began >= 0.06


def test_a_gate_holds_replies_back_until_it_is_opened(fault_server: FaultServer, client: socket.socket) -> None:
    fault_server.gate.clear()
    client.sendall(ask("gated"))

    assert silent(client)
    fault_server.gate.set()
    assert exactly(client, len(OK)) == OK


def test_a_reset_opens_the_gate(fault_server: FaultServer) -> None:
    fault_server.gate.clear()
    fault_server.reset()

    assert fault_server.gate.is_set()


def test_a_stall_ends_with_its_period(client: socket.socket) -> None:
    began = time.monotonic()
    client.sendall(ask("stall?every_ms=200&for_ms=100"))
    exactly(client, len(OK))
    time.sleep(0.12)
    client.sendall(ask("stall?every_ms=200&for_ms=100"))
    exactly(client, len(OK))

    assert time.monotonic() - began >= 0.199


def test_an_unknown_behaviour_says_so(client: socket.socket) -> None:
    client.sendall(ask("no-such"))

    assert b"404 Not Found" in client.recv(1 << 16)


def test_a_tls_hello_on_the_plain_port_gets_a_plain_answer(client: socket.socket) -> None:
    with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|wrong version number|HTTP_REQUEST"):
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [("valid", None), ("expired", "expired"), ("self-signed", "self.signed"), ("wrong-name", "Hostname")],
)
def test_a_certificate_is_bad_in_its_own_way(fault_server: FaultServer, certificate: str, reason: str | None) -> None:
    context = ssl.create_default_context(cafile=fault_server.cacert)
    with socket.create_connection(("127.0.0.1", fault_server.tls[certificate]), timeout=5) as connection:
        if reason is not None:
            with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                context.wrap_socket(connection, server_hostname="localhost")
            return
        with context.wrap_socket(connection, server_hostname="localhost") as secured:
            secured.sendall(ask("ok"))

            assert exactly(secured, len(OK)) == OK
    assert fault_server.sni == ["localhost"]


@pytest.mark.parametrize("family", ["IPv6", "Unix"])
def test_there_are_other_ways_in(fault_server: FaultServer, family: str) -> None:
    at = {"IPv6": fault_server.port6 and ("::1", fault_server.port6), "Unix": fault_server.unix}[family]
    if at is None:
        pytest.skip(f"this system has no {family}")
    with socket.socket(getattr(socket, {"IPv6": "AF_INET6", "Unix": "AF_UNIX"}[family])) as connection:
        connection.connect(at)
        connection.sendall(ask("ok"))

        assert exactly(connection, len(OK)) == OK


def test_a_reset_forgets_and_drops_every_connection(fault_server: FaultServer, client: socket.socket) -> None:
    client.sendall(ask("never"))
    while not fault_server.seen:
        time.sleep(0.001)

    fault_server.reset()

    assert (fault_server.connections, fault_server.seen, fault_server.requests) == (0, [], {})
    assert client.recv(1) == b""


def test_a_mistake_inside_is_raised_in_the_test(fault_server: FaultServer, client: socket.socket) -> None:
    client.sendall(ask("delay?ms=soon"))
    assert until_eof(client) == b""

    with pytest.raises(ExceptionGroup) as caught:
        fault_server.reset()
    assert isinstance(caught.value.exceptions[0], ValueError)


def test_the_end_leaves_no_thread_no_file_and_no_socket() -> None:
    with warnings.catch_warnings(), FaultServer() as server:
        warnings.simplefilter("error")
        directory = Path(server.cacert).parent
        mute = socket.create_connection(("127.0.0.1", server.tls["valid"]))
        hurried = socket.create_connection(("127.0.0.1", server.port))
        hurried.sendall(ask("endless-body"))
        while server.connections < 2:
            time.sleep(0.001)
    for connection in (mute, hurried):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    assert not directory.exists()
    assert not server._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
