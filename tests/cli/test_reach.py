"""Every command with a target connects alike: the same trust, proxies, keys, redirects, limits and messages."""

import base64
import time

import pytest

from epkit.flows.target import client
from support import certificates, scoring_server
from support.canary import CANARY
from support.cli_harness import complaint
from support.proxy_server import Proxy
from support.reach import COMMANDS, Desk, Target, Way, drip, endless, reply, trusting
from support.scoring_server import ScoringServer

UNKNOWN = "the server's certificate is signed by an unknown authority: name it with --cacert, or use --insecure"
PASSWORD = "the proxy requires a user and a password, or refuses those given: give -P USER:PASSWORD"
USER = f"proxy:{CANARY}"


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """An authority that no client trusts by default."""
    return certificates.make(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def desk(cli, caplog, monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "EPKIT_KEY", "EPKIT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    return Desk(cli=cli, caplog=caplog)


@pytest.fixture(params=COMMANDS)
def command(request, desk):
    """`command(url, way)` runs one of the commands."""
    return lambda url, way: COMMANDS[request.param](desk, url, way)


def key_of(seen):
    return [headers.get("authorization") for _, _, headers in seen]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_server_of_one_worker_is_never_kept_by_a_connection_that_is_not_used(command, private, tls):
    with Target(private if tls else None, one_at_a_time=True) as target:
        said = command(target.url, Way(cacert=private.cacert, seconds=3))

    assert said.well, said.text
    assert "no contract" not in said.text


def test_the_genuine_server_with_its_one_worker_serves_every_command(desk):
    scoring_server.require()
    server = ScoringServer("v1", one_at_a_time=True)
    try:
        url = f"http://127.0.0.1:{server.wait().port}/score"
        desk.cli.write("row.json", desk.typed("sample", "--target", url).text)
        names = ("check", "sample", "validate", "bench", "score", "deploy create", "Contract.load", "epkit.run_bench")
        said = {name: COMMANDS[name](desk, url, Way(seconds=5)) for name in names}
    finally:
        server.close()

    assert {} == {name: one.text for name, one in said.items() if not one.well}


def test_a_private_authority_is_named_by_a_flag(command, private):
    with Target(private) as target:
        said = command(target.url, Way(cacert=private.cacert))

    assert said.well, said.text
    assert "no contract" not in said.text
    assert {f"Bearer {CANARY}"} == set(key_of(target.seen))


def test_a_private_authority_is_named_by_the_environment(command, desk, private, monkeypatch):
    with Target(private) as target, trusting(monkeypatch, desk.cli, private.cacert):
        said = command(target.url, Way())

    assert said.well, said.text
    assert "no contract" not in said.text


def test_any_authority_will_do_if_one_says_so(command, private):
    with Target(private) as target:
        said = command(target.url, Way(insecure=True))

    assert said.well, said.text
    assert "no contract" not in said.text


def test_an_authority_that_nobody_knows_is_refused_with_one_advice(command, private):
    with Target(private) as target:
        said = command(target.url, Way())

    assert not said.well
    assert UNKNOWN in said.text
    assert [] == target.seen


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_all_goes_through_the_proxy_that_knows_the_password(command, private, tls):
    with Target(private if tls else None) as target, Proxy(user=USER) as proxy:
        way = Way(proxy=f"127.0.0.1:{proxy.port}", user=USER, cacert=private.cacert)
        said = command(target.url, way)

    basic = f"Basic {base64.b64encode(USER.encode()).decode()}"
    assert said.well, said.text
    assert "no contract" not in said.text
    assert {basic} == {headers.get("proxy-authorization") for _, headers in proxy.seen}
    # A tunnel carries several requests that the proxy cannot see, or none: a check only reads the certificate.
    assert tls or len(proxy.seen) == len(target.seen)
    assert 0 < len(proxy.seen) <= len(target.seen) + 1
    assert {f"Bearer {CANARY}"} == set(key_of(target.seen))
    assert [] == [headers for _, _, headers in target.seen if "proxy-authorization" in headers]


@pytest.mark.parametrize("user", [None, f"other:{CANARY}"], ids=["missing", "wrong"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_password_that_the_proxy_does_not_know_is_told_in_one_way(command, private, tls, user):
    with Target(private if tls else None) as target, Proxy(user=USER) as proxy:
        said = command(target.url, Way(proxy=f"127.0.0.1:{proxy.port}", user=user, cacert=private.cacert))

    assert not said.well
    assert PASSWORD in said.text
    assert CANARY not in said.text
    assert [] == target.seen


def test_a_proxy_that_is_not_there_is_told_in_one_way(command):
    with Target() as target:
        said = command(target.url, Way(proxy="127.0.0.1:9"))

    assert not said.well
    assert "the proxy cannot be reached: check -X" in said.text
    assert [] == target.seen


def test_a_contract_that_drips_ends_by_the_total_time(command, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE_S", 0.5)
    began = time.monotonic()
    with Target(contract=drip) as target:
        said = command(target.url, Way(seconds=0.5))

    assert "no complete reply in time" in said.text
    assert "no whole reply within 0.5 s" in said.text
    assert time.monotonic() - began < 25  # at a byte per second it would take a minute


def test_a_contract_without_end_ends_by_its_size(command):
    with Target(contract=endless) as target:
        said = command(target.url, Way(seconds=20))

    assert "the reply is larger than epkit accepts: check the URL" in said.text
    assert "reply body over 16 MiB" in said.text


def test_a_contract_is_followed_inside_its_origin(command):
    with Target(contract=lambda request: reply(request, b"", 302, Location="/moved.json")) as target:
        said = command(target.url, Way())

    assert said.well, said.text
    assert "no contract" not in said.text
    assert "/moved.json" in [path for _, path, _ in target.seen]
    assert {f"Bearer {CANARY}"} == set(key_of(target.seen))


def test_a_contract_is_not_followed_to_another_origin(command):
    with Target() as elsewhere:
        to = f"{elsewhere.origin}/moved.json?sig={CANARY}"
        with Target(contract=lambda request: reply(request, b"", 302, Location=to)) as target:
            said = command(target.url, Way())

    assert (
        f"redirects to another origin, {elsewhere.origin}/moved.json?sig=***: name that URL if you mean it" in said.text
    )
    assert [] == elsewhere.seen


@pytest.mark.parametrize("command", COMMANDS.keys() - {"Contract.load"}, indirect=True)
def test_a_key_does_not_go_to_a_contract_that_lies_elsewhere(command):
    with Target() as target, Target() as elsewhere:
        said = command(target.url, Way(schema=f"{elsewhere.origin}/swagger.json"))

    assert said.well, said.text
    assert ["/swagger.json"] == [path for _, path, _ in elsewhere.seen]
    assert [None] == key_of(elsewhere.seen)


@pytest.mark.parametrize("command", ["validate", "sample", "check", "docs", "score", "deploy swagger", "deploy create"])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-P", USER], "-P needs a proxy, which -X names"),
        (["-X", "proxy:many"], '-X: "http://proxy:many" has a port that is not a number from 1 to 65535'),
        (["-X", f"http://{USER}@host:port"], "has a port that is not a number"),
        (["-s", "0"], ": must be more than 0 and less than 10^9 seconds"),
        (["--cacert", "none.pem"], "none.pem: no such certificate file"),
        (["-E", "none.pem"], "none.pem: no such certificate file"),
        (["-f", "TLS9"], "-f TLS9: not one of ALL, TLS1, TLS1.0, TLS1.1, TLS1.2, TLS1.3"),
        (["-Z", "NONE-OF-IT"], "-Z NONE-OF-IT: no cipher of that name"),
    ],
)
def test_a_flag_that_cannot_be_followed_is_refused_before_anything_is_asked(desk, private, command, flags, said):
    with Target(private) as target:
        desk.cli.write("model/score.py", "def init(): raise SystemExit\ndef run(data): raise SystemExit")
        model = ["--model", "model", "--entry", "score.py"] if command == "deploy create" else []
        named = ["bank", *model] if "deploy" in command else ["--target", target.url]
        ran = desk.cli(*command.split(), *named, *flags)

    assert said in complaint(ran, 2)
    assert [] == target.seen


@pytest.mark.parametrize("command", ["validate", "sample", "check", "docs"])
def test_a_question_imports_no_second_client(cli, command):
    with Target() as target:
        if command == "docs":
            target.contract = lambda request: reply(request, b"", 404)  # otherwise it would serve, and not end
        ran = cli.spawn(command, "--target", target.url, prefix=["-X", "importtime"])

    assert (4 if command == "docs" else 0) == ran.code, ran.err
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.lines if "import time:" in line}
    assert set() == imported & {"httpx", "httpcore", "requests"}
