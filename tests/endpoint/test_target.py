"""A target is the argument, EPKIT_TARGET, the default of the nearest file, or the embedded endpoint."""

import dataclasses

import pytest

from epkit.core.http.destination import Destination, Proxy, Tls
from epkit.core.http.url import parse
from epkit.endpoint.target import EMBEDDED, contract_url, resolve, to_destination
from epkit.errors import UsageError

TOML = """\
default = "bank"
[endpoints.bank]
uri = "https://bank.example/score"
key_env = "BANK_KEY"
deployment = "blue"
timeout = 5
headers = { x-team = "risk" }
backend = "local"
[endpoints.other]
uri = "http://other.example/score"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "epkit.toml").write_text(TOML)
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "environ", "uri"),
    [
        ("http://arg/score", {"EPKIT_TARGET": "other"}, "http://arg/score"),
        ("other", {"EPKIT_TARGET": "http://env/"}, "http://other.example/score"),
        (None, {"EPKIT_TARGET": "other"}, "http://other.example/score"),
        (None, {"EPKIT_TARGET": " http://env/score\n"}, "http://env/score"),
        ("unix:/x:/score", {}, "unix:/x:/score"),
    ],
)
def test_what_is_nearer_to_the_user_goes_first(folder, argument, environ, uri):
    target = resolve(argument, environ=environ, cwd=folder)

    assert uri == target.uri.reveal()


@pytest.mark.parametrize("environ", [{}, {"EPKIT_TARGET": ""}])
def test_the_default_of_the_file_is_next(folder, environ):
    target = resolve(None, environ=environ, cwd=folder)

    assert "bank" == target.name == target.shown
    assert f"{folder / 'epkit.toml'}: endpoints.bank" == target.place
    assert (
        target.auth,
        target.key_env,
        target.key_file,
        target.deployment,
        target.timeout_s,
        target.headers,
        target.backend,
    ) == ("key", "BANK_KEY", None, "blue", 5.0, (("x-team", "risk"),), "local")


@pytest.mark.parametrize("content", [None, "", "[endpoints.a]\nuri = 'http://a'"])
def test_else_the_embedded_endpoint_is_the_target(tmp_path, content):
    (tmp_path / "epkit.toml").write_text(content or "")

    target = resolve(None, environ={}, cwd=tmp_path)

    assert target == EMBEDDED
    assert target.embedded
    assert target.shown == "the embedded endpoint"


def test_a_url_needs_no_configuration(tmp_path):
    (tmp_path / "epkit.toml").write_text("broken")

    target = resolve("http://u:p@host/score?code=x", environ={}, cwd=tmp_path)

    assert not target.embedded
    assert target.shown == "http://host/score?code=***"
    assert target.timeout_s == 60.0


NEITHER = "is neither an endpoint in epkit.toml nor a URL: a URL begins with http:// or https://"
SCHEME = "has a scheme that is not spoken here: a URL begins with http:// or https://"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("host/score", f'"host/score" {NEITHER}'),
        ("bnak", f'"bnak" {NEITHER}; did you mean "bank"?'),
        ("", f'"" {NEITHER}'),
        ("ftp://host/", f'"ftp://host/" {SCHEME}'),
        ("u:c4nary@host/score", f'"***@host/score" {NEITHER}'),
    ],
)
def test_what_is_no_target_is_refused_in_one_line(folder, argument, message):
    with pytest.raises(UsageError) as caught:
        resolve(argument, environ={}, cwd=folder)

    assert message == str(caught.value)


def test_a_name_without_any_file_is_refused_in_the_same_words(tmp_path):
    with pytest.raises(UsageError) as caught:
        resolve("bank", environ={}, cwd=tmp_path)

    assert f'"bank" {NEITHER}' == str(caught.value)


def test_a_bad_variable_is_named(folder):
    with pytest.raises(UsageError, match=r'^EPKIT_TARGET: "bnak" is neither'):
        resolve(None, environ={"EPKIT_TARGET": "bnak"}, cwd=folder)


def test_a_broken_file_is_not_blamed_on_the_variable(tmp_path):
    (tmp_path / "epkit.toml").write_text("broken\n")

    with pytest.raises(UsageError, match=r"epkit\.toml:1:7: not TOML"):
        resolve(None, environ={"EPKIT_TARGET": "bank"}, cwd=tmp_path)


def test_a_target_is_frozen_and_shows_no_credentials():
    target = resolve("http://u:c4nary@host/?sig=c4nary", environ={}, cwd=None)

    assert "c4nary" not in f"{target} {target!r} {target.shown} {dataclasses.asdict(target)}"


def test_the_contract_stands_beside_the_uri():
    assert contract_url(parse("https://host/a/score")).reveal() == "https://host/a/swagger.json"


@pytest.mark.parametrize(
    ("uri", "server_name"),
    [
        ("https://host.example./score", "host.example"),
        ("https://127.0.0.1/score", None),
        ("https://[::1]/score", None),
        ("http://host/score", None),
    ],
)
def test_the_name_in_the_handshake_is_the_host_unless_it_is_an_address(uri, server_name):
    assert server_name == to_destination(parse(uri)).tls.server_name


def test_the_name_in_the_handshake_can_be_left_out_or_be_another():
    uri = parse("https://host/score")

    assert to_destination(uri, sni=False).tls.server_name is None
    assert to_destination(uri, tls=Tls(server_name="other")).tls.server_name == "other"


def test_a_destination_keeps_what_it_is_given():
    expected = Destination(
        scheme="https",
        host="host",
        port=8443,
        connect_to=("127.0.0.1", 5001),
        bind="127.0.0.2",
        buffer_bytes=4096,
        tls=Tls(verify=False, server_name="host"),
        proxy=Proxy(scheme="http", host="proxy", port=3128),
        http2=True,
    )

    assert expected == to_destination(
        parse("https://host:8443/score"),
        tls=Tls(verify=False),
        connect_to="127.0.0.1:5001",
        bind="127.0.0.2",
        buffer_bytes=4096,
        proxy=Proxy(scheme="http", host="proxy", port=3128),
        http2=True,
    )


@pytest.mark.parametrize(
    ("uri", "connect_to"), [("unix:/run/x:/score", None), ("http://localhost/score", "unix:/run/x")]
)
def test_a_unix_socket_comes_from_the_target_or_the_flag(uri, connect_to):
    destination = to_destination(parse(uri), connect_to=connect_to)

    assert (destination.unix, destination.authority, destination.connect_to) == ("/run/x", "localhost", None)
