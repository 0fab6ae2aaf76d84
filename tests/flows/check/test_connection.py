"""The steps of a check up to an answer, through a proxy: its problems are distinguished from the endpoint's."""

import asyncio

import pytest

from epkit.core.http.destination import Proxy as ProxyValue
from epkit.core.http.destination import Tls
from epkit.flows.check.connection import ConnectionSteps
from epkit.flows.check.session import Session, Unwell
from epkit.flows.context import Context
from epkit.flows.target.client import client_for
from epkit.flows.target.opening import open_target
from epkit.flows.target.request_options import RequestOptions, TargetOptions
from support.canary import CANARY
from support.proxy_server import Proxy


@pytest.fixture
def proxy():
    with Proxy(user=f"proxy:{CANARY}") as running:
        yield running


def look(url, proxy, cacert, *names):
    """Run the named steps, and return the findings of each."""
    with open_target(url, RequestOptions(), Context(environ={}, note=print), key_file=None) as target:
        client = client_for(target, TargetOptions(tls=Tls(cacert=cacert), timeout_s=2.0), proxy=proxy)
        steps = ConnectionSteps(Session(client))

        async def run():
            try:
                return [(await getattr(steps, name)()).detail for name in names]
            finally:
                steps.close()

        return asyncio.run(run())


@pytest.mark.parametrize("tls", [None, "valid"])
def test_the_steps_go_by_the_proxy(fault_server, proxy, tls):
    given = proxy.value(f"proxy:{CANARY}")

    name, tcp, secured, health = look(
        fault_server.url("ok", tls=tls), given, fault_server.cacert, "name", "tcp", "tls", "health"
    )

    assert ("proxy: 127.0.0.1", f"proxy: connected to 127.0.0.1, port {proxy.port}") == (name, tcp)
    assert secured.startswith("TLSv1.3, " if tls else "plain http")
    assert health.startswith("GET /fault/: 404")


def test_a_tunnel_that_is_refused_says_what_to_do(fault_server, proxy):
    with pytest.raises(Unwell) as unwell:
        look(fault_server.url("ok", tls="valid"), proxy.value(), fault_server.cacert, "name", "tcp", "tls")

    assert "proxy: 407 Proxy Authentication Required" == unwell.value.detail
    assert (
        "the proxy requires a user and a password, or refuses those given: give -P USER:PASSWORD" == unwell.value.advice
    )


@pytest.mark.parametrize(
    ("host", "step", "said", "advice"),
    [
        ("proxy.invalid", "name", "proxy: proxy.invalid: ", "the proxy cannot be reached: check -X"),
        ("127.0.0.1", "tcp", "proxy: http://127.0.0.1:9: connection refused", "the proxy cannot be reached: check -X"),
    ],
)
def test_a_proxy_that_is_not_reached_is_named(fault_server, host, step, said, advice):
    steps = ["name", "tcp"][: ["name", "tcp"].index(step) + 1]

    with pytest.raises(Unwell) as unwell:
        look(fault_server.url("ok"), ProxyValue(scheme="http", host=host, port=9), None, *steps)

    assert unwell.value.detail.startswith(said)
    assert advice == unwell.value.advice
