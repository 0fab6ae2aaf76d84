"""`epkit check` finds the cause of every fault of the fault server, and of every mistake with a key."""

import contextlib
import json
import re
import socket
import threading

import pytest

from support.canary import CANARY
from support.cli_harness import complaint
from support.faults import FAULTS, ODD
from support.proxy_server import Proxy

STEPS = ["name", "tcp", "tls", "health", "key", "contract", "example", "reply", "clock", "headers"]

WELL = frozenset(
    [
        *("ok", "ok-chunked", "ok-close-delimited", "ok-connection-close", "ok-split", "ok-split-chunked"),
        *("delay", "gated", "stall", "flaky", "second-dies", "early-hints", "gzip", "deflate", "deflate-raw", "azure"),
        *("big-header", "closes-idle", "twice", "nested", "echo-id"),
        *("version-1.0", "chunk-extension", "cut", "cut-length", "cut-chunked"),
        *("bare-lf", "only-lf", "only-lf-split", "only-lf-chunked"),
    ]
)
"""Behaviours that count as scored."""

HANGING = ("length-too-long", "never", "never-reads", "drip", "slow-header", "held")

CAUSES = {
    "empty": ("example", "the reply is empty: the scoring script returned nothing"),
    "204": ("example", "the reply is empty"),
    "304": ("example", "a redirect, which is not followed"),
    "401": ("key", "the endpoint requires a key, and none was sent"),
    "403": ("key", "the endpoint requires a key, and none was sent"),
    "malformed-auth": ("key", "the endpoint requires a key, and none was sent"),
    "404": ("example", "nothing is at this path, or no deployment has traffic"),
    "413": ("example", "the body is too large"),
    "415": ("example", "the Content-Type is not application/json"),
    "424": ("example", "the model itself failed; the deployment's log says why; the model's own status: 500"),
    "429": ("example", "over the rate limit, or more in flight than"),
    "500": ("example", "the scoring script raised an exception"),
    "503": ("example", "or every replica is full"),
    "early": ("example", "the body is too large"),
    "echo": ("example", "the endpoint does not accept the request"),
    "redirect": (
        "example",
        "a redirect, which is not followed, because the key is sent to this origin only: use /fault/ok",
    ),
    "error-in-200": ("example", "the reply is an error, whatever its status"),
    "error-in-200-doubled": ("example", "the reply is an error, whatever its status"),
    "swagger.json": ("example", "if the reply has predictions, name their place with --predictions-at POINTER"),
    "wrong-count": ("example", "the reply does not have one prediction for each row sent"),
    **dict.fromkeys(["not-json", "ok-large", "length-too-short"], ("example", "the reply breaks the contract")),
    **dict.fromkeys(
        [
            *("gzip-broken", "gzip-bomb", "close-before", "close-in-header", "close-after-header", "truncated"),
            *("reset", "reset-in-body", "chunk-truncated", "raw"),
        ],
        ("example", "the connection broke before the reply was complete"),
    ),
    **dict.fromkeys(
        {*ODD, "te-gzip", "te-identity", "te-gzip-hangs", "endless-interim", "chunk-garbage", "not-http"} - WELL,
        ("example", "the reply breaks HTTP's rules"),
    ),
    "204-with-body": ("example", "the reply is empty"),
    **dict.fromkeys(["br", "zstd"], ("example", "epkit reads gzip and deflate: ask for one of them")),
    "redirect-slowly": ("example", "a redirect, which is not followed"),
    **dict.fromkeys(
        ["huge-header", "many-headers", "endless-header", "endless-body", "endless-close", "endless-tiny"],
        ("example", "the reply is larger than epkit accepts"),
    ),
    **dict.fromkeys(HANGING, ("example", "no complete reply in time")),
}
"""The step that fails, and its message."""


@pytest.fixture
def check(cli, rows):
    """Check a target with two rows; return exit code, the steps by name, and stderr."""

    def run(*arguments, payload=True):
        ran = cli("check", *(["-p", rows] if payload else []), "--format", "json", *arguments)
        document = json.loads(ran.out)
        steps = {step["name"]: step for step in document["steps"]}

        assert "epkit.check/1" == document["format"]
        assert STEPS == list(steps)
        assert {"name", "ok", "ms", "detail", "advice"} == set().union(*map(set, steps.values()))
        assert all(isinstance(step["ms"], int | float) for step in steps.values() if step["ok"] is not None)
        failed = [step for step in steps.values() if step["ok"] is False]
        assert (4 if failed else 0) == ran.code
        if failed:
            said = complaint(ran, 4)
            assert f"{document['target']}: {failed[0]['name']}: " in said
            assert failed[0]["advice"] in said
        return ran.code, steps, ran.err

    return run


def cause(steps):
    """Return the first step that failed, and its advice."""
    return next((step["name"], step["advice"]) for step in steps.values() if step["ok"] is False)


def test_every_fault_of_the_server_is_in_the_tables():
    assert set(FAULTS) == WELL | set(CAUSES)


@pytest.mark.parametrize("name", sorted(WELL))
def test_an_odd_manner_is_no_failure(check, fault_server, name):
    code, steps, err = check(fault_server.url(name))

    assert (0, "") == (code, err)
    assert set() == {name for name, step in steps.items() if not step["ok"]}


@pytest.mark.parametrize("name", sorted(CAUSES))
def test_the_first_failure_is_the_cause(check, fault_server, name):
    _, steps, _ = check("-s", 0.3 if name in HANGING else 10, fault_server.url(name))
    step, advice = CAUSES[name]

    assert step == cause(steps)[0]
    assert advice in cause(steps)[1]
    assert steps["reply"]["ok"] is None


@pytest.fixture
def gated(bank):
    """The embedded endpoint, which requires its key."""
    return bank.uri


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ([], "the endpoint requires a key, and none was sent: give it with --key-file, EPKIT_KEY"),
        (["-H", f"Authorization: {CANARY}"], "the key was not understood: Authorization has to be 'Bearer KEY'"),
        (["-H", f"Authorization: Bearer {CANARY}"], "the key is wrong, expired, or belongs to another endpoint"),
        (["-H", f"Authorization: Token {CANARY}"], "the key was not understood: Authorization has to be 'Bearer KEY'"),
    ],
    ids=["missing", "without Bearer", "wrong", "with another word"],
)
def test_a_mistake_with_the_key_is_named(check, gated, arguments, advice):
    _, steps, _ = check(*arguments, gated, payload=False)

    assert ("key", True) == (cause(steps)[0], cause(steps)[1].startswith(advice))
    assert {"contract": None, "example": None, "reply": None} == {
        name: steps[name]["ok"] for name in ("contract", "example", "reply")
    }
    assert steps["clock"]["ok"]


def test_the_key_of_another_endpoint_is_named(cli, check, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    _, steps, _ = check(fault_server.url("403"))

    assert "key" == cause(steps)[0]
    assert cause(steps)[1].startswith("the key is wrong, expired, or belongs to another endpoint")
    assert "403 key_auth_access_denied" == steps["key"]["detail"]


def test_a_malformed_key_of_a_container_instance_is_named(cli, check, fault_server):
    _, steps, _ = check("-H", f"Authorization: {CANARY}", fault_server.url("malformed-auth"))

    assert "key" == cause(steps)[0]
    assert cause(steps)[1].startswith("the key was not understood: Authorization has to be 'Bearer KEY'")


def test_a_good_endpoint_is_well(cli, check, bank):
    cli.environ["EPKIT_KEY"] = bank.key.reveal()

    code, steps, err = check(bank.uri, payload=False)

    assert (0, "") == (code, err)
    assert "accepted, from EPKIT_KEY" == steps["key"]["detail"]
    assert "GET /: 200 Healthy" == steps["health"]["detail"]
    assert "Swagger 2.0, POST /score, with an example of 2 rows" == steps["contract"]["detail"]
    assert '200 for 2 rows of the example: "{\\"result\\": [\\"yes\\", \\"no\\"]}"' == steps["example"]["detail"]
    assert "azmlinfsrv/" in steps["headers"]["detail"]


def test_a_name_that_is_not_known(check):
    _, steps, _ = check("http://no-such-host.invalid/score")

    assert "name" == cause(steps)[0]
    assert "the host name cannot be resolved: check its spelling" in cause(steps)[1]
    assert all(steps[name]["ok"] is None for name in STEPS[1:])


def test_a_port_where_nothing_listens(check):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _, steps, _ = check(f"http://127.0.0.1:{unused.getsockname()[1]}/score")

    assert ("tcp", "nothing listens there: check that the server runs, and the port") == cause(steps)


@pytest.mark.parametrize(
    ("certificate", "advice"),
    [
        ("expired", "the server's certificate has expired: renew it"),
        ("self-signed", "the server's certificate is signed by an unknown authority: name it with --cacert"),
        ("wrong-name", "the server's certificate is for another name: check the URL's host"),
    ],
)
def test_a_bad_certificate_is_named(check, fault_server, certificate, advice):
    trust = [] if certificate == "self-signed" else ["--cacert", fault_server.cacert]

    _, steps, _ = check(*trust, fault_server.url("ok", tls=certificate))

    assert "tls" == cause(steps)[0]
    assert cause(steps)[1].startswith(advice)


def test_a_good_certificate_tells_its_days(check, fault_server):
    code, steps, _ = check("--cacert", fault_server.cacert, fault_server.url("ok", tls="valid"))

    assert 0 == code
    assert steps["tls"]["detail"].startswith("TLSv1.3, ")
    assert " days" in steps["tls"]["detail"]


def test_a_certificate_that_is_not_checked_is_no_failure(check, fault_server):
    code, steps, _ = check("--insecure", fault_server.url("ok", tls="expired"))

    assert 0 == code
    assert steps["tls"]["detail"].endswith("the certificate is not checked (--insecure)")


def test_a_missing_client_certificate_is_named(check, fault_server):
    _, steps, _ = check("--cacert", fault_server.cacert, fault_server.url("ok", tls="mutual"))

    assert cause(steps)[1].startswith("the server requires a client certificate")


def test_https_on_a_port_that_speaks_http(check, fault_server):
    _, steps, _ = check(f"https://127.0.0.1:{fault_server.port}/fault/ok")

    assert ("tls", "the port does not speak TLS: try http:// in the URL") == cause(steps)


@contextlib.contextmanager
def answering(reply):
    """Serve the same reply for every connection, or the result of a function of the request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    accepted, _ = listener.accept()
                    with accepted, contextlib.suppress(OSError):
                        accepted.settimeout(2)
                        if asked := accepted.recv(65536):
                            accepted.sendall(reply(asked) if callable(reply) else reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/score"
        finally:
            ended.set()
            thread.join()


def http(status, body, *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", body]).encode()


def test_http_on_a_port_that_speaks_https(check):
    with answering(http(400, "The plain HTTP request was sent to HTTPS port")) as url:
        _, steps, _ = check(url)

    assert ("health", "the port speaks TLS: use https:// in the URL") == cause(steps)


def test_a_port_that_speaks_no_http(check):
    with answering(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n") as url:
        _, steps, _ = check(url)

    assert "health" == cause(steps)[0]
    assert cause(steps)[1].startswith("the reply breaks HTTP's rules")


def test_a_sick_server(check):
    with answering(http(503, "no healthy upstream")) as url:
        _, steps, _ = check(url)

    assert "health" == cause(steps)[0]
    assert "every replica is full" in cause(steps)[1]


def test_a_missing_contract_is_named(check):
    with answering(http(404, "no such page")) as url:
        _, steps, _ = check(url, payload=False)

    assert ("contract", "name the contract with --schema FILE|URL, or with swagger in epkit.toml") == cause(steps)
    assert steps["contract"]["detail"].startswith("no contract is found: http://")
    assert ["swagger", "openapi", "docs"] == re.findall(r"/(\w+)\.json: status 404", steps["contract"]["detail"])


@pytest.mark.parametrize(
    ("tls", "secured"),
    [
        (None, "plain http: nothing is encrypted"),
        ("valid", "TLSv1.3, TLS_AES_256_GCM_SHA384, the certificate expires in "),
    ],
)
def test_the_steps_lead_through_a_proxy(check, fault_server, tls, secured):
    with Proxy(user=f"proxy:{CANARY}") as proxy:
        port = proxy.port
        way = ["-X", f"127.0.0.1:{port}", "-P", f"proxy:{CANARY}", "--cacert", fault_server.cacert]
        _, steps, _ = check(fault_server.url("ok", tls=tls), *way)

    said = {name: steps[name]["detail"] for name in ("name", "tcp", "tls")}
    assert secured == said.pop("tls")[: len(secured)]
    assert {"name": "proxy: 127.0.0.1", "tcp": f"proxy: connected to 127.0.0.1, port {port}"} == said
    assert all(step["ok"] for step in steps.values())


@pytest.mark.parametrize(
    ("proxy", "step", "detail"),
    [
        ("127.0.0.1:9", "tcp", "proxy: http://127.0.0.1:9: connection refused"),
        ("nowhere.invalid:9", "name", "proxy: nowhere.invalid: "),
    ],
)
def test_a_proxy_that_is_not_reached_is_named(check, fault_server, proxy, step, detail):
    _, steps, _ = check(fault_server.url("ok"), "-X", proxy)

    assert (step, "the proxy cannot be reached: check -X") == cause(steps)
    assert steps[step]["detail"].startswith(detail)


def test_a_server_that_leads_to_https_is_named(check):
    with answering(http(301, "", f"Location: https://bank.example/?sig={CANARY}")) as url:
        _, steps, _ = check(url, payload=False)

    assert ("health", "the server requires TLS: use https:// in the URL") == cause(steps)
    assert "GET /: 301, to https://bank.example/?sig=***" == steps["health"]["detail"]


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (http(302, "", "Location: /elsewhere"), "name the contract with --schema FILE|URL"),
        (http(429, "", "Retry-After: 7"), "over the rate limit, or more in flight than"),
    ],
)
def test_a_contract_that_is_not_handed_out_says_why(check, reply, advice):
    with answering(reply) as url:
        _, steps, _ = check(url, payload=False)

    assert "contract" == cause(steps)[0]
    assert cause(steps)[1].startswith(advice)


def test_a_contract_that_breaks_off_says_why(check):
    healthy = http(200, "Healthy")
    with answering(lambda asked: healthy if asked.startswith(b"GET / ") else healthy[:-3]) as url:
        _, steps, _ = check(url, payload=False)

    assert "contract" == cause(steps)[0]
    assert cause(steps)[1].startswith("the connection broke before the reply was complete")


def test_a_clock_that_is_wrong_is_warned_of(check):
    contract = '{"swagger": "2.0", "paths": {"/score": {"post": {"responses": {}}}}}'
    with answering(http(200, contract, "Date: Mon, 01 Jan 2001 00:00:00 GMT")) as url:
        _, steps, _ = check(url)

    assert steps["clock"]["ok"]
    assert steps["clock"]["detail"].endswith(" s behind this machine's")
    assert "the validity of a token depends on the time: set the clock that is wrong" == steps["clock"]["advice"]


def test_a_broken_contract_is_named(cli, check, fault_server):
    name = cli.write("broken.json", '{"swagger": "2.0", "paths": {}}')

    _, steps, _ = check("--schema", name, fault_server.url("ok"), payload=False)

    assert "contract" == cause(steps)[0]
    assert "/paths: not an object with a path" in steps["contract"]["detail"]
    assert "correct the contract at that place, or name another with --schema FILE|URL" == cause(steps)[1]


def test_a_contract_without_an_example_gets_a_row_made(check, fault_server):
    _, steps, _ = check(fault_server.url("ok"), payload=False)

    assert "the contract has no example: a row made from its schema is scored instead" == steps["contract"]["advice"]
    assert ("example", "2 predictions for 1 rows") == (cause(steps)[0], steps["example"]["detail"])


def test_a_body_that_breaks_the_contract_is_suspected(cli, check, bank):
    cli.environ["EPKIT_KEY"] = bank.key.reveal()
    name = cli.write("bad.json", '{"Data": []}')

    _, steps, _ = check("-p", name, bank.uri, payload=False)

    assert "example" == cause(steps)[0]
    assert 'the body breaks the contract: the key "data", which holds the rows, is missing' in cause(steps)[1]


def test_another_deployment_than_the_one_asked_for(check, fault_server):
    _, steps, _ = check("--deployment", "red", fault_server.url("azure"))

    assert "headers" == cause(steps)[0]
    assert cause(steps)[1].startswith('deployment "red" was asked for, "blue" answered')


def test_text_is_a_line_a_step(cli, rows, fault_server):
    ran = cli("check", "-p", rows, fault_server.url("401"))

    lines = ran.out.splitlines()
    assert fault_server.url("401") == lines[0]
    assert [*STEPS[:5], "->", *STEPS[5:]] == [line.split()[0] for line in lines[1:]]
    assert ["key", "FAILED"] == lines[5].split()[:2]
    assert (
        "          -> the endpoint requires a key, and none was sent: give it with --key-file, EPKIT_KEY, or key_env "
        "in epkit.toml" == lines[6]
    )
    assert complaint(ran, 4).startswith(
        f"{fault_server.url('401')}: key: 401 Unauthorized: the endpoint requires a key"
    )


def test_a_reader_that_is_gone_changes_nothing_about_the_verdict(cli, rows, fault_server):
    with cli.start("check", "-p", rows, fault_server.url("404")) as process:
        process.stdout.close()
        process.stdout = None
        ran = cli.finished(process)

    assert 4 == ran.code
    assert "epkit: stdout was closed before everything was written" == ran.lines[0]
    assert ran.lines[1].startswith(f"epkit: {fault_server.url('404')}: example: 404 Not Found: nothing is at this path")


def test_a_key_that_comes_back_is_not_told(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    ran = cli("check", "-p", rows, "-H", f"A-Key: {CANARY}", fault_server.url("echo"))

    assert 4 == ran.code
    assert "A-Key: ***" in ran.out


def test_a_unix_socket_has_no_name(check, fault_server):
    if fault_server.unix is None:
        pytest.skip("needs Unix sockets")

    code, steps, _ = check(f"unix:{fault_server.unix}:/fault/ok")

    assert (0, "a Unix socket: there is no name to look up") == (code, steps["name"]["detail"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "xml", "http://127.0.0.1/"], "--format xml: not one of text, json"),
        (["--target", "http://a/", "http://b/"], "the target is given twice: as an argument and with --target"),
        (["-p", "missing.json", "http://127.0.0.1/"], "missing.json: no such file"),
        (["-s", "0", "http://127.0.0.1/"], "-s 0: must be more than 0 and less than 10^9 seconds"),
        (["--cacert", "missing.pem", "https://127.0.0.1/"], "missing.pem: no such certificate file"),
    ],
)
def test_usage_errors_end_it_before_the_first_step(cli, arguments, said):
    ran = cli("check", *arguments)

    assert said == complaint(ran, 2)
    assert "" == ran.out


def test_a_contract_file_that_is_missing_is_a_usage_error(cli):
    said = complaint(cli("check", "--schema", "missing.json", "http://127.0.0.1:9/score"), 2)

    assert said.endswith("missing.json: the contract cannot be read: No such file or directory")


def test_a_tls_server_that_says_nothing_is_named(check):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _, steps, _ = check("-s", 0.3, f"https://127.0.0.1:{silent.getsockname()[1]}/score")

    assert "tls" == cause(steps)[0]
    assert "no handshake within 0.3 s" in steps["tls"]["detail"]
