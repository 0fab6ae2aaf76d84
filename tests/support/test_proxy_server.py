"""Tests that the tests' proxy leaves no threads or connections for the next test."""

import socket
import ssl
import threading
import time

import pytest

from support.fault_server import FaultServer
from support.proxy_server import Proxy


@pytest.mark.parametrize("method", ["CONNECT", "POST"])
def test_the_end_waits_for_a_thread_that_is_on_its_way_to_the_server(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    connect, begun = Proxy._connect, threading.Event()

    def slowly(proxy: Proxy, host: str, port: int) -> socket.socket:
        begun.set()
        time.sleep(0.2)
        return connect(proxy, host, port)

    monkeypatch.setattr(Proxy, "_connect", slowly)
    before = threading.active_count()
    with Proxy() as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        to = f"127.0.0.1:{fault_server.port}"
        client.sendall(f"{method} {to if method == 'CONNECT' else f'http://{to}/fault/ok'} HTTP/1.1\r\n\r\n".encode())
        assert begun.wait(5)

    assert before == threading.active_count()


def test_a_client_that_says_nothing_in_its_handshake_is_not_waited_for(fault_server: FaultServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    before = threading.active_count()
    with socket.socket() as client:
        with Proxy(tls=context) as proxy:
            client.connect(("127.0.0.1", proxy.port))
            while not proxy.connections:
                time.sleep(0.001)

        assert before == threading.active_count()
