"""The parts of a reply that reach the page."""

import gzip

import pytest

from epkit.core.docs.relay import MOST_BYTES, UnshownError, relay
from epkit.core.http.secret import Secret

SECRETS = [Secret("Bearer s3cret-key")]


def relayed(headers, body=b"x", status=200):
    return relay(status, headers, body, SECRETS)


def test_headers_that_explain_get_through_and_no_others_do():
    kept = {
        "x-ms-request-id": "1",
        "azureml-model-deployment": "blue",
        "ms-azureml-model-time": "7",
        "retry-after": "1",
        "x-request-id": "2",
    }
    dropped = {
        "set-cookie": "a=b",
        "www-authenticate": "Bearer",
        "location": "http://x",
        "server": "s",
        "content-encoding": "",
        "access-control-allow-origin": "*",
        "content-security-policy": "",
        "clear-site-data": "*",
    }

    assert kept | {"content-type": "text/plain; charset=utf-8"} == dict(relayed(kept | dropped).headers)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("image/png", "image/png"),
        ("text/html", "text/plain; charset=utf-8"),
        ("text/javascript", "text/plain; charset=utf-8"),
        ("image/svg+xml", "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
    ],
)
def test_nothing_that_a_browser_would_run_keeps_its_type(kind, shown):
    assert (("content-type", shown),) == relayed({"content-type": kind}).headers


def test_credentials_are_masked_in_body_and_headers():
    reply = relayed({"x-ms-echo": "Bearer s3cret-key"}, b'{"you sent": "s3cret-key"}')

    assert b'{"you sent": "***"}' == reply.body
    assert "***" == dict(reply.headers)["x-ms-echo"]


def test_bytes_that_are_no_text_stay():
    assert b"\x89PNG\xff" == relayed({}, b"\x89PNG\xff").body


def test_a_packed_reply_is_unpacked():
    assert b"yes" == relayed({"content-encoding": "gzip"}, gzip.compress(b"yes")).body


def test_a_reply_without_a_body_has_no_type():
    assert (204, (), b"") == (lambda r: (r.status, r.headers, r.body))(relayed({"content-type": "text/html"}, b"", 204))


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        ({"content-encoding": "gzip"}, b"not", "Content-Encoding says gzip, the body is not"),
        ({"content-encoding": "gzip"}, gzip.compress(b" " * (17 << 20)), "the unpacked reply is over 16 MiB"),
        ({}, b" " * (MOST_BYTES + 1), "the reply has 4,194,305 bytes: a page shows at most 4,194,304"),
    ],
)
def test_what_cannot_be_shown_says_why(headers, body, why):
    with pytest.raises(UnshownError) as raised:
        relayed(headers, body)

    assert why == str(raised.value)
