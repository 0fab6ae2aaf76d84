"""One suite for all engines: their ways to a server, and their messages if there is none."""

import re
import socket
import sys
from collections.abc import Iterator

import pytest

from epkit.core.http.destination import Destination, Tls
from epkit.core.samples.rows import Failure
from epkit.errors import EndpointError, UsageError
from support.engine_harness import CALM_NS, KINDS, SHORT_NS, Kind, execute, plain, requests
from support.fault_server import FaultServer
from support.faults import COURSE

NONE, CONNECT, TLS, TIMEOUT = Failure.NONE, Failure.CONNECT, Failure.TLS, Failure.TIMEOUT
BAD = ["expired", "self-signed", "wrong-name"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections: it is bound, so that no other process gets it, but does not listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port on which the system accepts connections, but no process answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def https(server: FaultServer, certificate: str = "valid", **tls: object) -> Destination:
    port = server.tls[certificate]
    return Destination(scheme="https", host="localhost", port=port, tls=Tls(**tls))  # type: ignore[arg-type]


@pytest.mark.parametrize("slots", [1, 32])
def test_a_refused_port_is_a_failure_to_connect(closed_port: int, kind: Kind, slots: int) -> None:
    to = Destination(scheme="http", host="127.0.0.1", port=closed_port)

    run = execute(kind, to, requests(to, ["ok"] * slots * 2), slots=slots)

    assert {CONNECT} == set(run.failures)
    assert {0} == set(run.statuses)
    assert run.traffic.connections == 0
    for outcome in run.outcomes:
        assert outcome.start == outcome.tcp == outcome.connected == outcome.sent == outcome.first


def test_a_refused_port_is_one_over_tls_too(closed_port: int, kind: Kind) -> None:
    to = Destination(scheme="https", host="127.0.0.1", port=closed_port)

    assert execute(kind, to, requests(to, ["ok"])).failures == [CONNECT]


def test_a_host_without_an_address_is_an_error_and_not_data(kind: Kind) -> None:
    to = Destination(scheme="http", host="no-such-host.invalid", port=80)

    with pytest.raises(EndpointError, match=r"no-such-host\.invalid"):
        execute(kind, to, requests(to, ["ok"]))


def test_a_name_is_resolved_and_every_address_of_it_is_tried(fault_server: FaultServer, kind: Kind) -> None:
    to = Destination(scheme="http", host="localhost", port=fault_server.port)  # listens on IPv4 only

    run = execute(kind, to, requests(to, ["ok"] * 4), slots=2)

    assert {NONE} == set(run.failures)


def test_ipv6_is_spoken(fault_server: FaultServer, kind: Kind) -> None:
    if fault_server.port6 is None:
        pytest.skip("this machine has no IPv6")
    to = Destination(scheme="http", host="::1", port=fault_server.port6)

    run = execute(kind, to, requests(to, ["ok"] * 2))

    assert run.bodies == [COURSE] * 2
    assert f"[::1]:{fault_server.port6}" == fault_server.seen[0].header("Host")


@pytest.mark.parametrize("name", ["ok", "close-before", "never"])
def test_a_unix_socket_is_spoken_by_the_wire_engine(fault_server: FaultServer, name: str) -> None:
    if fault_server.unix is None:
        pytest.skip("this system has no Unix sockets")
    to = Destination(scheme="http", host="scoring.example", port=80, unix=fault_server.unix)

    run = execute(KINDS["wire"], to, requests(to, [name] * 2), timeout_ns=SHORT_NS if name == "never" else CALM_NS)

    expected = {"ok": NONE, "close-before": Failure.TRANSPORT, "never": TIMEOUT}[name]
    assert [expected] * 2 == run.failures
    assert fault_server.seen[0].header("Host") == "scoring.example"


def test_a_unix_socket_that_is_not_there_is_a_failure_to_connect(tmp_path) -> None:
    to = Destination(scheme="http", host="scoring.example", port=80, unix=str(tmp_path / "missing"))

    assert execute(KINDS["wire"], to, requests(to, ["ok"])).failures == [CONNECT]


def test_a_request_can_go_elsewhere_than_its_host_says(fault_server: FaultServer, kind: Kind) -> None:
    at = ("127.0.0.1", fault_server.port)
    to = Destination(scheme="http", host="scoring.example", port=80, connect_to=at)

    run = execute(kind, to, requests(to, ["ok"] * 2))

    assert run.bodies == [COURSE] * 2
    assert fault_server.seen[0].header("Host") == "scoring.example"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being asked")
def test_the_local_address_can_be_chosen(fault_server: FaultServer, kind: Kind) -> None:
    to = Destination(scheme="http", host="127.0.0.1", port=fault_server.port, bind="127.0.0.2")

    execute(kind, to, requests(to, ["ok"]))

    assert fault_server.seen[0].peer == "127.0.0.2"


def test_a_trusted_certificate_is_accepted_and_the_session_is_described(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server, cacert=fault_server.cacert)

    run = execute(kind, to, requests(to, ["ok"] * 4), slots=2)

    assert run.bodies == [COURSE] * 4
    assert re.fullmatch(r"TLSv1\.[23],[\w-]+,\d{3}", run.traffic.tls or "")
    assert (run.traffic.connections, run.kept_alive) == (2, 4)


def test_plain_http_has_no_session_to_describe(fault_server: FaultServer, kind: Kind) -> None:
    to = plain(fault_server)

    assert execute(kind, to, requests(to, ["ok"])).traffic.tls is None


def test_the_handshake_has_its_place_between_tcp_and_ready(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server, cacert=fault_server.cacert)

    (outcome,) = execute(kind, to, requests(to, ["ok"])).outcomes

    assert outcome.start < outcome.tcp < outcome.connected <= outcome.sent


@pytest.mark.parametrize("slots", [1, 32])
@pytest.mark.parametrize("certificate", BAD)
def test_a_bad_certificate_is_a_failure_of_tls(
    fault_server: FaultServer, kind: Kind, certificate: str, slots: int
) -> None:
    to = https(fault_server, certificate, cacert=fault_server.cacert)

    run = execute(kind, to, requests(to, ["ok"] * slots), slots=slots)

    assert {TLS} == set(run.failures)
    assert fault_server.seen == [], "not a byte of the request, and of the key in it, was sent"
    assert run.traffic.connections == 0
    words = {"expired": "expired", "self-signed": "self.signed", "wrong-name": "localhost"}[certificate]
    assert re.search(words, run.outcomes[0].detail)


def test_an_unknown_authority_is_a_failure_of_tls(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server)

    assert execute(kind, to, requests(to, ["ok"])).failures == [TLS]
    assert fault_server.seen == []


@pytest.mark.parametrize("certificate", [*BAD, "valid"])
def test_any_certificate_will_do_without_verification(fault_server: FaultServer, kind: Kind, certificate: str) -> None:
    to = https(fault_server, certificate, verify=False)

    assert execute(kind, to, requests(to, ["ok"] * 2)).failures == [NONE] * 2


def test_the_name_that_is_checked_can_be_given(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server, "wrong-name", cacert=fault_server.cacert, server_name="elsewhere.example")

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]
    assert fault_server.sni == ["elsewhere.example"]


def test_no_name_is_sent_where_none_is_given_and_the_host_is_checked_all_the_same(
    fault_server: FaultServer,
) -> None:
    # Only the wire engine: httpcore always sends the host as SNI.
    good = https(fault_server, cacert=fault_server.cacert)
    bad = https(fault_server, "wrong-name", cacert=fault_server.cacert)

    assert execute(KINDS["wire"], good, requests(good, ["ok"])).failures == [NONE]
    assert execute(KINDS["wire"], bad, requests(bad, ["ok"])).failures == [TLS]
    assert {None} == set(fault_server.sni)


def test_a_certificate_of_the_client_is_shown(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server, "mutual", cacert=fault_server.cacert, client_cert=fault_server.client_cert)

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]


def test_a_certificate_of_the_client_that_is_missing_is_a_failure(fault_server: FaultServer, kind: Kind) -> None:
    to = https(fault_server, "mutual", cacert=fault_server.cacert)

    (failure,) = execute(kind, to, requests(to, ["ok"])).failures

    # With TLS 1.3 the client is ready before the server refuses it, so the refusal affects the request.
    assert failure in (TLS, Failure.TRANSPORT)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_version_of_tls_can_be_chosen(fault_server: FaultServer, kind: Kind, version: str) -> None:
    to = https(fault_server, cacert=fault_server.cacert, version=version)

    run = execute(kind, to, requests(to, ["ok"]))

    assert run.failures == [NONE]
    assert (run.traffic.tls or "").startswith(f"{version},")


def test_the_cipher_can_be_chosen(fault_server: FaultServer, kind: Kind) -> None:
    cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"
    to = https(fault_server, cacert=fault_server.cacert, version="TLSv1.2", ciphers=cipher)

    assert f"TLSv1.2,{cipher},128" == execute(kind, to, requests(to, ["ok"])).traffic.tls


@pytest.mark.parametrize("option", ["cacert", "client_cert"])
def test_a_certificate_file_that_cannot_be_used_is_an_error(
    fault_server: FaultServer, kind: Kind, option: str, tmp_path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        to = https(fault_server, **{option: str(path)})

        with pytest.raises(UsageError, match=path.name):
            execute(kind, to, requests(to, ["ok"]))


@pytest.mark.parametrize("slots", [1, 32])
def test_tls_spoken_to_a_plain_port_is_a_failure_of_tls(fault_server: FaultServer, kind: Kind, slots: int) -> None:
    to = Destination(scheme="https", host="127.0.0.1", port=fault_server.port)

    run = execute(kind, to, requests(to, ["ok"] * slots), slots=slots)

    assert {TLS} == set(run.failures)


def test_plain_http_spoken_to_a_tls_port_fails(fault_server: FaultServer, kind: Kind) -> None:
    to = Destination(scheme="http", host="127.0.0.1", port=fault_server.tls["valid"])

    assert execute(kind, to, requests(to, ["ok"])).failures == [Failure.TRANSPORT]


@pytest.mark.parametrize("slots", [1, 32])
def test_a_handshake_that_is_never_answered_times_out(mute_port: int, kind: Kind, slots: int) -> None:
    to = Destination(scheme="https", host="127.0.0.1", port=mute_port)

    run = execute(kind, to, requests(to, ["ok"] * slots), slots=slots, timeout_ns=SHORT_NS)

    assert {TIMEOUT} == set(run.failures)
    for outcome in run.outcomes:
        assert outcome.start < outcome.tcp == outcome.connected == outcome.sent == outcome.first


def test_stopping_aborts_a_handshake(mute_port: int, kind: Kind) -> None:
    to = Destination(scheme="https", host="127.0.0.1", port=mute_port)

    run = execute(
        kind,
        to,
        requests(to, ["ok"] * 9),
        slots=4,
        timeout_ns=60_000_000_000,
        interrupt=lambda engine: engine.stop(drain=False),
    )

    assert run.given == 4
    assert NONE not in run.failures
