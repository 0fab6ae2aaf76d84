"""Contracts come from files and URLs; a key goes to no other origin."""

import contextlib
import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from epkit.errors import EndpointError, UsageError
from epkit.files import contracts
from epkit.files.contracts import load

DOCUMENT = b'{"swagger": "2.0", "paths": {"/score": {"post": {"responses": {}}}}}'
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """Serve on a free loopback port; gives the origin and the requests that came."""
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


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(DOCUMENT)

    assert ["/score"] * 2 == [load(tmp_path / "a.json").path, load(str(tmp_path / "a.json")).path]


def test_a_fault_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"swagger": "2.0"}')

    with pytest.raises(UsageError, match=r"^mine: /paths: the contract has no paths$"):
        load(tmp_path / "a.json", name="mine")


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / name)


def test_a_file_without_end_is_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "MAX_BYTES", 10)
    (tmp_path / "a.json").write_bytes(DOCUMENT)

    with pytest.raises(UsageError, match="longer than"):
        load(tmp_path / "a.json")


def test_a_url_is_fetched_with_the_headers_given(canary: str) -> None:
    with serving(reply(gzip.compress(DOCUMENT), Content_Encoding="gzip")) as (origin, seen):
        contract = load(f"{origin}/swagger.json", headers={"Authorization": f"Bearer {canary}"})

    assert "/score" == contract.path
    assert [f"Bearer {canary}"] == [request.headers["Authorization"] for request in seen]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(reply(DOCUMENT)) as (origin, _):
        assert "/score" == load(f"{origin}/swagger.json").path


def test_a_redirect_inside_the_origin_is_followed() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        where = reply(DOCUMENT) if request.path == "/b" else reply(b"", 302, Location="/b")
        where(request)

    with serving(answer) as (origin, seen):
        load(f"{origin}/a")

    assert ["/a", "/b"] == [request.path for request in seen]


def test_a_redirect_to_another_origin_is_not_followed_and_shows_no_key(canary: str) -> None:
    with (
        serving(reply(DOCUMENT)) as (other, there),
        serving(reply(b"", 302, Location=f"{other}/?sig={canary}")) as (origin, _),
        pytest.raises(EndpointError, match="another origin") as raised,
    ):
        load(f"{origin}/swagger.json?code={canary}", headers={"Authorization": canary})

    assert [] == there
    assert canary not in str(raised.value)


def test_redirects_in_a_circle_end() -> None:
    with serving(reply(b"", 302, Location="/a")) as (origin, seen), pytest.raises(EndpointError, match="redirects"):
        load(f"{origin}/a")

    assert 6 == len(seen)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(b"", 401), "asks for a key"),
        (reply(b"", 403), "asks for a key"),
        (reply(b"", 404), "status 404"),
        (reply(b"not gzip at all", 200, Content_Encoding="gzip"), "cannot be fetched"),
    ],
)
def test_an_answer_that_is_no_contract_is_the_endpoints_failure(answer: Answer, words: str) -> None:
    with serving(answer) as (origin, _), pytest.raises(EndpointError, match=words):
        load(f"{origin}/swagger.json")


def test_an_endpoint_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(EndpointError, match="cannot be fetched"):
        load("http://127.0.0.1:9/swagger.json", timeout_s=2)


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "MAX_BYTES", 10)
    with serving(reply(DOCUMENT)) as (origin, _), pytest.raises(UsageError, match="longer than"):
        load(f"{origin}/swagger.json")


def test_a_contract_that_drips_is_not_waited_for() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                request.wfile.write(b" ")
                request.wfile.flush()
                threading.Event().wait(0.05)

    with serving(answer) as (origin, _), pytest.raises(EndpointError, match="in time"):
        load(f"{origin}/swagger.json", timeout_s=0.3)
