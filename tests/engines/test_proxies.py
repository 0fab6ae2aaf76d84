"""One suite for all engines: results through a proxy equal those without one, and errors name the right side."""

import base64
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from epkit.core.http.destination import Destination, Tls
from epkit.core.http.destination import Proxy as ProxyValue
from epkit.core.samples.rows import Failure
from epkit.errors import EndpointError, UsageError
from support.canary import CANARY
from support.certificates import WRONG_NAME
from support.engine_harness import BODY, CALM_NS, KINDS, SHORT_NS, Kind, arrivals_seen, execute, plain, requests
from support.fault_server import FaultServer
from support.faults import COURSE
from support.proxy_server import Proxy

NONE, CONNECT, TLS, TIMEOUT, TRANSPORT = (
    Failure.NONE, Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.TRANSPORT
)  # fmt: skip
USER = f"proxy:{CANARY}"
BASIC = f"Basic {base64.b64encode(USER.encode()).decode()}"
SCHEMES = ["http", "https"]

Through = Callable[..., Destination]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


@pytest.fixture
def through(fault_server: FaultServer, proxy: Proxy) -> Through:
    """Return destinations through the proxy, by scheme; `user` is for the proxy, the rest is for the destination."""

    def to(scheme: str, *, user: str = "", certificate: str = "valid", **more: object) -> Destination:
        direct = plain(fault_server)
        if scheme == "https":
            port = fault_server.tls[certificate]
            direct = replace(direct, scheme="https", port=port, tls=Tls(cacert=fault_server.cacert))
        return replace(direct, proxy=proxy.value(user), **more)  # type: ignore[arg-type]

    return to


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_proxy(authority: trustme.CA) -> Iterator[Proxy]:
    """A proxy that uses TLS itself, with the name `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Proxy(tls=context) as running:
        yield running


# Destinations of requests.


@pytest.mark.parametrize("slots", [1, 16])
def test_a_proxy_passes_on_what_is_for_http(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind, slots: int
) -> None:
    to = through("http", user=USER)

    run = execute(kind, to, requests(to, ["ok?a=1&b=%20%2F"] * 64), slots=slots)

    assert {(NONE, COURSE)} == set(zip(run.failures, run.bodies, strict=True))
    assert list(range(64)) == arrivals_seen(fault_server)
    assert {f"POST http://127.0.0.1:{fault_server.port}/fault/ok?a=1&b=%20%2F HTTP/1.1"} == set(proxy.lines)
    assert {(f"127.0.0.1:{fault_server.port}", BASIC, f"Bearer {CANARY}")} == {
        (headers["host"], headers["proxy-authorization"], headers["authorization"]) for _, headers in proxy.seen
    }
    assert slots == proxy.connections == run.traffic.connections
    assert {BODY} == {seen.body for seen in fault_server.seen}


@pytest.mark.parametrize("slots", [1, 16])
def test_a_proxy_opens_a_tunnel_for_each_connection_over_tls_and_reads_nothing(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind, slots: int
) -> None:
    to = through("https", user=USER)

    run = execute(kind, to, requests(to, ["ok"] * 64), slots=slots)

    assert {(NONE, COURSE)} == set(zip(run.failures, run.bodies, strict=True))
    place = f"127.0.0.1:{fault_server.tls['valid']}"
    assert [f"CONNECT {place} HTTP/1.1"] * slots == proxy.lines
    for _, headers in proxy.seen:
        assert (place, BASIC) == (headers["host"], headers["proxy-authorization"])
        assert "authorization" not in headers
    assert {None} == {seen.header("Proxy-Authorization") for seen in fault_server.seen}
    assert {f"Bearer {CANARY}"} == {seen.header("Authorization") for seen in fault_server.seen}
    assert slots == fault_server.connections == run.traffic.connections
    assert (run.traffic.tls or "").startswith("TLSv1.3,")


def test_a_proxy_that_wants_nothing_is_shown_nothing(proxy: Proxy, through: Through, kind: Kind, scheme: str) -> None:
    to = through(scheme)

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]
    assert ["proxy-authorization" in headers for _, headers in proxy.seen] == [False]


def test_a_connection_that_ends_is_followed_by_another_tunnel(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind
) -> None:
    to = through("https")

    run = execute(kind, to, requests(to, ["ok-connection-close"] * 3))

    assert run.failures == [NONE] * 3
    assert 3 == len(proxy.seen) == run.traffic.connections == fault_server.connections


def test_without_keepalive_each_request_has_its_own(proxy: Proxy, through: Through, kind: Kind, scheme: str) -> None:
    to = through(scheme)

    run = execute(kind, to, requests(to, ["ok"] * 6, ("Connection", "close")), slots=2, keepalive=False)

    assert {NONE} == set(run.failures)
    assert 6 == proxy.connections == run.traffic.connections
    assert 0 == run.kept_alive


def test_a_large_body_passes_whole(fault_server: FaultServer, through: Through, kind: Kind, scheme: str) -> None:
    to = through(scheme)

    run = execute(kind, to, requests(to, ["ok", "ok-large?bytes=3000000"], body=bytes(4 << 20)))

    assert run.failures == [NONE] * 2
    assert [4 << 20] * 2 == [seen.body_bytes for seen in fault_server.seen]
    assert 3_000_000 == len(run.bodies[1])


def test_the_tunnel_belongs_to_connecting(through: Through, kind: Kind) -> None:
    to = through("https")

    first, second = execute(kind, to, requests(to, ["ok"] * 2)).outcomes

    assert first.start < first.tcp < first.connected < first.sent
    assert second.start == second.tcp == second.connected


def test_the_targets_name_is_looked_up_by_the_proxy_alone(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hosts[WRONG_NAME] = "127.0.0.1"
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def noted(host: object, *more: object, **options: object) -> object:
        looked_up.append(str(host))
        return real(host, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    to = through(scheme, certificate="wrong-name", host=WRONG_NAME)
    to = replace(to, tls=replace(to.tls, server_name=WRONG_NAME))

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]
    assert WRONG_NAME not in looked_up
    assert [WRONG_NAME] * (scheme == "https") == fault_server.sni


def test_the_certificate_is_checked_against_the_targets_name(
    fault_server: FaultServer, through: Through, kind: Kind
) -> None:
    to = through("https", certificate="wrong-name")

    run = execute(kind, to, requests(to, ["ok"]))

    assert run.failures == [TLS]
    assert "mismatch" in run.outcomes[0].detail.lower()
    assert "proxy" not in run.outcomes[0].detail
    assert fault_server.seen == []


def test_a_certificate_of_the_client_goes_through_the_tunnel(
    fault_server: FaultServer, through: Through, kind: Kind
) -> None:
    to = through("https", certificate="mutual")
    to = replace(to, tls=replace(to.tls, client_cert=fault_server.client_cert))

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]


def test_who_connects_elsewhere_asks_the_proxy_for_that(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind
) -> None:
    to = through("http", host="scoring.invalid", port=80, connect_to=("127.0.0.1", fault_server.port))

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]
    assert [f"POST http://127.0.0.1:{fault_server.port}/fault/ok HTTP/1.1"] == proxy.lines
    assert "scoring.invalid" == fault_server.seen[0].header("Host")


def test_the_name_in_the_certificate_stays_that_of_the_target(
    fault_server: FaultServer, proxy: Proxy, through: Through
) -> None:
    # Only the wire engine: httpcore checks the certificate with the name that it sends to the proxy.
    place = ("127.0.0.1", fault_server.tls["wrong-name"])
    to = through("https", host=WRONG_NAME, port=443, connect_to=place)

    assert execute(KINDS["wire"], to, requests(to, ["ok"])).failures == [NONE]
    assert [f"CONNECT 127.0.0.1:{place[1]} HTTP/1.1"] == proxy.lines


def test_the_proxy_is_reached_from_the_local_address_and_with_the_buffers_that_are_named(
    through: Through, scheme: str
) -> None:
    # Only the wire engine: httpx accepts neither with a proxy.
    to = through(scheme, bind="127.0.0.1", buffer_bytes=16384)

    assert execute(KINDS["wire"], to, requests(to, ["ok"] * 2)).failures == [NONE] * 2


@pytest.mark.parametrize(("port", "place"), [(80, "http://[::1]"), (8080, "http://[::1]:8080")])
def test_an_address_of_ipv6_is_bracketed(port: int, place: str) -> None:
    proxy = ProxyValue(scheme="http", host="::2", port=3128)
    to = Destination(scheme="http", host="::1", port=port, proxy=proxy)

    assert ("[::1]:443", f"{place}/score", "/score", "http://[::2]:3128") == (
        replace(to, scheme="https", port=443).tunnel,
        to.request_target("/score"),
        replace(to, scheme="https").request_target("/score"),
        proxy.origin,
    )


def test_a_server_on_ipv6_is_reached(fault_server: FaultServer, proxy: Proxy, through: Through) -> None:
    # Only the wire engine: httpcore leaves the brackets out.
    if fault_server.port6 is None:
        pytest.skip("no IPv6 here")
    to = through("http", host="::1", port=fault_server.port6)

    assert execute(KINDS["wire"], to, requests(to, ["ok"])).failures == [NONE]
    assert [f"POST http://[::1]:{fault_server.port6}/fault/ok HTTP/1.1"] == proxy.lines


# Replies of a proxy to CONNECT.


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-Agent: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    ],
)
def test_any_success_opens_the_tunnel(fault_server: FaultServer, proxy: Proxy, through: Through, says: bytes) -> None:
    # Only the wire engine: httpx interprets a length or coding, which RFC 9110 § 9.3.6 says to ignore.
    proxy.welcome = says
    to = through("https")

    assert execute(KINDS["wire"], to, requests(to, ["ok"] * 2)).failures == [NONE] * 2
    assert 1 == fault_server.connections


@pytest.mark.parametrize(
    "refusal",
    ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway", "302 Found", "404 "],
)
def test_a_proxy_that_opens_no_tunnel_is_no_connection(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind, refusal: str
) -> None:
    proxy.refusal = refusal
    to = through("https", user=USER)

    run = execute(kind, to, requests(to, ["ok"] * 6), slots=2)

    assert {(CONNECT, 0)} == set(zip(run.failures, run.statuses, strict=True))
    assert {f"proxy: {refusal}".strip()} == {outcome.detail.strip() for outcome in run.outcomes}
    assert 0 == fault_server.connections == run.traffic.connections
    for outcome in run.outcomes:
        assert outcome.start == outcome.tcp == outcome.connected < outcome.end


def test_a_proxy_that_passes_on_answers_with_a_status(proxy: Proxy, through: Through, kind: Kind) -> None:
    proxy.user = USER
    to = through("http", user="proxy:wrong")

    run = execute(kind, to, requests(to, ["ok"]))

    assert (run.failures, run.statuses) == ([NONE], [407])


def test_the_right_password_is_let_through(proxy: Proxy, through: Through, kind: Kind, scheme: str) -> None:
    proxy.user = USER
    to = through(scheme, user=USER)

    assert execute(kind, to, requests(to, ["ok"] * 2)).statuses == [200] * 2


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"", "closed before a byte of its reply"),
        (b"HTTP/1.1 200 Connection est", "closed inside its reply"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not an HTTP reply"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not an HTTP reply"),
        (b"HTTP/2 200 OK\r\n\r\n", "not an HTTP reply"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP reply"),
        (b"HTTP/1.1 -20 OK\r\n\r\n", "not an HTTP reply"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "101 Switching Protocols"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "header block over 65536 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "header block over 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\nand more", "unexpected bytes follow its reply"),
    ],
)
@pytest.mark.parametrize("waits", [False, True])
def test_a_reply_to_connect_that_is_none_is_no_connection(
    fault_server: FaultServer, proxy: Proxy, through: Through, kind: Kind, says: bytes, words: str, waits: bool
) -> None:
    if waits and ("closed" in words or not kind.wire):
        pytest.skip("what is still to come cannot be known")
    proxy.says, proxy.waits = says, waits
    to = through("https", user=USER)

    run = execute(kind, to, requests(to, ["ok"] * 2), timeout_ns=CALM_NS if kind.wire else SHORT_NS)

    assert 0 == fault_server.connections
    if kind.wire:
        assert [(CONNECT, f"proxy: {words}")] * 2 == [(outcome.failure, outcome.detail) for outcome in run.outcomes]
    else:  # httpx has other limits, and checks less
        assert {CONNECT, TLS, TIMEOUT} >= set(run.failures)


def test_a_reason_is_shown_without_its_escapes(proxy: Proxy, through: Through) -> None:
    proxy.refusal = "403 \x1b[31mno\x07way\u0085" + "x" * 5000
    to = through("https")

    (outcome,) = execute(KINDS["wire"], to, requests(to, ["ok"])).outcomes

    assert outcome.detail.startswith("proxy: 403 noway")
    assert len(outcome.detail) < 250


def test_a_proxy_that_says_nothing_to_connect_is_waited_for_in_time(proxy: Proxy, through: Through, kind: Kind) -> None:
    proxy.says, proxy.waits = b"", True
    to = through("https")

    run = execute(kind, to, requests(to, ["ok"] * 4), slots=4, timeout_ns=SHORT_NS)

    assert {(TIMEOUT, "no connection through the proxy within 0.4 s")} == {
        (outcome.failure, outcome.detail) for outcome in run.outcomes
    }
    for outcome in run.outcomes:
        assert SHORT_NS - 2_000_000 <= outcome.end - outcome.start < SHORT_NS + 4_000_000_000  # a timer counts ms


def test_a_server_that_says_nothing_through_the_tunnel_is_not_the_proxys_fault(through: Through) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute:
        to = through("https", port=mute.getsockname()[1])

        run = execute(KINDS["wire"], to, requests(to, ["ok"]), timeout_ns=SHORT_NS)

    assert [(TIMEOUT, "no connection within 0.4 s")] == [(o.failure, o.detail) for o in run.outcomes]


def test_stopping_aborts_what_waits_for_a_tunnel(proxy: Proxy, through: Through, kind: Kind) -> None:
    proxy.says, proxy.waits = b"HTTP/1.1 200", True
    to = through("https")

    run = execute(
        kind,
        to,
        requests(to, ["ok"] * 9),
        slots=4,
        timeout_ns=60_000_000_000,
        interrupt=lambda engine: engine.stop(drain=False),
    )

    assert 4 == run.given
    assert NONE not in run.failures


@pytest.mark.parametrize("cut_after", [1, 500, 100_000])
def test_a_tunnel_that_is_cut_is_a_failure_like_any_other(
    proxy: Proxy, through: Through, kind: Kind, cut_after: int
) -> None:
    proxy.cut_after = cut_after
    to = through("https")

    run = execute(kind, to, requests(to, ["ok-large?bytes=300000"] * 3))

    assert {TLS, TRANSPORT} >= set(run.failures)
    assert len(proxy.seen) == 3


def test_a_proxy_that_is_not_there_is_named(through: Through, kind: Kind, scheme: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        to = replace(through(scheme), proxy=ProxyValue(scheme="http", host="127.0.0.1", port=port))

        run = execute(kind, to, requests(to, ["ok"] * 2))

    assert run.failures == [CONNECT] * 2
    for outcome in run.outcomes:
        assert re.match("proxy: (connection refused|connect call failed)", outcome.detail)


def test_a_proxy_whose_name_is_not_known_is_named(through: Through, kind: Kind, scheme: str) -> None:
    to = replace(through(scheme), proxy=ProxyValue(scheme="http", host="proxy.invalid", port=3128))

    with pytest.raises(EndpointError, match=r"^proxy: proxy\.invalid: the name has no address .*: check -X"):
        execute(kind, to, requests(to, ["ok"]))


def test_a_proxy_with_several_addresses_is_asked_once_a_connection(
    proxy: Proxy, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.refusal = "403 Forbidden"
    to = through("https")
    engine = KINDS["wire"]
    monkeypatch.setattr(
        "epkit.engines.wire.addresses.Addresses.turn",
        lambda _: [(socket.AF_INET, ("127.0.0.1", proxy.port))] * 3,
    )

    execute(engine, to, requests(to, ["ok"] * 2))

    assert 2 == len(proxy.seen)


# A proxy that uses TLS itself.


@pytest.fixture
def trusted(authority: trustme.CA, fault_server: FaultServer, tmp_path: Path) -> str:
    """Return a file with the authorities of the proxy and of the server."""
    path = tmp_path / "both.pem"
    path.write_bytes(Path(fault_server.cacert).read_bytes() + authority.cert_pem.bytes())
    return str(path)


@pytest.mark.parametrize("slots", [1, 8])
def test_tls_to_the_proxy(
    tls_proxy: Proxy, through: Through, trusted: str, kind: Kind, scheme: str, slots: int
) -> None:
    to = through(scheme, tls=Tls(cacert=trusted))
    to = replace(to, proxy=tls_proxy.value(USER, host="localhost"))

    run = execute(kind, to, requests(to, ["ok", "ok-large?bytes=300000"] * 16, body=bytes(100_000)), slots=slots)

    assert {NONE} == set(run.failures)
    assert {COURSE, b"x" * 300_000} == set(run.bodies)
    assert slots == run.traffic.connections == tls_proxy.connections
    assert {BASIC} == {headers["proxy-authorization"] for _, headers in tls_proxy.seen}


def test_the_systems_authorities_are_trusted_besides(
    authority: trustme.CA,
    fault_server: FaultServer,
    tls_proxy: Proxy,
    through: Through,
    kind: Kind,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    to = replace(through("https"), proxy=tls_proxy.value(host="localhost"))
    assert fault_server.cacert == to.tls.cacert

    assert execute(kind, to, requests(to, ["ok"])).failures == [NONE]


@pytest.mark.parametrize("verify", [True, False])
def test_a_proxy_that_nobody_vouches_for_is_shown_nothing(
    fault_server: FaultServer, tls_proxy: Proxy, through: Through, kind: Kind, scheme: str, verify: bool
) -> None:
    to = through(scheme, tls=Tls(verify=verify))
    to = replace(to, proxy=tls_proxy.value(USER, host="localhost"))

    run = execute(kind, to, requests(to, ["ok"]))

    assert run.failures == [TLS]
    assert run.outcomes[0].detail.startswith("proxy: certificate: ")
    assert ([], 0) == (tls_proxy.seen, fault_server.connections)


def test_the_proxys_certificate_is_for_its_own_name(
    tls_proxy: Proxy, through: Through, trusted: str, kind: Kind, scheme: str
) -> None:
    to = replace(through(scheme, tls=Tls(cacert=trusted)), proxy=tls_proxy.value(host="127.0.0.1"))

    run = execute(kind, to, requests(to, ["ok"]))

    assert run.failures == [TLS]
    assert run.outcomes[0].detail.startswith("proxy: certificate: ")


def test_tls_to_a_proxy_that_speaks_none(proxy: Proxy, through: Through, kind: Kind, scheme: str) -> None:
    to = replace(through(scheme), proxy=replace(proxy.value(), scheme="https"))

    (outcome,) = execute(kind, to, requests(to, ["ok"]), timeout_ns=3_000_000_000).outcomes

    assert (TLS, "proxy: ") == (outcome.failure, outcome.detail[:7])


def test_a_tunnel_inside_of_tls_ends_with_its_server(tls_proxy: Proxy, through: Through, trusted: str) -> None:
    to = through("https", tls=Tls(cacert=trusted))
    to = replace(to, proxy=tls_proxy.value(host="localhost"))

    run = execute(KINDS["wire"], to, requests(to, ["close-before", "ok-connection-close", "truncated", "ok"]))

    assert run.failures == [TRANSPORT, NONE, TRANSPORT, NONE]
    assert 4 == tls_proxy.connections


def test_a_file_of_authorities_that_cannot_be_used_is_refused(
    tls_proxy: Proxy, through: Through, kind: Kind, scheme: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.pem").write_text("no certificate")
    to = through(scheme, tls=Tls(cacert=str(tmp_path / "broken.pem")))
    to = replace(to, proxy=tls_proxy.value(host="localhost"))

    with pytest.raises(UsageError, match=r"broken\.pem: not a PEM file of certificates"):
        execute(kind, to, requests(to, ["ok"]))
