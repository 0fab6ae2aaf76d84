"""`epkit bench` through a proxy: with every engine, with workers, and its messages if the proxy fails."""

import base64

import pytest

from support.canary import CANARY
from support.cli_harness import TWO_ROWS, complaint
from support.proxy_server import Proxy

USER = f"proxy:{CANARY}"
BASIC = "Basic " + base64.b64encode(USER.encode()).decode()
ENGINES = [[], ["--engine", "wire"], ["--engine", "httpx"], ["--http2"]]


@pytest.fixture
def proxy():
    with Proxy(user=USER) as running:
        yield running


@pytest.fixture
def bench(cli, rows, fault_server, proxy):
    """Run `epkit bench FLAGS URL` through the proxy, with its password."""

    def run(*flags, name="ok", tls=None, password=USER):
        through = ["-X", f"127.0.0.1:{proxy.port}", *(["-P", password] if password else [])]
        url = fault_server.url(name, tls=tls)
        return cli("bench", "--no-validate", "-p", rows, "--cacert", fault_server.cacert, *through, *flags, url)

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_a_proxy_passes_on_what_is_for_http(bench, fault_server, proxy, engine):
    ran = bench(*engine, "-n", 6, "-c", 2)

    assert (0, "") == (ran.code, ran.err)
    assert {f"POST http://127.0.0.1:{fault_server.port}/fault/ok HTTP/1.1"} == set(proxy.lines)
    assert [BASIC] * 6 == [headers["proxy-authorization"] for _, headers in proxy.seen]
    assert {(TWO_ROWS.encode(), None)} == {(s.body, s.header("Proxy-Authorization")) for s in fault_server.seen}
    assert 2 == proxy.connections


@pytest.mark.parametrize("engine", ENGINES)
def test_a_proxy_tunnels_what_is_for_https(bench, fault_server, proxy, engine):
    ran = bench(*engine, "-n", 6, "-c", 2, tls="valid")

    assert (0, "") == (ran.code, ran.err)
    assert [f"CONNECT 127.0.0.1:{fault_server.tls['valid']} HTTP/1.1"] * 2 == proxy.lines
    assert [BASIC] * 2 == [headers["proxy-authorization"] for _, headers in proxy.seen]
    assert {(TWO_ROWS.encode(), None)} == {(s.body, s.header("Proxy-Authorization")) for s in fault_server.seen}


@pytest.mark.parametrize(("flags", "engine"), [([], "wire"), (["--http2"], "httpx"), (["--engine", "httpx"], "httpx")])
def test_a_proxy_does_not_choose_the_engine(bench, flags, engine):
    assert engine == bench("--format", "json", *flags).report["tool"]["engine"].removesuffix("+c")


def test_what_only_the_wire_engine_knows_goes_with_a_proxy(bench, fault_server):
    ran = bench("-I", "-b", 8192, "-B", "127.0.0.1", "-n", 2, tls="valid")

    assert (0, "") == (ran.code, ran.err)
    assert [None] == fault_server.sni


@pytest.mark.parametrize("tls", [None, "valid"])
def test_workers_go_through_it_too(bench, fault_server, proxy, crew, tls):
    ran = bench(*crew, "-n", 20, "-c", 4, tls=tls)

    assert 0 == ran.code, ran.err
    assert 20 == len(fault_server.seen)
    assert 4 == proxy.connections == fault_server.connections


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize("tls", [None, "valid"])
@pytest.mark.parametrize("password", ["", "proxy:wrong"])
def test_a_password_that_is_missing_or_wrong_is_asked_for(bench, fault_server, engine, tls, password):
    ran = bench("--engine", engine, tls=tls, password=password)

    assert "give -P USER:PASSWORD" in complaint(ran, 4)
    assert 0 == fault_server.connections


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_tunnel_that_is_refused_is_the_proxys_doing(bench, proxy, engine):
    proxy.refusal = "403 Forbidden"

    ran = bench("--engine", engine, tls="valid")

    said = "the proxy refuses the connection to the endpoint: check its rules, and the URL (proxy: 403 Forbidden)"
    assert said in complaint(ran, 4)


def test_a_proxy_that_hangs_is_not_the_endpoints_fault(bench, proxy):
    proxy.says, proxy.waits = b"", True

    said = complaint(bench("-s", "0.3", tls="valid"), 4)

    assert "the proxy does not answer, or does not reach the endpoint: check -X; -s allows more time" in said


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_proxy_that_is_not_there_is_a_failure_to_connect(cli, rows, fault_server, engine):
    ran = cli(
        *("bench", "--no-validate", "-n", 2, "-p", rows, "--engine", engine),
        *("-X", "127.0.0.1:9", fault_server.url("ok")),
    )

    assert 4 == ran.code
    assert "(connect: 2)" in ran.out


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_proxy_that_nobody_knows_is_named(cli, rows, fault_server, engine):
    ran = cli("bench", "-p", rows, "--engine", engine, "-X", f"http://{USER}@proxy.invalid", fault_server.url("ok"))

    assert complaint(ran, 4).startswith("proxy: proxy.invalid: the name has no address (")


def test_the_request_is_shown_as_it_is_sent(bench, fault_server):
    passed, tunnelled, dry = bench("-v", 2), bench("-v", 2, tls="valid"), bench("--dry-run")

    place = f"127.0.0.1:{fault_server.port}"
    shown = f"POST http://{place}/fault/ok HTTP/1.1\nHost: {place}\nProxy-Authorization: Basic ***\n"
    assert shown in passed.err
    assert shown in dry.out
    assert "POST /fault/ok HTTP/1.1" in tunnelled.err
    assert "Proxy-Authorization" not in tunnelled.err


def test_a_contract_is_asked_for_through_it(cli, rows, fault_server, proxy):
    ran = cli("bench", "-p", rows, "-X", f"http://{USER}@127.0.0.1:{proxy.port}", fault_server.url("ok"))

    assert 0 == ran.code
    assert f"GET http://127.0.0.1:{fault_server.port}/fault/swagger.json HTTP/1.1" == proxy.lines[0]


def test_the_proxies_of_the_environment_are_not_used_and_a_note_says_so(cli, rows, fault_server):
    cli.environ["https_proxy"] = f"http://user:{CANARY}@127.0.0.1:9"

    ran = cli("bench", "--no-validate", "-p", rows, fault_server.url("ok"))

    assert 0 == ran.code
    assert ["epkit: the environment's proxies (https_proxy) are not used for load; -X names one"] == ran.lines


def test_who_names_a_proxy_is_told_of_no_other(cli, bench, proxy):
    cli.environ["https_proxy"] = f"http://user:{CANARY}@127.0.0.1:9"

    assert (0, "") == ((ran := bench()).code, ran.err)
    assert 1 == len(proxy.seen)
