"""The choice of engine and proxy from the user's options."""

import base64

import pytest

from epkit.core.http.destination import Proxy
from epkit.core.http.masking import mask_text
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.target.request_options import RequestOptions
from epkit.flows.target.transport import engine_name, proxy_of
from support.canary import CANARY


def found(proxy, basic=None, **environ):
    notes = []
    context = Context(environ=environ, note=notes.append)
    return proxy_of(RequestOptions(proxy=proxy, proxy_basic=basic), context, "load"), notes


def basic(userinfo):
    return f"Basic {base64.b64encode(userinfo).decode()}"


@pytest.mark.parametrize(
    ("named", "scheme", "host", "port"),
    [
        ("proxy.corp:3128", "http", "proxy.corp", 3128),
        ("PROXY.corp", "http", "proxy.corp", 80),
        ("http://proxy:8080/", "http", "proxy", 8080),
        ("https://proxy", "https", "proxy", 443),
        ("[::1]:3128", "http", "::1", 3128),
        ("http://bücher.example:1", "http", "xn--bcher-kva.example", 1),
    ],
)
def test_a_proxy_is_a_place_or_a_url(named, scheme, host, port):
    assert (Proxy(scheme=scheme, host=host, port=port), []) == found(named)


@pytest.mark.parametrize(
    ("named", "given", "sent"),
    [
        ("u:p@proxy:1", None, b"u:p"),
        ("http://u:p%40%3Aq%2F@proxy:1", None, b"u:p@:q/"),
        ("http://u@proxy:1", None, b"u:"),
        ("proxy:1", "u:p%40", b"u:p%40"),
        ("proxy:1", "u:p:q", b"u:p:q"),
        ("proxy:1", "u", b"u:"),
        ("proxy:1", "ü:pä", "ü:pä".encode()),
        ("proxy:1", "u:\udcff", b"u:\xff"),
        ("http://u:p@proxy:1", "v:q", b"v:q"),
    ],
)
def test_its_credentials_come_from_its_url_or_go_before_them(named, given, sent):
    proxy, _ = found(named, given)

    assert basic(sent) == proxy.authorization
    assert sent.decode("utf-8", "surrogateescape") not in repr(proxy)
    assert basic(sent) not in repr(proxy)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "-X: "),
        ("ftp://proxy", "-X: "),
        ("unix:/run/proxy.sock", "-X: unix:/run/proxy.sock:/ is a Unix socket: a proxy is HOST:PORT or a URL"),
        ("pro xy:1", "-X: "),
        (f"u:{CANARY}@proxy:0x", "-X: "),
        (f"http://u:{CANARY}\n@proxy", "-X: "),
    ],
)
def test_what_is_no_proxy_is_refused_without_its_credentials(named, said):
    with pytest.raises(UsageError) as refused:
        found(named)

    assert str(refused.value).startswith(said)
    assert CANARY not in str(refused.value)


def test_the_environments_are_not_used():
    proxy, notes = found(None, HTTPS_PROXY=f"http://u:{CANARY}@proxy", http_proxy="")

    assert proxy is None
    assert ["the environment's proxies (HTTPS_PROXY) are not used for load; -X names one"] == notes


@pytest.mark.parametrize("named", ["http://u:p%C3%A4ss%2Fword@proxy", "u:päss/word@proxy"])
@pytest.mark.parametrize("shown", ["päss/word", "p%C3%A4ss%2Fword", basic("u:päss/word".encode())])
def test_what_it_is_told_is_masked_in_every_form(named, shown):
    secrets = list(RequestOptions(proxy=named).secrets())

    assert "***" in mask_text(f"said: {shown}", secrets)
    assert shown not in mask_text(f"said: {shown}", secrets)


def test_the_wire_engine_is_for_all_but_http2():
    assert ("wire", "httpx", "httpx") == (engine_name(None), engine_name(None, http2=True), engine_name("httpx"))
    for asked, options, said in (
        ("wire", {"http2": True}, "--http2 needs --engine httpx"),
        (None, {"http2": True, "wire_only": "-b"}, "-b needs --engine wire, which --http2 rules out"),
        ("httpx", {"wire_only": "-b"}, "-b needs --engine wire"),
        ("curl", {}, "--engine curl: not one of wire, httpx"),
    ):
        with pytest.raises(UsageError) as refused:
            engine_name(asked, **options)
        assert said == str(refused.value)
