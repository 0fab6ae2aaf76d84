"""URLs are parsed strictly by RFC 3986, and no string contains their credentials."""

import dataclasses
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.secret import Secret
from epkit.core.http.url import Url, is_url, parse, parse_connect_to, same_origin
from epkit.errors import UsageError

CANARY = "c4naryK3y"


def test_a_url_falls_into_its_parts():
    expected = Url(scheme="https", host="h.example", port=8443, path="/a/score", query=Secret("v=2"))

    assert expected == parse("HTTPS://H.Example:8443/a/score?v=2#part")


@pytest.mark.parametrize(
    ("text", "revealed"),
    [
        ("http://host", "http://host/"),
        ("http://host?v=1", "http://host/?v=1"),
        ("http://host:/score", "http://host/score"),
        ("http://host:80/score", "http://host/score"),
        ("https://host:80/score", "https://host:80/score"),
        ("http://[::1]:5001/score", "http://[::1]:5001/score"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/"),
        ("http://my_service.local./", "http://my_service.local./"),
        ("http://bücher.example/score", "http://xn--bcher-kva.example/score"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://host/a b?c d", "http://host/a%20b?c%20d"),
        ("http://host/ü?ö=ä", "http://host/%C3%BC?%C3%B6=%C3%A4"),
        ("http://host/100%/%2F%zz", "http://host/100%25/%2F%25zz"),
        ("http://host/\udcff", "http://host/%FF"),
        ('http://host/a"<>\\^`{|}', "http://host/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("http://host/a?b=/?:@", "http://host/a?b=/?:@"),
        ("http://user:pw@host/score", "http://host/score"),
        ("unix:/run/x.sock:/score?v=1#f", "unix:/run/x.sock:/score?v=1"),
        ("unix:/run/x.sock", "unix:/run/x.sock:/"),
    ],
)
def test_a_url_is_normalised(text, revealed):
    assert revealed == parse(text).reveal()


@pytest.mark.parametrize(
    ("text", "userinfo"),
    [("user:pa%40ss", "user:pa@ss"), ("user:p@ss", "user:p@ss"), ("user", "user"), ("u:%ff", "u:\udcff")],
)
def test_userinfo_is_decoded_up_to_the_last_at(text, userinfo):
    assert Secret(userinfo) == parse(f"http://{text}@host/").userinfo


def test_empty_userinfo_is_none():
    assert parse("http://@host/").userinfo is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("host/score", "is not a URL: a URL begins with http:// or https://"),
        ("http:/host", "is not a URL: a URL begins with http:// or https://"),
        ("ftp://host/", "has a scheme that is not spoken here: a URL begins with http:// or https://"),
        ("http:///score", "names no host"),
        ("http://:80/score", "names no host"),
        ("http://host:0/", "has a port that is not a number from 1 to 65535"),
        ("http://host:65536/", "has a port that is not a number from 1 to 65535"),
        ("http://host:٣/", "has a port that is not a number from 1 to 65535"),
        ("http://host:80:80/", "has a malformed host or port (an IPv6 address goes in brackets)"),
        ("http://::1/", "has a malformed host or port (an IPv6 address goes in brackets)"),
        ("http://[::1/", "has a malformed host or port (an IPv6 address goes in brackets)"),
        ("http://[::g]/", "has a malformed IPv6 address"),
        ("http://ho st/", "has a malformed host name"),
        ("http://a..b/", "has a malformed host name"),
        ("http://-\\evil/", "has a malformed host name"),
        ("http://" + "a" * 64 + "/", "has a malformed host name"),
        ("http://\u2665\u0300.example/", "has a host name that cannot be written in ASCII (IDNA)"),
        ("http://host/ ", "holds white space at an end, or a control character"),
        ("unix:", "names no Unix socket: unix:/path/of.sock:/score"),
    ],
)
def test_a_malformed_url_is_refused_in_one_line(text, why):
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert f'"{text.strip()}" {why}' == str(caught.value)


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028"])
def test_control_characters_are_refused_wherever_they_stand(character):
    for text in (f"http://ho{character}st/", f"http://host/a{character}b", f"http://host/?a{character}b"):
        with pytest.raises(UsageError, match="control character") as caught:
            parse(text)

        assert character not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{CANARY}/x@host/",
        f"http://user:{CANARY}@ho st/",
        f"http://user:{CANARY}@host:99999/?code={CANARY}",
        f"ftp://{CANARY}@host/",
        f"user:{CANARY}@host/score",
        f"http://user:{CANARY}\n@host/",
        f"http://h:x/?sig={CANARY}",
    ],
)
def test_the_message_about_a_bad_url_does_not_show_its_credentials(text):
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert CANARY not in str(caught.value)
    assert "***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)


@given(
    user=WORDS,
    prefix=WORDS,
    path=st.text(max_size=10),
    name=st.sampled_from(["sig", "code", "KEY", "api_token"]),
)
def test_no_string_made_of_a_url_shows_a_secret(user, prefix, path, name):
    secret = f"{CANARY}{prefix}"
    url = parse(f"https://{quote(user)}:{quote(secret)}@host/{quote(path)}?{name}={quote(secret)}&v=1")

    shown = "".join([str(url), repr(url), url.shown, f"{url}", str(dataclasses.asdict(url)), str(vars_of(url))])

    assert CANARY not in shown
    assert f"{name}=***&v=1" in url.shown
    assert f"{user}:{secret}" == url.userinfo.reveal()
    assert CANARY in url.reveal()
    with pytest.raises(TypeError):
        json.dumps(dataclasses.asdict(url))


def vars_of(url):
    return {field.name: getattr(url, field.name) for field in dataclasses.fields(url)}


@given(st.text(max_size=20), st.text(max_size=20).filter(lambda text: "#" not in text))
def test_every_request_path_is_ascii_without_white_space_and_parses_to_itself(path, query):
    text = f"http://host/{path.translate({ord('?'): '', ord('#'): ''})}?{query}x"
    try:
        url = parse(text)
    except UsageError:
        return

    assert url.request_path.isascii()
    assert not set(url.request_path) & set(' \t\r\n"<>\\')
    assert url == parse(url.reveal())
    assert hash(url) == hash(parse(url.reveal()))


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused_in_one_line(text):
    try:
        parse(text)
    except UsageError as error:
        message = str(error)
    else:
        message = "none"

    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("http://h/", True), ("unix:/x", True), ("bank", False), ("C:\\x", False)]
)
def test_what_is_meant_as_a_url_is_told_from_names_and_paths(text, expected):
    assert expected == is_url(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:5001", ("127.0.0.1", 5001)),
        ("[::1]:80", ("::1", 80)),
        ("host:80", ("host", 80)),
        ("unix:/x", "/x"),
    ],
)
def test_connect_to_names_a_host_and_port_or_a_socket(text, expected):
    assert expected == parse_connect_to(text)


@pytest.mark.parametrize("text", ["host", "host:", ":80", "host:x", "u@host:80", "unix:", "a:b:c", ""])
def test_connect_to_refuses_the_rest(text):
    with pytest.raises(UsageError):
        parse_connect_to(text)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://host:443/other?x=1", True),
        ("https://HOST/", True),
        ("https://u:p@host/", True),
        ("http://host:443/", False),
        ("https://host:444/", False),
        ("https://host.example/", False),
        ("unix:/x", False),
    ],
)
def test_the_origin_is_scheme_host_and_port(other, same):
    assert same is same_origin(parse("https://host/score"), parse(other))


@pytest.mark.parametrize(
    ("uri", "sibling"),
    [
        ("https://host/score", "https://host/swagger.json"),
        ("https://host/api/v1/score?code=x", "https://host/api/v1/swagger.json"),
        ("https://host/score/", "https://host/score/swagger.json"),
        ("https://host", "https://host/swagger.json"),
        ("unix:/x:/score", "unix:/x:/swagger.json"),
    ],
)
def test_a_sibling_replaces_the_last_segment(uri, sibling):
    assert sibling == parse(uri).sibling("swagger.json").reveal()
