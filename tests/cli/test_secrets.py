"""The canary in other error cases; the harness searches for it in all output of every other test."""

import base64

import pytest

from support.canary import CANARY
from support.cli_harness import Cli, Ran, assert_no_canary, complaint, forms
from support.parrot_server import Parrot
from support.proxy_server import Proxy


@pytest.mark.parametrize("form", forms(CANARY))
def test_the_harness_sees_the_canary(form):
    with pytest.raises(AssertionError, match="the canary is in stdout"):
        assert_no_canary(b"... " + form + b" ...", "stdout")


GIVEN = {
    "a header": ["-H", f"X-Api-Key: {CANARY}"],
    "authorization": ["-H", f"Authorization: Bearer {CANARY}"],
    "a password": ["-A", f"user:{CANARY}"],
    "a proxy's password": ["-P", f"proxy:{CANARY}"],
    "a cookie": ["-C", f"session={CANARY}"],
    "a cookie's header": ["-H", f"Cookie: session={CANARY}"],
}


@pytest.fixture(params=[*GIVEN, "the environment", "a file", "the url", "the signature", "the configuration"])
def with_canary(cli: Cli, rows, fault_server, request):
    """The arguments of a bench with the canary in one of the possible ways, without the fault."""

    def arguments(name):
        url, more = fault_server.url(name), GIVEN.get(request.param, [])
        match request.param:
            case "the environment":
                cli.environ["EPKIT_KEY"] = CANARY
            case "a file":
                more = ["--key-file", cli.write("a.key", CANARY)]
            case "the url":
                url = url.replace("://", f"://user:{CANARY}@")
            case "the signature":
                url = f"{url}?sig={CANARY}"
            case "the configuration":
                cli.environ["BANK_KEY"] = CANARY
                cli.write("epkit.toml", f'[endpoints.bank]\nuri = "{url}"\nkey_env = "BANK_KEY"')
                url = "bank"
        return ["bench", "--no-validate", "-n", 2, "-p", rows, *more, url]

    return arguments


def test_a_bug_does_not_tell_it(cli, with_canary, monkeypatch):
    def broken(load, *_, **__):
        raise RuntimeError(f"while sending {CANARY}, 'Bearer {CANARY}' and user:{CANARY}")

    monkeypatch.setattr("epkit.engines.runner.run", broken)

    ran = cli(*with_canary("ok"))

    assert 1 == ran.code
    assert "RuntimeError: while sending" in ran.err
    assert "***" in ran.err


def test_a_note_does_not_tell_it(cli, with_canary, monkeypatch):
    def broken(*_, **__):
        from epkit.errors import EndpointError

        raise EndpointError(f"the proxy says: no such user {CANARY}")

    monkeypatch.setattr("epkit.engines.runner.run", broken)

    assert "the proxy says: no such user ***" == complaint(cli(*with_canary("ok")), 4)


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_an_echo_does_not_tell_it(cli, with_canary, fault_server, engine):
    """The server replies with everything that it received."""
    ran = cli(*with_canary("echo"), "-v", 4, "--engine", engine, "--keep-failures", "kept", "--format", "json")

    assert 4 == ran.code
    assert "***" in ran.out


def test_the_wrong_key_for_a_url_is_not_told(cli):
    ran = cli("bench", f"https://user:{CANARY}@host:port/score?sig={CANARY}")

    assert complaint(ran, 2).startswith('"https://***@host:port/score')


def test_a_secret_in_the_path_of_the_url_is_masked_where_it_is_known(cli, rows, fault_server):
    ran = cli("bench", "-H", f"X-Api-Key: {CANARY}", "-p", rows, fault_server.url(f"404/{CANARY}"))

    assert 4 == ran.code
    assert "Document Path:          /fault/404/***\n" in ran.out


def test_a_proxys_password_in_its_url_is_not_told(cli, rows, fault_server):
    ran = cli("bench", "-v", 4, "-p", rows, "--no-validate", "-X", f"http://proxy:{CANARY}@127.0.0.1:9", fault_server.url("ok"))  # fmt: skip

    assert ": the only request failed: " in complaint(Ran(code=ran.code, out=ran.out, err=ran.lines[-1]), 4)


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize("tls", [None, "valid"])
@pytest.mark.parametrize("form", ["-P", "in the URL"])
def test_a_proxy_that_quotes_its_password_does_not_tell_it(cli, rows, fault_server, engine, tls, form):
    basic = base64.b64encode(f"proxy:{CANARY}".encode()).decode()
    with Proxy(refusal=f"403 No Basic {basic} nor {CANARY}") as proxy:
        place = f"127.0.0.1:{proxy.port}"
        through = ["-X", place, "-P", f"proxy:{CANARY}"] if form == "-P" else ["-X", f"http://proxy:{CANARY}@{place}"]
        ran = cli(
            *("bench", "-v", 4, "-n", 3, "-p", rows, "--no-validate", "--engine", engine, *through),
            *("--cacert", fault_server.cacert, "--format", "json", "--save", "x.epkit", "--html", "x.html"),
            *("--keep-failures", "kept", "--samples", "x.csv", fault_server.url("ok", tls=tls)),
        )

    assert 4 == ran.code
    assert 3 == cli("report", "x.epkit", "--format", "json").report["counts"]["failed"]
    assert {f"Basic {basic}"} == {headers["proxy-authorization"] for _, headers in proxy.seen}


def test_a_proxy_that_makes_no_sense_is_not_told(cli, fault_server):
    ran = cli("bench", "-X", f"http://proxy:{CANARY}@host:port", fault_server.url("ok"))

    assert complaint(ran, 2).startswith('-X: "http://***@host:port')


def test_saved_runs_and_all_files_of_a_run_do_not_tell_it(cli, with_canary):
    files = [
        "--save",
        "x.epkit",
        "--html",
        "x.html",
        "--junit",
        "x.xml",
        "--samples",
        "x.csv",
        "--keep-failures",
        "kept",
    ]
    cli(*with_canary("echo"), *files)
    again = cli("report", "x.epkit", "--html", "y.html", "--format", "json")

    assert 2 == again.report["counts"]["failed"]
    assert {"x.epkit", "x.html", "x.xml", "x.csv", "y.html"} <= {path.name for path in cli.directory.iterdir()}


SIGNED = f"sv=2024&sig={CANARY}%3D"


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", f"abfs://box@account/rows.csv?{SIGNED}", "--target", "http://127.0.0.1:9/score"],
        ["score", f"file:///nowhere/rows.csv?{SIGNED}", "--target", "http://127.0.0.1:9/score"],
        ["score", "two.csv", "--target", f"http://127.0.0.1:9/score?{SIGNED}", "--retries", 0],
        ["score", "two.csv", "--target", "http://127.0.0.1:9/score", "--schema", f"http://127.0.0.1:9/s?{SIGNED}"],
        ["bench", "-n", 1, "--schema", f"http://127.0.0.1:9/s?{SIGNED}", "http://127.0.0.1:9/score"],
        ["bench", "-n", f"http://h/?{SIGNED}", "http://127.0.0.1:9/score"],
        ["bench", "-p", f"http://h/?{SIGNED}", "--expect", f"http://h/?{SIGNED}", "http://127.0.0.1:9/score"],
        ["bench", f"--proxy=http://u:{CANARY}@h:x", "http://127.0.0.1:9/score"],
        ["bench", "-X", f"u:{CANARY}@127.0.0.1:9", "-n", 1, "http://127.0.0.1:8/score"],
        ["validate", "--schema", f"http://127.0.0.1:9/s?{SIGNED}", "two.csv"],
        ["sample", "--schema", f"http://user:{CANARY}@127.0.0.1:9/s"],
        ["check", f"http://127.0.0.1:9/score?{SIGNED}"],
        ["docs", "--schema", f"http://127.0.0.1:9/s?{SIGNED}", "http://127.0.0.1:9/score"],
        ["report", f"http://h/?{SIGNED}"],
        ["compare", f"http://h/?{SIGNED}"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2]))[:30],
)
def test_the_signature_of_no_url_is_told(cli, arguments):
    cli.write("two.csv", "age\n17\n")

    assert cli(*arguments).code in (2, 4)


def test_the_error_of_a_store_that_quotes_the_url_does_not_tell_it(cli, monkeypatch):
    def refused(url, **_):
        raise RuntimeError(f"403 for GET {url.replace('%3D', '=')}: the signature {CANARY}= has expired")

    monkeypatch.setattr("fsspec.core.url_to_fs", refused)
    ran = cli("score", f"https://account.blob/rows.csv?{SIGNED}", "--target", "http://127.0.0.1:9/score")

    assert "the signature *** has expired" in complaint(ran, 2)


def test_a_journal_holds_no_signature(cli, fault_server):
    cli.write("two.csv", "age\n17\n87\n")
    schema = f"{fault_server.url('swagger.json')}?{SIGNED}"
    cli("score", "two.csv", "--target", fault_server.url("ok"), "--schema", schema, "-o", "out.jsonl", "--retries", 0)

    assert "sig=***" in cli.read("out.jsonl.journal")


def test_the_proxies_of_the_environment_are_masked(cli, rows, fault_server):
    cli.environ["HTTPS_PROXY"] = f"http://user:{CANARY}@proxy:3128"
    ran = cli("bench", "-v", 4, "-p", rows, "--no-validate", "-H", f"X-Note: {CANARY}", fault_server.url("echo"))

    assert 4 == ran.code


@pytest.mark.parametrize("cut", [60, 70, 80, 90])
def test_a_check_tells_no_piece_of_a_key_that_lies_across_a_cut(cli, cut):
    with Parrot("x" * cut + CANARY) as parrot:
        ran = cli("check", parrot.url("error"), "--key-file", cli.write("the.key", CANARY))

    assert 4 == ran.code
