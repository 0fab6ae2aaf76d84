"""`epkit docs` from its first line to Ctrl-C; tests/browser tests its page in a browser."""

import contextlib
import shutil
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from support.canary import CANARY
from support.cli_harness import complaint
from support.parrot_server import Parrot
from support.places import ROOT

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("flask_swagger_ui")

SWAGGER = ROOT / "swagger" / "bank.swagger2.json"


@pytest.fixture
def docs(cli):
    """`with docs(…) as (process, url)` runs a docs server for the length of the block."""

    @contextlib.contextmanager
    def running(*arguments, stdin=None):
        with cli.start("docs", "--port", 0, *arguments) as process:
            if stdin is not None:
                process.stdin.write(stdin)
                process.stdin.close()
                process.stdin = None
            line = process.stdout.readline().decode().strip()
            assert line.startswith("http://"), process.stderr.read().decode()
            yield process, line
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                cli.finished(process)

    return running


def ask(url, path, **more):
    method = more.pop("method", "GET")
    with httpx.Client(trust_env=False, timeout=20) as client:
        return client.request(method, url.rstrip("/") + path, **more)


def score(url, **headers):
    return ask(
        url,
        "/_target/score",
        method="POST",
        content=b'{"data": []}',
        headers={"content-type": "application/json"} | headers,
    )


def test_a_prediction_comes_by_way_of_the_page(docs):
    with docs() as (_, url):
        contract = ask(url, "/contract.json").json()
        example = contract["definitions"]["ServiceInput"]["example"]
        reply = ask(url, "/_target/score", method="POST", json=example)

    assert (200, '"{\\"result\\": [\\"yes\\", \\"no\\"]}"') == (reply.status_code, reply.text)
    assert "/_target" == contract["basePath"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once(cli, docs, fault_server, number, code):
    """A hanging request does not delay it."""
    with docs("--schema", SWAGGER, fault_server.url("never")) as (process, url), socket.socket() as hanging:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        hanging.connect((host, int(port)))
        hanging.sendall(
            f"POST /_target/score HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\n\r\n{}".encode()
        )
        deadline = time.monotonic() + 60
        while not fault_server.requests["never"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(number)
        ran = cli.finished(process)
        took = time.monotonic() - began

    assert code == ran.code
    assert "epkit: ended" == ran.lines[-1]
    assert "Traceback" not in ran.err
    assert took < 3


def test_the_address_goes_to_stdout_and_what_to_do_to_stderr(cli, docs):
    with docs(SWAGGER) as (process, url):
        assert 200 == ask(url, "/").status_code
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert "" == ran.out
    assert [
        f"epkit: {SWAGGER}: no target is named, so nothing can be tried out: start epkit docs with --target URL for that",
        "epkit: the page is ready: open it in a browser; Ctrl-C ends it",
        "epkit: ended",
    ] == ran.lines


def test_a_reader_that_is_gone_does_not_end_it_with_a_traceback(cli):
    with cli.start("docs", "--port", 0, SWAGGER) as process:
        process.stdout.close()
        process.stdout = None
        ran = cli.finished(process)

    assert 0 == ran.code
    assert "epkit: stdout was closed before everything was written" == ran.lines[-1]


def test_a_contract_from_a_pipe(docs):
    with docs("-", stdin=SWAGGER.read_bytes()) as (_, url):
        page, contract = ask(url, "/"), ask(url, "/contract.json").json()

    assert "<title>stdin · epkit docs</title>" in page.text
    assert "/score" in contract["paths"]


def test_a_contract_from_a_pipe_and_a_target_for_it(docs, fault_server):
    with docs("-", "--target", fault_server.url("ok"), stdin=SWAGGER.read_bytes()) as (_, url):
        assert 200 == score(url).status_code


def test_a_contract_in_yaml(cli, docs):
    cli.write("a.yaml", "swagger: '2.0'\npaths:\n  /score:\n    post:\n      responses: {200: {description: x}}\n")

    with docs("a.yaml") as (_, url):
        assert {"200": {"description": "x"}} == ask(url, "/contract.json").json()["paths"]["/score"]["post"][
            "responses"
        ]


def test_a_broken_contract_is_shown_and_said(cli, docs):
    cli.write("broken.json", '{"swagger": "2.0", "paths": {}}')

    with docs("broken.json") as (process, url):
        assert {} == ask(url, "/contract.json").json()["paths"]
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert "epkit: broken.json: /paths: not an object with a path; the page still shows the contract" in ran.lines


def test_the_key_is_added_here_and_never_shown(cli, docs, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    with docs("--schema", SWAGGER, "-H", "X-Team: risk", "--deployment", "blue", fault_server.url("echo")) as (_, url):
        reply = score(url, authorization="Bearer mine", cookie="a=b", accept="application/json")

    seen = fault_server.seen[-1]
    assert f"Bearer {CANARY}" == seen.header("Authorization")
    assert ("risk", "blue", None, "application/json", "application/json") == tuple(
        seen.header(name) for name in ("X-Team", "azureml-model-deployment", "Cookie", "Accept", "Content-Type")
    )
    assert 400 == reply.status_code
    assert CANARY not in reply.text + str(reply.headers)
    assert "set-cookie" not in reply.headers


def test_a_contract_that_quotes_the_key_is_shown_without_it(cli, docs):
    with (
        Parrot(CANARY) as parrot,
        docs("--key-file", cli.write("the.key", CANARY), parrot.url("ok")) as (_, url),
    ):
        pages = [ask(url, path) for path in ("/", "/contract.json")]
        pages.append(score(url))

    assert [200, 200, 200] == [page.status_code for page in pages]
    assert "***" == pages[1].json()["info"]["title"]
    assert not [page for page in pages if CANARY in page.text + str(page.headers)]


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("close-before", 502, "the connection broke before the reply was complete"),
        ("gzip-bomb", 502, "the unpacked reply is over 16 MiB"),
        ("endless-body", 502, "the reply is larger than epkit accepts: check the URL"),
        ("never", 504, "no complete reply in time"),
    ],
)
def test_a_target_that_misbehaves_is_said_in_the_reply(docs, fault_server, name, status, said):
    with docs("--schema", SWAGGER, "-s", 0.3 if name == "never" else 20, fault_server.url(name)) as (_, url):
        reply = score(url)

    assert status == reply.status_code
    assert said in reply.json()["error"]


def test_a_refusal_brings_its_advice(docs, fault_server):
    with docs("--schema", SWAGGER, fault_server.url("redirect")) as (_, url):
        reply = score(url)

    assert 302 == reply.status_code
    assert "location" not in reply.headers
    assert reply.headers["x-epkit-advice"].startswith("302: a redirect, which is not followed")


def test_a_forged_host_gets_nothing(docs, fault_server):
    with docs("--schema", SWAGGER, fault_server.url("ok")) as (_, url):
        port = url.rstrip("/").rpartition(":")[2]
        replies = [score(url, host=f"evil.example:{port}"), score(url, host="127.0.0.1"), score(url, origin="null")]

    assert [421, 421, 403] == [reply.status_code for reply in replies]
    assert [] == fault_server.seen


def test_a_header_without_end_is_refused(docs):
    with (
        docs(SWAGGER) as (_, url),
        socket.create_connection(("127.0.0.1", int(url.rstrip("/").rpartition(":")[2])), 10) as sock,
    ):
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20))
        try:
            answer = sock.recv(65536)  # a server that reads further would cause a timeout here
        except ConnectionError:
            answer = b""

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


def test_tls_is_verified_and_can_be_told_whom_to_trust(docs, fault_server):
    with docs("--schema", SWAGGER, fault_server.url("ok", tls="self-signed")) as (_, url):
        refused = score(url)
    with docs("--schema", SWAGGER, "--cacert", fault_server.cacert, fault_server.url("ok", tls="valid")) as (_, url):
        taken = score(url)

    assert (502, 200) == (refused.status_code, taken.status_code)
    assert "the server's certificate is signed by an unknown authority" in refused.json()["error"]


def test_listening_beyond_loopback_is_warned_of(cli, docs, fault_server):
    with docs("--host", "0.0.0.0", "--schema", SWAGGER, fault_server.url("ok")) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert 200 == score(url).status_code
        assert 421 == score(url, host=f"evil.example:{url.rstrip('/').rpartition(':')[2]}").status_code
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert (
        "epkit: --host 0.0.0.0: anyone who can reach this machine can open the page and score with your key"
        in ran.lines
    )


def test_ipv6_has_its_brackets(docs, fault_server):
    if fault_server.port6 is None:
        pytest.skip("needs IPv6")

    with docs("--host", "::1", SWAGGER) as (_, url):
        assert url.startswith("http://[::1]:")
        assert 200 == ask(url, "/").status_code


def test_a_browser_is_opened(cli, docs):
    cli.write("browser", '#!/bin/sh\necho "$1" > opened\n')
    (cli.directory / "browser").chmod(0o700)
    cli.environ["BROWSER"] = f"{cli.directory}/browser %s"

    with docs("--open", SWAGGER) as (_, url):
        deadline = time.monotonic() + 60
        while not (cli.directory / "opened").exists() or not cli.read("opened"):
            assert time.monotonic() < deadline
            time.sleep(0.01)

        assert url == cli.read("opened").strip()


def test_no_browser_to_open_is_said(cli, docs):
    cli.environ |= {
        "PATH": str(Path(shutil.which("sh")).parent / "nowhere"),
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
        "BROWSER": "",
    }

    with docs("--open", SWAGGER) as (process, url):
        assert 200 == ask(url, "/").status_code
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert f"epkit: no browser was found to open: open {url} yourself" in ran.lines


def test_a_taken_port_says_by_whom_and_which_is_free(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = complaint(cli("docs", "--port", taken.getsockname()[1], SWAGGER), 2)

    assert ": taken by " in said
    assert ", which is free" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.json"], 2, "missing.json: the contract cannot be read: No such file or directory"),
        (["missing"], 2, '"missing" is neither an endpoint in epkit.toml nor a URL'),
        (["--port", "70000", SWAGGER], 2, "--port 70000: a port is a number from 0 to 65535"),
        (["a.json"], 2, "a.json is neither a Swagger 2.0 nor an OpenAPI 3 document"),
        ([SWAGGER, "--schema", "x.json"], 2, ": this names a contract, and so does --schema: keep one"),
        (["http://a/", "--target", "http://b/"], 2, "the target is given twice: as an argument and with --target"),
        (["http://127.0.0.1:9/score"], 4, "http://127.0.0.1:9/swagger.json: nothing listens there"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(cli, arguments, code, said):
    cli.write("a.json", '{"data": []}')

    assert said in complaint(cli("docs", *(["--port", 0] if "--port" not in arguments else []), *arguments), code)


def test_an_endpoint_without_a_contract_says_how_to_name_one(cli, fault_server):
    url = fault_server.url("ok").replace("/fault/ok", "/elsewhere/score")

    said = complaint(cli("docs", "--port", 0, url), 4)

    assert said.endswith("status 404: name the contract with --schema FILE|URL, or see epkit check")
    assert [name in said for name in ("/elsewhere/swagger.json", "/elsewhere/docs.json", "/openapi.json")] == [True] * 3


def test_the_extra_that_is_missing_is_named(cli, monkeypatch):
    monkeypatch.setattr("epkit.flows.docs.NEEDED", ("no_such_package",))

    assert 'epkit docs needs the extra docs: pip install "epkit[docs]"' == complaint(cli("docs", SWAGGER), 2)


def test_a_name_in_the_configuration_goes_before_a_file(cli, docs, fault_server):
    cli.write("epkit.toml", f'[endpoints."a.json"]\nuri = "{fault_server.url("ok")}"\n')
    cli.write("a.json", "{}")

    with docs("a.json", "--schema", SWAGGER) as (_, url):
        assert f"<title>a.json ({fault_server.url('ok')}) · epkit docs</title>" in ask(url, "/").text


def test_a_bug_in_it_ends_it_with_a_traceback(cli, monkeypatch):
    monkeypatch.setattr("epkit.web.server.serve", lambda *_: 1 / 0)

    ran = cli("docs", "--port", 0, SWAGGER)

    assert 1 == ran.code
    assert "epkit: this is a bug in epkit; please report it with the lines above" == ran.lines[-1]
