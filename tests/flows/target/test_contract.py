"""A contract by URL: redirects are followed or refused, and a key is sent to no other origin."""

import asyncio
import base64
import contextlib
import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from epkit import Contract
from epkit.engines.wire import connection
from epkit.errors import EndpointError, UsageError
from epkit.flows.context import Context
from epkit.flows.target.request_options import RequestOptions, TargetOptions
from epkit.flows.validate import find_contract

DOCUMENT = b'{"swagger": "2.0", "paths": {"/score": {"post": {"responses": {}}}}}'
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """Serve on a free loopback port; yield the origin and the received requests."""
    seen: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self)
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(body)

    return answer


def test_a_url_is_fetched_with_the_headers_given(canary: str) -> None:
    with serving(reply(gzip.compress(DOCUMENT), Content_Encoding="gzip")) as (origin, seen):
        contract = Contract.load(f"{origin}/swagger.json", headers={"Authorization": f"Bearer {canary}"})

    assert "/score" == contract.parsed.path
    assert [f"Bearer {canary}"] == [request.headers["Authorization"] for request in seen]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(reply(DOCUMENT)) as (origin, _):
        assert "/score" == Contract.load(f"{origin}/swagger.json").parsed.path


def test_a_redirect_inside_the_origin_is_followed() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        where = reply(DOCUMENT) if request.path == "/b" else reply(b"", 302, Location="/b")
        where(request)

    with serving(answer) as (origin, seen):
        Contract.load(f"{origin}/a")

    assert ["/a", "/b"] == [request.path for request in seen]


def test_a_redirect_to_another_origin_is_not_followed_and_shows_no_key(canary: str) -> None:
    with (
        serving(reply(DOCUMENT)) as (other, there),
        serving(reply(b"", 302, Location=f"{other}/?sig={canary}")) as (origin, _),
        pytest.raises(EndpointError, match="another origin") as raised,
    ):
        Contract.load(f"{origin}/swagger.json?code={canary}", headers={"Authorization": canary})

    assert [] == there
    assert canary not in str(raised.value)


def test_redirects_in_a_circle_end() -> None:
    with serving(reply(b"", 302, Location="/a")) as (origin, seen), pytest.raises(EndpointError, match="redirects"):
        Contract.load(f"{origin}/a")

    assert 6 == len(seen)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(b"", 401), "needs a key"),
        (reply(b"", 403), "needs a key"),
        (reply(b"", 404), "status 404"),
        (reply(b"not gzip at all", 200, Content_Encoding="gzip"), "Content-Encoding says gzip, the body is not"),
    ],
)
def test_an_answer_that_is_no_contract_is_the_endpoints_failure(answer: Answer, words: str) -> None:
    with serving(answer) as (origin, _), pytest.raises(EndpointError, match=words):
        Contract.load(f"{origin}/swagger.json")


def test_an_endpoint_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(EndpointError, match="nothing listens there: check that the server runs, and the port"):
        Contract.load("http://127.0.0.1:9/swagger.json", timeout_s=2)


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_BYTES", 1 << 20)
    with serving(reply(DOCUMENT + b" " * (2 << 20))) as (origin, _), pytest.raises(EndpointError, match="over 1 MiB"):
        Contract.load(f"{origin}/swagger.json")


def test_a_contract_that_drips_is_not_waited_for() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                request.wfile.write(b" ")
                request.wfile.flush()
                threading.Event().wait(0.05)

    with serving(answer) as (origin, _), pytest.raises(EndpointError, match=r"no whole reply within 1 s"):
        Contract.load(f"{origin}/swagger.json", timeout_s=1)


def test_redirects_share_the_time_of_one_contract() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        threading.Event().wait(0.2)
        reply(b"", 302, Location="/a")(request)

    asked: list[str] = []
    with serving(answer) as (origin, _), pytest.raises(EndpointError, match=r"no whole reply within 0.5 s"):
        Contract.load(f"{origin}/a", timeout_s=0.5)

    assert len(asked) <= 3, "each takes 0.2 s"


def test_a_notebook_loads_a_contract_though_its_loop_runs() -> None:
    async def cell(url: str) -> Contract:
        return Contract.load(url)

    with serving(reply(DOCUMENT)) as (origin, _):
        assert "/score" == asyncio.run(cell(f"{origin}/swagger.json")).parsed.path


def test_the_key_of_a_target_does_not_go_to_a_url(canary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPKIT_KEY", canary)
    with serving(reply(DOCUMENT)) as (origin, seen):
        Contract.load(f"{origin}/swagger.json")

    assert [None] == [request.headers["Authorization"] for request in seen]


def test_the_key_of_a_file_and_the_password_of_a_url_go_to_its_origin(canary: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(canary)
    (tmp_path / "key").chmod(0o600)
    with serving(reply(DOCUMENT)) as (origin, seen):
        Contract.load(f"{origin}/swagger.json", key_file=str(tmp_path / "key"))
        Contract.load(f"{origin.replace('://', f'://user:{canary}@')}/swagger.json")

    basic = base64.b64encode(f"user:{canary}".encode()).decode()
    assert [f"Bearer {canary}", f"Basic {basic}"] == [request.headers["Authorization"] for request in seen]


def test_a_target_whose_contract_lies_elsewhere_asks_for_it_without_key_and_headers(canary: str) -> None:
    with serving(reply(DOCUMENT)) as (origin, seen):
        options = TargetOptions(
            target="http://127.0.0.1:9/score",
            request=RequestOptions(
                schema=f"{origin}/swagger.json", headers=(("Authorization", canary), ("Cookie", canary), ("X-Own", "1"))
            ),
        )
        find_contract(options, Context(environ={}))

    assert [{"user-agent", "accept", "connection", "host"}] == [
        {name.lower() for name in request.headers} for request in seen
    ]


def test_a_header_that_announces_a_body_does_not_go_with_a_question_without_one() -> None:
    with serving(reply(DOCUMENT)) as (origin, seen):
        Contract.load(f"{origin}/swagger.json", headers={"Content-Encoding": "gzip", "X-Own": "1"})

    assert [(None, "1")] == [(request.headers["Content-Encoding"], request.headers["X-Own"]) for request in seen]


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Expect"])
def test_a_header_that_frames_the_message_is_refused(name) -> None:
    with serving(reply(DOCUMENT)) as (origin, seen), pytest.raises(UsageError, match=f"^{name}: epkit .* leave this"):
        Contract.load(f"{origin}/swagger.json", headers={name: "5"})

    assert [] == seen
