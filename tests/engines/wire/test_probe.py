"""A connection in steps: which of them fails, and with which words."""

import asyncio
import socket

import pytest

from epkit.core.http.destination import Destination, Tls
from epkit.engines.wire import probe


def destination(server, certificate="valid", **tls):
    return Destination(
        scheme="https", host="127.0.0.1", port=server.tls[certificate], tls=Tls(cacert=server.cacert, **tls)
    )


def secured(to, timeout_s=5.0):
    async def run():
        sock, _ = await probe.connect(await probe.look_up(to), timeout_s)
        return await probe.secure(sock, to, timeout_s)

    return asyncio.run(run())


def test_a_name_leads_to_addresses(fault_server):
    to = Destination(scheme="http", host="127.0.0.1", port=fault_server.port)

    assert ((socket.AF_INET, ("127.0.0.1", fault_server.port)),) == asyncio.run(probe.look_up(to))


def test_a_unix_socket_is_its_own_address():
    to = Destination(scheme="http", host="localhost", port=80, unix="/run/x.sock")

    assert ((socket.AF_UNIX, "/run/x.sock"),) == asyncio.run(probe.look_up(to))


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
