"""A request is built once, and contains the requested values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.destination import Destination, Proxy
from epkit.core.http.request import Template, build, build_for, with_authorization
from support.canary import CANARY

LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"))
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1).map(lambda name: "x-" + name)


def test_a_request_is_written_to_the_letter() -> None:
    request = build("POST", "/score?a=b", "example:8000", [("Content-Type", "application/json")], b'{"data": []}')

    assert request.wire == (
        b"POST /score?a=b HTTP/1.1\r\n"
        b"Host: example:8000\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 12\r\n"
        b"\r\n"
        b'{"data": []}'
    )


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("GET", b"", ()),
        ("HEAD", b"", ()),
        ("DELETE", b"", ()),
        ("GET", b"x", (("Content-Length", "1"),)),
        ("POST", b"", (("Content-Length", "0"),)),
        ("PUT", b"", (("Content-Length", "0"),)),
        ("PATCH", b"xy", (("Content-Length", "2"),)),
    ],
)
def test_the_length_is_told_where_there_is_a_body_or_one_is_expected(
    method: str, body: bytes, headers: tuple[tuple[str, str], ...]
) -> None:
    assert (("Host", "h"), *headers) == build(method, "/", "h", [], body).headers


def test_what_the_user_says_of_host_and_length_is_not_said_twice() -> None:
    given_headers = (("HOST", "other"), ("content-length", "5"))

    assert given_headers == build("POST", "/", "h", given_headers, b"xy").headers


@given(st.lists(st.tuples(NAMES, LATIN), max_size=5), st.binary())
def test_every_header_is_sent_in_its_order_and_the_body_follows(headers: list[tuple[str, str]], body: bytes) -> None:
    request = build("POST", "/", "h", iter(headers), body)
    head, _, rest = request.wire.partition(b"\r\n\r\n")
    expected = [f"{name}: {value}" for name, value in headers]

    assert expected == head.decode("latin-1").split("\r\n")[2:-1]
    assert body == rest == request.body


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nX: y", "a\0b"])
def test_a_header_cannot_smuggle_another(bad: str) -> None:
    for header in ((f"X-{bad}", "v"), ("X-A", bad)):
        with pytest.raises(ValueError, match="line break"):
            build("GET", "/", "h", [header], b"")


def test_a_header_that_cannot_be_written_is_named_and_its_value_is_not_told() -> None:
    with pytest.raises(ValueError, match="'Authorization' holds a character that Latin-1 cannot write") as caught:
        build("GET", "/", "h", [("Authorization", f"Bearer {CANARY}…")], b"")

    error = caught.value
    assert CANARY not in repr(error)
    assert not isinstance(error, UnicodeError), "it would carry the text that it could not write"
    assert error.__suppress_context__


def test_a_request_does_not_show_what_is_in_it() -> None:
    request = build("POST", "/score", "h", [("Authorization", f"Bearer {CANARY}")], CANARY.encode())

    assert CANARY not in repr(request)
    assert "/score" in repr(request)


HEADERS = [("User-Agent", "x"), ("authorization", "Bearer old"), ("Content-Type", "application/json")]


PROXY = Proxy(scheme="http", host="proxy", port=3128, authorization=f"Basic {CANARY}")
DIRECT = Destination(scheme="http", host="host", port=8)


def test_a_request_that_a_proxy_passes_on_names_the_whole_url_and_brings_its_credentials():
    request = build_for(replace(DIRECT, proxy=PROXY), "POST", "/score?a=b", HEADERS, b"{}")

    begun = b"POST http://host:8/score?a=b HTTP/1.1\r\nHost: host:8\r\nProxy-Authorization: Basic "
    assert request.wire.startswith(begun)
    assert [*HEADERS, ("Content-Length", "2")] == list(request.headers[2:])
    assert CANARY not in repr(request)
    again = with_authorization(request, "Bearer new")
    assert request.wire.replace(b"Bearer old", b"Bearer new") == again.wire


@pytest.mark.parametrize("to", [DIRECT, replace(DIRECT, scheme="https", proxy=PROXY)])
def test_a_request_to_a_server_itself_is_the_same_with_and_without_a_tunnel(to):
    assert build("POST", "/score", "host:8", HEADERS, b"{}") == build_for(to, "POST", "/score", HEADERS, b"{}")


def test_the_users_own_credentials_for_a_proxy_go_before():
    own = [("proxy-authorization", "Negotiate x")]

    request = build_for(replace(DIRECT, proxy=PROXY), "GET", "/", own, b"")
    assert (("Host", "host:8"), *own) == request.headers


def test_a_request_is_built_again_with_another_authorization_and_else_the_same():
    old = build("POST", "/score?a=b", "host:8", HEADERS, b"{}")
    new = with_authorization(old, "Bearer new")

    assert old.wire.replace(b"Bearer old", b"Bearer new") == new.wire
    assert ("authorization", "Bearer new") in new.headers


@pytest.mark.parametrize("headers", [HEADERS, [*HEADERS, ("x-id", "mine")]])
def test_a_template_is_written_again_with_another_authorization_and_else_the_same(headers):
    old = Template("POST", "/score", "host", headers, marked="x-id")
    new = old.with_authorization("Bearer new")

    assert old.fill(b"{}", "7").wire.replace(b"Bearer old", b"Bearer new") == new.fill(b"{}", "7").wire
    assert b"Bearer old" in old.fill(b"", "8").wire
