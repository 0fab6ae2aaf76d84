"""A connection step by step: which step fails, and its message."""

import asyncio
import socket
import ssl
from dataclasses import replace

import pytest
import trustme

from epkit.core.http.destination import Destination, Tls
from epkit.core.http.destination import Proxy as ProxyValue
from epkit.core.samples.rows import Failure
from epkit.engines.wire import probe
from epkit.engines.wire.addresses import look_up
from epkit.engines.wire.tunnel import ProxyError
from support.proxy_server import Proxy


def destination(server, certificate="valid", **tls):
    return Destination(
        scheme="https", host="127.0.0.1", port=server.tls[certificate], tls=Tls(cacert=server.cacert, **tls)
    )


def secured(to, timeout_s=5.0):
    async def run():
        sock, _ = await probe.connect(await look_up(to), timeout_s)
        return await probe.secure(sock, to, timeout_s)

    return asyncio.run(run())


def test_a_name_leads_to_addresses(fault_server):
    to = Destination(scheme="http", host="127.0.0.1", port=fault_server.port)

    assert ((socket.AF_INET, ("127.0.0.1", fault_server.port)),) == asyncio.run(look_up(to))


def test_a_unix_socket_is_its_own_address():
    to = Destination(scheme="http", host="localhost", port=80, unix="/run/x.sock")

    assert ((socket.AF_UNIX, "/run/x.sock"),) == asyncio.run(look_up(to))


def test_the_first_address_that_takes_it_is_connected_to(fault_server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = (socket.AF_INET, unused.getsockname())
        alive = (socket.AF_INET, ("127.0.0.1", fault_server.port))
        sock, address = asyncio.run(probe.connect([dead, alive], 5))
        sock.close()
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(probe.connect([dead, dead], 5))

    assert alive == address


def test_a_handshake_tells_what_was_agreed_on(fault_server):
    agreed = secured(destination(fault_server))

    assert "TLSv1.3" == agreed.version
    assert agreed.cipher.startswith("TLS_")
    assert agreed.expires > 1_700_000_000
    assert agreed.took_ns > 0


def test_a_certificate_that_is_not_checked_tells_no_end(fault_server):
    assert None is secured(destination(fault_server, "expired", verify=False)).expires


def test_an_older_version_has_no_late_objection(fault_server):
    assert "TLSv1.2" == secured(destination(fault_server, version="TLS1.2")).version


def test_a_server_that_wants_a_certificate_objects_after_the_handshake(fault_server):
    with pytest.raises(OSError, match="certificate required"):
        secured(destination(fault_server, "mutual"))


def test_a_client_certificate_is_taken(fault_server):
    assert "TLSv1.3" == secured(destination(fault_server, "mutual", client_cert=fault_server.client_cert)).version


def test_a_server_without_a_word_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = Destination(scheme="https", host="127.0.0.1", port=silent.getsockname()[1])

        with pytest.raises(TimeoutError, match=r"no handshake within 0\.1 s"):
            secured(to, 0.1)


# Through a proxy.


def test_the_name_that_is_looked_up_is_the_proxys(fault_server):
    proxy = ProxyValue(scheme="http", host="127.0.0.1", port=3128)
    to = Destination(scheme="https", host="scoring.invalid", port=443, proxy=proxy)

    assert ((socket.AF_INET, ("127.0.0.1", 3128)),) == asyncio.run(look_up(to))


def test_a_handshake_is_done_through_the_tunnel(fault_server):
    with Proxy() as proxy:
        agreed = secured(replace(destination(fault_server), proxy=proxy.value()))

    assert "TLSv1.3" == agreed.version
    assert [f"CONNECT 127.0.0.1:{fault_server.tls['valid']} HTTP/1.1"] == proxy.lines


def test_a_handshake_is_done_through_a_tunnel_inside_of_tls(fault_server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", fault_server.cacert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(context)
    with Proxy(tls=context) as proxy, authority.cert_pem.tempfile() as trusted:
        to = destination(fault_server)
        to = replace(to, tls=replace(to.tls, cacert=trusted, verify=False), proxy=proxy.value(host="localhost"))

        assert "TLSv1.3" == secured(to).version


def test_a_proxy_that_refuses_is_told_from_the_server(fault_server):
    with Proxy(refusal="403 Forbidden") as proxy, pytest.raises(ProxyError, match=r"^proxy: 403 Forbidden$"):
        secured(replace(destination(fault_server), proxy=proxy.value()))


def test_a_proxy_that_hangs_is_told_from_the_server(fault_server):
    with (
        Proxy(says=b"", waits=True) as proxy,
        pytest.raises(ProxyError, match=r"^proxy: no tunnel within 0\.2 s$") as hung,
    ):
        secured(replace(destination(fault_server), proxy=proxy.value()), 0.2)

    assert Failure.TIMEOUT == hung.value.failure


def test_a_server_without_a_word_behind_a_proxy_is_given_up_as_itself():
    with socket.create_server(("127.0.0.1", 0)) as silent, Proxy() as proxy:
        to = Destination(scheme="https", host="127.0.0.1", port=silent.getsockname()[1], proxy=proxy.value())

        with pytest.raises(TimeoutError, match=r"no handshake within 0.2 s"):
            secured(to, 0.2)
