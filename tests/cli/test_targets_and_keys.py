"""The target of a bench, and the key that is sent to it."""

import base64

import pytest

from epkit.cli import terminal
from support.canary import CANARY
from support.cli_harness import TWO_ROWS, complaint

BEARER = f"Bearer {CANARY}"


@pytest.fixture
def bench(cli, rows, fault_server):
    """Run a bench that must succeed; return the Authorization that the server received."""

    def run(*arguments):
        ran = cli("bench", "--no-validate", "-p", rows, *arguments)

        assert (0, "") == (ran.code, ran.err)
        return fault_server.seen[-1].header("Authorization")

    return run


def toml(cli, fault_server, *lines, name="bank", default=None):
    first = [f'default = "{default}"'] if default else []
    cli.write("epkit.toml", "\n".join([*first, f"[endpoints.{name}]", f'uri = "{fault_server.url("ok")}"', *lines]))


def test_no_key_is_sent_where_none_is_given(bench, fault_server):
    assert None is bench(fault_server.url("ok"))


def test_a_key_from_the_environment(cli, bench, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    assert BEARER == bench(fault_server.url("ok"))


def test_a_key_from_a_file(cli, bench, fault_server):
    name = cli.write("bank.key", f"{CANARY}\n")

    assert BEARER == bench("--key-file", name, fault_server.url("ok"))


def test_a_key_from_a_header_goes_before_the_environments(cli, bench, fault_server):
    cli.environ["EPKIT_KEY"] = f"another-{CANARY}"

    assert f"Token {CANARY}" == bench("-H", f"authorization: Token {CANARY}", fault_server.url("ok"))


def test_a_key_from_the_url(bench, fault_server):
    url = fault_server.url("ok").replace("://", f"://user:{CANARY}@")

    assert "Basic " + base64.b64encode(f"user:{CANARY}".encode()).decode() == bench(url)


def test_a_signature_in_the_url_is_sent_and_not_shown(cli, rows, fault_server):
    ran = cli("bench", "-v", 4, "-p", rows, fault_server.url(f"ok?api-version=1&sig={CANARY}"))

    assert 0 == ran.code
    assert f"/fault/ok?api-version=1&sig={CANARY}" == fault_server.seen[-1].target
    assert "Document Path:          /fault/ok?api-version=1&sig=***\n" in ran.out
    assert "POST /fault/ok?api-version=1&sig=*** HTTP/1.1" in ran.lines


def test_a_key_in_the_variable_that_the_endpoint_names(cli, bench, fault_server):
    cli.environ |= {"BANK_KEY": CANARY, "EPKIT_KEY": "not this one"}
    toml(cli, fault_server, 'key_env = "BANK_KEY"')

    assert BEARER == bench("bank")


def test_a_key_in_the_file_that_the_endpoint_names(cli, bench, fault_server):
    toml(cli, fault_server, 'key_file = "bank.key"')
    cli.write("bank.key", CANARY)

    assert BEARER == bench("bank")


def test_a_key_file_that_others_can_read_is_taken_with_a_note(cli, rows, fault_server):
    (cli.directory / cli.write("bank.key", CANARY)).chmod(0o644)

    ran = cli("bench", "-p", rows, "--key-file", "bank.key", fault_server.url("ok"))

    assert 0 == ran.code
    assert ["epkit: --key-file bank.key: other users of this machine can access this key: chmod 600"] == ran.lines


def test_two_keys_are_refused(cli, rows, fault_server):
    name = cli.write("bank.key", CANARY)

    said = complaint(cli("bench", "--key-file", name, "-H", f"Authorization: {BEARER}", fault_server.url("ok")), 2)

    assert "--key-file and -H 'Authorization: …' both give a key: drop one" == said


def test_an_endpoint_brings_its_headers_deployment_and_timeout(cli, rows, fault_server):
    toml(cli, fault_server, 'deployment = "blue"', "timeout = 7", 'headers = { "x-team" = "risk" }')

    ran = cli("bench", "--format", "json", "-p", rows, "bank")

    seen = fault_server.seen[-1]
    assert ("blue", "risk") == (seen.header("azureml-model-deployment"), seen.header("x-team"))
    assert 7 == ran.report["plan"]["timeout_s"]


@pytest.mark.parametrize("flag", [[], ["--target"]])
def test_a_target_by_its_name(cli, bench, fault_server, flag):
    toml(cli, fault_server)
    bench(*flag, "bank")

    assert 1 == fault_server.requests["ok"]


def test_the_target_of_the_environment(cli, bench, fault_server):
    cli.environ["EPKIT_TARGET"] = fault_server.url("ok")
    bench()

    assert 1 == fault_server.requests["ok"]


def test_the_default_of_the_configuration(cli, bench, fault_server):
    toml(cli, fault_server, default="bank")
    bench()

    assert 1 == fault_server.requests["ok"]


def test_a_misspelt_target_is_answered_with_the_near_one(cli, fault_server):
    toml(cli, fault_server)

    assert complaint(cli("bench", "bnak"), 2).endswith('; did you mean "bank"?')


def test_ten_malformed_authorizations_end_with_the_word_key(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY

    ran = cli("bench", "-n", 10, "-p", rows, "-H", f"Authorization: {CANARY}", fault_server.url("malformed-auth"))

    assert "none of 10 requests succeeded: 400: the key was not understood: " in complaint(ran, 4)


def test_the_contracts_example_is_sent_where_no_payload_is_given(cli, fault_server, bank):
    cli.environ["EPKIT_KEY"] = bank.key.reveal()

    ran = cli("bench", "-n", 3, "--format", "json", bank.uri)

    assert (0, "") == (ran.code, ran.err)
    assert [f"the example in {bank.swagger}"] == [payload["name"] for payload in ran.report["run"]["payloads"]]


def test_the_contract_is_asked_for_the_way_the_load_goes(cli, fault_server):
    ran = cli("bench", "--cacert", fault_server.cacert, fault_server.url("ok", tls="valid"))

    assert 0 == ran.code
    assert ["/fault/swagger.json", "/fault/ok"] == [seen.target for seen in fault_server.seen]
    assert ["epkit: no payload (-p FILE) and no example in the contract: sending without a body"] == ran.lines


def test_the_key_goes_to_the_contract_of_the_same_origin_and_to_no_other(cli, rows, fault_server):
    cli.environ["EPKIT_KEY"] = CANARY
    schema = fault_server.url("swagger.json").replace("127.0.0.1", "localhost")

    cli("bench", "-p", rows, fault_server.url("ok"))
    cli("bench", "-p", rows, "--schema", schema, fault_server.url("ok"))

    contracts = [seen for seen in fault_server.seen if seen.target == "/fault/swagger.json"]
    assert [BEARER, None] == [seen.header("Authorization") for seen in contracts]


def test_no_validate_sends_nothing_but_the_load(cli, rows, fault_server):
    cli("bench", "--no-validate", "-p", rows, fault_server.url("ok"))

    assert ["/fault/ok"] == [seen.target for seen in fault_server.seen]
    assert TWO_ROWS.encode() == fault_server.seen[0].body


@pytest.fixture
def below(cli):
    """The command line in a directory below that of `epkit.toml`; neither is in a repository."""
    (cli.directory / "below").mkdir()
    return type(cli)(directory=cli.directory / "below", environ=cli.environ)


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "-q", "-p", "rows.json"),
        ("score", "-q", "rows.json", "-o", "out.jsonl"),
        ("validate", "rows.json"),
        ("sample",),
        ("check", "--format", "json"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("named", ["bank", None])
def test_a_target_from_a_file_above_is_said_before_a_key_is_sent(cli, below, fault_server, monkeypatch, command, named):
    cli.environ["EPKIT_KEY"] = CANARY
    toml(cli, fault_server, default="bank")
    below.write("rows.json", TWO_ROWS)
    asked: list[int] = []
    note = terminal.note

    def noted(message: str) -> None:
        if "comes from" in message:
            asked.append(len(fault_server.seen))
        note(message)

    monkeypatch.setattr(terminal, "note", noted)
    before = len(fault_server.seen)
    ran = below(*command, *(["--target", named] if named else []))

    url, file = fault_server.url("ok"), cli.directory / "epkit.toml"
    said = f"epkit: the target bank ({url}) comes from {file}, which was found above this directory"
    assert 1 == ran.lines.count(said), ran.err
    assert [before] == asked
    assert f"Bearer {CANARY}" in [seen.header("Authorization") for seen in fault_server.seen[before:]]


def test_a_file_above_that_names_no_target_is_not_mentioned(cli, below, fault_server):
    toml(cli, fault_server, default="bank")
    below.write("rows.json", TWO_ROWS)

    ran = below("bench", "--no-validate", "-p", "rows.json", fault_server.url("ok"))

    assert (0, "") == (ran.code, ran.err)


@pytest.mark.parametrize("line", ['key_env = "OTHER_KEY"', 'key_file = "bank.key"'])
def test_keys_that_a_file_outside_the_project_names_are_refused(cli, below, fault_server, line):
    cli.environ["OTHER_KEY"] = CANARY
    cli.write("bank.key", CANARY)
    toml(cli, fault_server, line, default="bank")
    below.write("rows.json", TWO_ROWS)
    file, key = cli.directory / "epkit.toml", line.partition(" ")[0]

    refused = complaint(below("bench", "-p", "rows.json", "--no-validate"), 2)
    cli.environ["EPKIT_CONFIG"] = str(file)
    named = below("bench", "-p", "rows.json", "--no-validate")

    assert refused == (
        f"{file}: endpoints.bank.{key}: refused, because the file is outside this project, in {cli.directory}: "
        f"if you trust it, name it (EPKIT_CONFIG={file}) or run epkit there"
    )
    assert (0, "") == (named.code, named.err)
    assert [BEARER] == [seen.header("Authorization") for seen in fault_server.seen]
