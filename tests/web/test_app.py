"""The docs server without a browser: its replies, and the clients that get them."""

import asyncio
import json

import httpx
import pytest

pytest.importorskip("starlette")
pytest.importorskip("flask_swagger_ui")

from epkit.core.docs.doors import Doors
from epkit.core.docs.page_contract import Routes
from epkit.core.docs.relay import Relayed
from epkit.core.http.url import parse
from epkit.web import app as web

DOCUMENT = {"swagger": "2.0", "host": "x", "paths": {"/score": {"post": {}}, "/": {"get": {}}}}
ROUTES = Routes(DOCUMENT, parse("http://h/score"))
JSON = {"content-type": "application/json"}


class Target:
    """The application behind the server: it records requests, and sends the same reply to all."""

    def __init__(self):
        self.asked = []

    async def __call__(self, method, path, body, accept):
        self.asked.append((method, path, body, accept))
        return Relayed(status=200, headers=(("content-type", "application/json"), ("x-ms-a", "b")), body=b'["yes"]')


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def ask(target):
    """Send a request, by default like a browser on the server's own page."""

    def send(method, path, *, host="127.0.0.1:8000", routes=ROUTES, title="bank", **more):
        page = web.Page(title=title, document=DOCUMENT, routes=routes, key_note="a <note>")
        application = web.make_app(page, Doors(port=8000), target)

        async def answer():
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, headers={"host": host} | more.pop("headers", {}), **more)

        return asyncio.run(answer())

    return send


def test_the_page_names_its_subject_and_nothing_in_it_is_markup(ask):
    reply = ask("GET", "/", title="<script>alert(1)</script>")

    assert 200 == reply.status_code
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt; · epkit docs</title>" in reply.text
    assert "a &lt;note&gt;" in reply.text
    assert "<script>" not in reply.text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/swagger-ui.css", "text/css; charset=utf-8"),
        ("/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("/favicon-32x32.png", "image/png"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/contract.json", "application/json"),
    ],
)
def test_everything_has_its_type_and_the_protecting_headers(ask, path, kind):
    reply = ask("GET", path)

    assert (200, kind) == (reply.status_code, reply.headers["content-type"])
    assert "nosniff" == reply.headers["x-content-type-options"]
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in reply.headers["content-security-policy"]


def test_the_contract_leads_here(ask):
    assert {"swagger": "2.0", "basePath": "/_target", "paths": DOCUMENT["paths"]} == ask("GET", "/contract.json").json()


def test_a_post_reaches_the_target_and_its_reply_the_page(ask, target):
    reply = ask("POST", "/_target/score?x=1", content=b"{}", headers=JSON | {"accept": "a/b", "cookie": "c", "x": "y"})

    assert [("POST", "/score?x=1", b"{}", "a/b")] == target.asked
    assert (200, '["yes"]', "b") == (reply.status_code, reply.text, reply.headers["x-ms-a"])
    assert "default-src 'none'; sandbox; frame-ancestors 'none'" == reply.headers["content-security-policy"]


def test_the_targets_own_root_is_not_the_page(ask, target):
    ask("GET", "/_target/")

    assert [("GET", "/", b"")] == [asked[:3] for asked in target.asked]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/_target/admin", 404), ("DELETE", "/_target/score", 404), ("GET", "/_target/score", 404),
        ("POST", "/_target/../score", 405), ("POST", "/_target/%2e%2e/score", 404), ("POST", "/_target", 404),
        ("GET", "/page.html", 404), ("GET", "/../pyproject.toml", 404), ("GET", "/swagger-ui.js", 404),
        ("GET", "/swagger-ui.css/", 404), ("POST", "/", 405), ("OPTIONS", "/_target/score", 405),
    ],
)  # fmt: skip
def test_nothing_else_is_handed_on_or_out(ask, target, method, path, status):
    reply = ask(method, path, headers=JSON)

    assert reply.status_code in (status, 404)
    assert [] == target.asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 403),
        ({"host": "evil.example:8000"}, 421),
        ({"host": "127.0.0.1"}, 421),
    ],
)
def test_a_stranger_gets_nothing(ask, target, headers, status):
    reply = ask("POST", "/_target/score", content=b"{}", headers=JSON | headers)

    assert status == reply.status_code
    assert [] == target.asked
    assert ["error"] == list(reply.json())


def test_a_body_that_is_too_long_is_refused(ask, target):
    reply = ask("POST", "/_target/score", content=b" " * (web.MOST_REQUEST_BYTES + 1), headers=JSON)

    assert (413, []) == (reply.status_code, target.asked)
    assert "the body is over 4,194,304 bytes: use epkit score" == reply.json()["error"]


def test_without_a_target_the_page_and_the_server_say_so(ask, target):
    page, reply = ask("GET", "/", routes=None), ask("POST", "/_target/score", routes=None, content=b"{}", headers=JSON)

    assert 'data-executable="false"' in page.text
    assert (503, []) == (reply.status_code, target.asked)
    assert "start it again with --target URL" in reply.json()["error"]


def test_a_request_that_is_broken_off_is_no_bug(target):
    page = web.Page(title="t", document=DOCUMENT, routes=ROUTES, key_note="")
    application = web.make_app(page, Doors(port=8000), target)
    sent = []
    scope = {
        "type": "http", "method": "POST", "path": "/_target/score", "raw_path": b"/_target/score", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")], "http_version": "1.1",
    }  # fmt: skip

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))

    assert (400, []) == (sent[0]["status"], target.asked)


def test_swagger_ui_that_is_missing_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    page = web.Page(title="t", document=DOCUMENT, routes=None, key_note="")

    with pytest.raises(Exception, match=r'Swagger UI is missing: pip install "epkit\[docs\]"'):
        web.make_app(page, Doors(port=8000), Target())


def test_the_contract_is_plain_json(ask):
    assert DOCUMENT["paths"] == json.loads(ask("GET", "/contract.json").content.decode("ascii"))["paths"]
