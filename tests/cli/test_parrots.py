"""A server that sends the key in every possible place does not bring it into any output of any command."""

import json

import pytest

from support.canary import CANARY
from support.cli_harness import Cli, assert_no_canary
from support.parrot_server import WAYS, Parrot


@pytest.fixture(scope="module")
def parrot():
    with Parrot(CANARY) as server:
        yield server


@pytest.fixture(scope="module")
def broken():
    with Parrot(CANARY, broken=True) as server:
        yield server


@pytest.fixture
def key(cli: Cli) -> list[str]:
    cli.write("two.csv", "age\n17\n87\n")
    return ["--key-file", cli.write("the.key", CANARY)]


FILES = (
    *("--save", "x.epkit", "--html", "x.html", "--junit", "x.xml", "--samples", "x.csv", "--keep-failures", "kept"),
)


@pytest.mark.parametrize("engine", ["wire", "httpx"])
@pytest.mark.parametrize("way", WAYS)
def test_a_bench(cli, rows, key, parrot, way, engine):
    ran = cli(
        "bench", "-n", 3, "-v", 4, "-p", rows, "--format", "json", "--engine", engine, *FILES, *key, parrot.url(way)
    )

    assert "***" in ran.out
    assert "***" in cli("report", "x.epkit", "--html", "y.html", "--samples", "y.parquet").out
    assert_no_canary((cli.directory / "y.parquet").read_bytes(), "y.parquet")
    assert "blue-***" in cli.read("x.csv")


@pytest.mark.parametrize(
    ("format_", "verbosity"), [("text", 0), ("text", 1), ("text", 2), ("text", 3), ("ab", 4), ("markdown", 0)]
)
def test_a_bench_as_text(cli, rows, key, parrot, format_, verbosity):
    for way, code in (("ok", 0), ("error", 4)):
        ran = cli("bench", "-n", 2, "-v", verbosity, "-p", rows, "--format", format_, *key, parrot.url(way))

        assert code == ran.code
        assert "***" in ran.out + ran.err or (way, format_) == ("ok", "markdown")  # this shows no part of a reply


@pytest.mark.parametrize(
    "flags", [["-c", 2, "--workers", 2], ["--sweep", "c=1,2"], ["-c", 2, "--repeat", 2], ["--dry-run"]], ids=str
)
def test_a_bench_in_other_ways(cli, rows, key, parrot, flags):
    ran = cli("bench", "-n", 4, "-v", 2, "-p", rows, "--format", "json", *flags, *key, parrot.url("error"))

    assert (0 if "--dry-run" in flags else 4) == ran.code, ran.err
    assert "***" in ran.out + ran.err


def test_expected_predictions(cli, rows, key, parrot):
    expected = cli.write("expected.json", '{"result": ["yes", "no"]}')
    ran = cli("bench", "-v", 2, "-p", rows, "--expect", expected, "--format", "json", *FILES, *key, parrot.url("ok"))

    assert "row 0: 'class ***' instead of 'yes'" == ran.report["failures"][0]["detail"]


@pytest.mark.parametrize("way", WAYS)
def test_a_job(cli, key, parrot, way):
    cli("score", "two.csv", "--target", parrot.url(way), "--retries", 0, "-o", "out.jsonl", *key)

    assert way != "error" or 2 == cli.read("out.jsonl.failed.jsonl").count('; no such key: ***"')
    assert way != "kinds" or "***" in cli.read("out.jsonl.failed.jsonl")


@pytest.mark.parametrize("out", [None, "out.jsonl", "out.csv", "out.parquet"])
def test_predictions(cli, key, parrot, out):
    to = [] if out is None else ["-o", out]
    ran = cli("score", "two.csv", "--target", parrot.url("ok"), "--retries", 0, *to, *key)

    assert 0 == ran.code
    written = ran.out.encode() if out is None else (cli.directory / out).read_bytes()
    assert b"class ***" in written


def test_a_job_of_workers(cli, key, parrot):
    for way in ("ok", "kinds"):
        cli("score", "two.csv", "--target", parrot.url(way), "--retries", 0, "--workers", 2, "-o", f"{way}.jsonl", *key)

    assert '"prediction":"class ***"' in cli.read("ok.jsonl")
    assert "***" in cli.read("kinds.jsonl.failed.jsonl")


def test_a_job_that_is_only_planned(cli, key, parrot):
    ran = cli("score", "two.csv", "--target", parrot.url("ok"), "--dry-run", *key)

    assert 0 == ran.code
    assert "Authorization: Bearer ***" in ran.out


@pytest.mark.parametrize(("way", "format_"), [*((way, "json") for way in WAYS), ("error", "text")])
def test_a_check(cli, key, parrot, way, format_):
    assert "***" in cli("check", parrot.url(way), "--format", format_, *key).out


@pytest.mark.parametrize("format_", ["text", "json", "junit", "sarif"])
def test_a_validation(cli, key, parrot, format_):
    wrong = cli.write("wrong.json", json.dumps({"data": [{"age": f"class {CANARY}"}]}))
    ran = cli("validate", wrong, "--target", parrot.url("ok"), "--format", format_, *key)

    assert 3 == ran.code
    assert "***" in ran.out + ran.err


@pytest.mark.parametrize("command", ["bench", "score", "validate", "sample", "check", "docs"])
def test_a_contract_that_is_broken(cli, key, broken, command):
    wrong = cli.write("wrong.json", json.dumps({"data": [{"age": "x"}]}))
    schema = ["--schema", f"{broken.origin}/swagger.json"]
    arguments = {
        "bench": ["bench", "-p", wrong, broken.url("ok")],
        "score": ["score", "two.csv", "--target", broken.url("ok")],
        "validate": ["validate", wrong, "--target", broken.url("ok")],
        "sample": ["sample", "--target", broken.url("ok")],
        "check": ["check", broken.url("ok")],
        "docs": ["docs", broken.url("ok"), "--port", "99999"],
    }
    ran = cli(*arguments[command], *schema, *key)

    assert 2 == ran.code or command == "check"


def test_a_sample(cli, key, parrot):
    assert 0 == cli("sample", "--target", parrot.url("ok"), *key).code
    assert 0 == cli("sample", "--target", parrot.url("ok"), "-o", "sample.json", *key).code


@pytest.mark.parametrize("command", ["validate", "sample"])
def test_a_contract_that_redirects_elsewhere(cli, rows, key, parrot, command):
    files = [rows] if command == "validate" else []
    ran = cli(command, *files, "--schema", f"http://127.0.0.1:9/{CANARY}/swagger.json", *key)

    assert ran.code in (2, 4)


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_file_that_holds_the_key_of_the_environment(cli, command):
    cli.environ["EPKIT_KEY"] = CANARY
    ran = cli(command, cli.write(f"{CANARY}.epkit", b"no run"))

    assert 2 == ran.code
    assert "***" in ran.err
