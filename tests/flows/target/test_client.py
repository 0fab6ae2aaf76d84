"""A request by URL ends within its time limit, however slowly a server answers."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from epkit.core.http import url as urls
from epkit.core.samples.rows import Failure
from epkit.flows.context import Context
from epkit.flows.target.client import Client, open_client
from epkit.flows.target.request_options import TargetOptions
from support.fault_server import FaultServer

LIMIT_S = 0.5
DRAWN_OUT = [
    "never",
    "drip?every_ms=50",
    "endless-interim?every_ms=100",
    "slow-header?every_ms=50",
    "held",
    "te-gzip-hangs",
    "redirect-slowly?every_ms=150",
]


@pytest.fixture
def client(fault_server: FaultServer, tmp_path: Path) -> Iterator[Client]:
    options = TargetOptions(target=fault_server.url("ok"), timeout_s=LIMIT_S)
    with open_client(options, Context(cwd=tmp_path, environ={}), "the test") as opened:
        yield opened


@pytest.mark.parametrize("name", DRAWN_OUT)
def test_a_contract_has_one_time_limit_for_all(client: Client, fault_server: FaultServer, name: str) -> None:
    began = time.monotonic()

    reply = asyncio.run(client.fetch(urls.parse(fault_server.url(name))))

    assert reply.failure in (Failure.TIMEOUT, Failure.TRANSPORT)
    assert time.monotonic() - began < LIMIT_S + 2


@pytest.mark.parametrize("name", DRAWN_OUT[:-1])
def test_any_other_question_has_too(client: Client, name: str) -> None:
    began = time.monotonic()

    reply = asyncio.run(client.send(client.request("GET", f"/fault/{name}")))

    assert reply.failure in (Failure.TIMEOUT, Failure.TRANSPORT)
    assert time.monotonic() - began < LIMIT_S + 2


def test_a_name_server_that_is_away_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(8))
    began = time.monotonic()

    reply = asyncio.run(client.fetch(urls.parse("http://slow.example/swagger.json")))
    over.set()

    assert reply.failure is Failure.TIMEOUT
    assert time.monotonic() - began < LIMIT_S + 3


def test_a_handshake_that_does_not_come_is_not_waited_for(client: Client) -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = urls.parse(f"https://127.0.0.1:{listener.getsockname()[1]}/swagger.json")
        reply = asyncio.run(replace(client, timeout_s=LIMIT_S).fetch(source))

    assert reply.failure is Failure.TIMEOUT
    assert time.monotonic() - began < LIMIT_S + 2
