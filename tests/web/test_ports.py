"""The message about a port in use names its process; a free port is accepted."""

import os
import re
import socket
import sys

import pytest

from epkit.errors import UsageError
from epkit.web import ports


def refused(host, port):
    with pytest.raises(UsageError) as raised:
        ports.listen(host, port)
    return str(raised.value)


def test_a_free_port_is_listened_on():
    with ports.listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
        socket.create_connection(listener.getsockname(), 5).close()


def test_a_taken_port_names_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("127.0.0.1", port)

    free = re.search(r"give --port (\d+), which is free", said)
    assert free
    assert int(free[1]) > port
    assert said.startswith(f"--port {port}: taken by ")


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_taken_port_names_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused("127.0.0.1", taken.getsockname()[1])

    assert f"(process {os.getpid()})" in said


def test_without_proc_it_is_another_program(monkeypatch):
    monkeypatch.setattr(ports, "_inodes", lambda port: iter(()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused("127.0.0.1", taken.getsockname()[1])

    assert ": taken by another program: end that one, or give --port " in said


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_refused(host):
    assert refused(host, 0).startswith(f"--host {host}: ")


def test_a_port_of_the_system_is_for_its_administrator(monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ports, "_bound", denied)

    assert "--port 80: this user may not listen there: take one from 1024 up" == refused("127.0.0.1", 80)
