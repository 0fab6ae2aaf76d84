"""The requests that the docs server accepts, by their origin."""

import pytest

from epkit.core.docs.doors import Doors, refusal

DOORS = Doors(port=8000)
HOST = (b"host", b"127.0.0.1:8000")
JSON = (b"content-type", b"application/json")


def status(method, *headers, doors=DOORS):
    refused = refusal(method, headers, doors)
    return None if refused is None else refused[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LocalHost:8000", "[::1]:8000"])
def test_loopback_names_with_the_port_lead_here(host):
    assert None is status("GET", (b"host", host.encode()))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "localhost:80", "localhost", "127.0.0.1:8000.evil.example",
        "127.0.0.1.evil.example:8000", "localhost.:8000", "user@127.0.0.1:8000", "192.168.1.5:8000", "", "[::2]:8000",
        "127.0.0.1:8000, evil.example", "127.0.0.1:99999999",
    ],
)  # fmt: skip
def test_any_other_host_is_misdirected(host):
    assert 421 == status("GET", (b"host", host.encode()))


def test_no_host_and_two_hosts_are_misdirected():
    assert 421 == status("GET")
    assert 421 == status("GET", HOST, HOST)


def test_port_80_needs_no_port():
    assert None is status("GET", (b"host", b"localhost"), doors=Doors(port=80))


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8001",
        "http://evil.example",
        "http://127.0.0.1:8000.evil",
        "",
    ],
)
def test_pages_of_another_origin_are_refused(origin):
    assert 403 == status("GET", HOST, (b"origin", origin.encode()))


def test_the_pages_own_origin_passes():
    assert None is status(
        "POST", HOST, JSON, (b"origin", b"http://localhost:8000"), (b"sec-fetch-site", b"same-origin")
    )


@pytest.mark.parametrize(
    ("site", "verdict"), [("same-origin", None), ("none", None), ("same-site", 403), ("cross-site", 403)]
)
def test_the_browser_says_where_a_request_comes_from(site, verdict):
    assert verdict == status("GET", HOST, (b"sec-fetch-site", site.encode()))


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json-ish", ""],
)
def test_what_a_form_can_send_is_refused(kind):
    assert 403 == status("POST", HOST, (b"content-type", kind.encode()))


def test_a_post_without_a_type_or_with_two_is_refused():
    assert 403 == status("POST", HOST)
    assert 403 == status("OPTIONS", HOST)
    assert 403 == status("POST", HOST, JSON, (b"content-type", b"text/plain"))


def test_json_with_a_charset_passes():
    assert None is status("PUT", HOST, (b"content-type", b"Application/JSON; charset=utf-8"))


def test_where_all_addresses_are_listened_on_each_is_a_name_and_no_other_name_is():
    doors = Doors(port=8000, names=DOORS.names | {"mybox"}, any_address=True)

    assert None is status("GET", (b"host", b"192.168.1.5:8000"), doors=doors)
    assert None is status("GET", (b"host", b"[fe80::1]:8000"), doors=doors)
    assert None is status("GET", (b"host", b"mybox:8000"), doors=doors)
    assert 421 == status("GET", (b"host", b"evil.example:8000"), doors=doors)
