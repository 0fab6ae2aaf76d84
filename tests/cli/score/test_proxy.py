"""`epkit score` through a proxy: the same rows and retries, and the proxy's password appears nowhere."""

import base64
import json

import pytest

from support.canary import CANARY
from support.cli_harness import complaint
from support.predict_server import Answer, PredictServer, plain, predicted
from support.proxy_server import Proxy

COUNT = 250
PREDICTIONS = [f"p{n}" for n in range(COUNT)]
USER = base64.b64encode(f"proxy:{CANARY}".encode()).decode()


@pytest.fixture
def server():
    with PredictServer() as running:
        yield running


@pytest.fixture
def proxy():
    with Proxy() as running:
        yield running


@pytest.fixture
def job(cli, server):
    cli.write("rows.csv", "id,name\n" + "".join(f"{n},n{n}\n" for n in range(COUNT)))
    return ["score", "rows.csv", "--target", server.url, "--batch-rows", "10", "-c", "4"]


def predictions(ran):
    return [json.loads(line)["prediction"] for line in ran.out.splitlines()]


@pytest.mark.parametrize("crew", [[], ["--workers", "2"]])
@pytest.mark.parametrize("flags", [["-X", "{}", "-P", f"proxy:{CANARY}"], ["--proxy", f"http://proxy:{CANARY}@{{}}"]])
def test_rows_and_contract_go_through_the_proxy(cli, server, proxy, job, flags, crew):
    ran = cli(*job, *crew, *(flag.format(f"127.0.0.1:{proxy.port}") for flag in flags))

    assert (0, PREDICTIONS) == (ran.code, predictions(ran)), ran.err
    assert COUNT == sum(server.scored.values())
    said = [line for line, _ in proxy.seen]
    assert f"GET {server.url.removesuffix('score')}swagger.json HTTP/1.1" in said
    assert f"POST {server.url} HTTP/1.1" in said
    assert {f"Basic {USER}"} == {headers["proxy-authorization"] for _, headers in proxy.seen}


def test_tls_goes_through_a_tunnel(cli, fault_server, proxy):
    cli.write("rows.json", '{"data": [{"age": 17}, {"age": 87}]}')
    url = fault_server.url("ok", tls="valid")
    through = ["-X", f"127.0.0.1:{proxy.port}", "--cacert", fault_server.cacert]
    ran = cli("score", "rows.json", "--no-validate", "--target", url, *through)

    assert (0, 2) == (ran.code, len(predictions(ran))), ran.err
    # The rows, and the contract that describes their form.
    assert [f"CONNECT 127.0.0.1:{fault_server.tls['valid']} HTTP/1.1"] * 2 == [line for line, _ in proxy.seen]


def test_what_passes_is_tried_again_through_the_proxy_too(cli, server, proxy, job):
    def behave(server, rows, body):
        if server.requests == 2:
            return Answer(status=503, headers={"Retry-After": "0"})
        return Answer(close=True) if server.requests == 4 else Answer(body=predicted(rows))

    server.behave = behave
    ran = cli(*job, "-c", 1, "--no-validate", "-X", f"127.0.0.1:{proxy.port}", "-o", "out.jsonl")

    assert 0 == ran.code, ran.err
    assert PREDICTIONS == [json.loads(line)["prediction"] for line in cli.read("out.jsonl").splitlines()]
    assert {1} == set(server.scored.values())


def test_a_job_goes_on_by_another_way(cli, server, proxy, job):
    server.behave = lambda *_: Answer(status=401)
    assert 4 == cli(*job, "--no-validate", "-o", "out.csv").code
    server.behave = plain
    ran = cli(*job, "--no-validate", "-o", "out.csv", "-X", f"127.0.0.1:{proxy.port}")

    assert 0 == ran.code, ran.err
    assert PREDICTIONS == [line.rpartition(",")[2] for line in cli.read("out.csv").splitlines()[1:]]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-P", f"proxy:{CANARY}"], "-P needs a proxy, which -X names"),
        (["-X", "proxy:many"], '-X: "http://proxy:many" has a port that is not a number from 1 to 65535'),
        (["-X", f"http://proxy:{CANARY}@host:port"], "has a port that is not a number"),
    ],
)
def test_a_proxy_that_makes_no_sense_is_refused(cli, server, job, flags, words):
    assert words in complaint(cli(*job, *flags), 2)
    assert 0 == server.requests


def test_a_proxy_that_is_not_there_ends_the_job(cli, server, job):
    ran = cli(*job, "--no-validate", "--retries", 0, "-o", "out.csv", "-X", f"http://proxy:{CANARY}@127.0.0.1:9")

    assert 4 == ran.code
    assert "the proxy cannot be reached: check -X (proxy: connection refused)" in ran.lines[-1]
    assert 0 == server.requests


@pytest.mark.parametrize("tls", [None, "valid"])
@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (
            "407 Proxy Authentication Required",
            "the proxy requires a user and a password, or refuses those given: give -P USER:PASSWORD",
        ),
        ("403 Forbidden", None),
    ],
)
def test_a_proxy_that_refuses_ends_the_job(cli, fault_server, proxy, refusal, words, tls):
    proxy.refusal = refusal
    cli.write("rows.json", '{"data": [{"age": 17}, {"age": 87}]}')
    through = ["-X", f"127.0.0.1:{proxy.port}", "--cacert", fault_server.cacert, "--retries", 0]
    ran = cli("score", "rows.json", "--no-validate", "--target", fault_server.url("ok", tls=tls), *through)

    assert 4 == ran.code
    assert (words or ("refuses the connection to the endpoint" if tls else "the endpoint requires a key")) in ran.lines[
        -1
    ]
    assert 0 == fault_server.connections


def test_the_environments_proxies_are_not_used_and_that_is_said(cli, server, job):
    cli.environ["https_proxy"] = f"http://user:{CANARY}@127.0.0.1:9"
    ran = cli(*job, "--no-validate", "-q")

    assert (0, PREDICTIONS) == (ran.code, predictions(ran))
    assert "epkit: the environment's proxies (https_proxy) are not used for rows; -X names one" == ran.lines[0]
