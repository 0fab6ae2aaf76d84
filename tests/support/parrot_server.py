"""A scoring endpoint that sends a test's text in every place where a server can send text."""

import contextlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final, Self

WAYS: Final = ("ok", "error", "page", "redirect", "mixed", "kinds", "garbage")
"""The replies of `/WAY/score`: predictions, an error, an HTML page, a redirect, a wrong number of predictions,
predictions of different kinds, invalid JSON."""


class Parrot:
    """The server on loopback; a context manager.

    Args:
        word: text that is in the status line, in header fields and bodies of all replies, and in the contract.
        broken: whether the contract has a `$ref` without a target.
    """

    def __init__(self, word: str, *, broken: bool = False) -> None:
        self._contract = _contract(word, broken=broken)
        parrot = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def version_string(self) -> str:
                return f"gunicorn/{word}"

            def do_GET(self) -> None:
                self._answer(200, parrot._contract if self.path.endswith("swagger.json") else json.dumps(word).encode())

            def do_POST(self) -> None:
                rows = len(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"])
                way = self.path.split("/")[1]
                status = {"error": 400, "page": 500, "redirect": 302}.get(way, 200)
                self._answer(status, _body(way, word, rows))

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status, f"Fine {word}")
                for name, value in {**_HEADERS, "Content-Length": str(len(body)), "Connection": "close"}.items():
                    self.send_header(name, value.replace("WORD", word))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body + f"HTTP/1.1 {word}".encode())

            def log_message(self, *_: object) -> None:
                """Do nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def url(self, way: str) -> str:
        """Return the URL of a kind of reply."""
        return f"{self.origin}/{way}/score"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json",
    "azureml-model-deployment": "blue-WORD",
    "x-ms-server-version": "WORD",
    "x-ms-run-function-failed": "WORD",
    "ms-azureml-model-error-statuscode": "WORD",
    "ms-azureml-model-error-reason": "WORD",
    "WWW-Authenticate": 'Bearer realm="WORD"',
    "Location": "/elsewhere/WORD",
    "Retry-After": "WORD",
    "Server-Timing": "WORD;dur=1",
}


def _body(way: str, word: str, rows: int) -> bytes:
    bodies: dict[str, Any] = {
        "ok": {"result": [f"class {word}"] * rows},
        "error": {"error": {"code": word, "message": f"no such key: {word}"}},
        "mixed": {"result": [word] * (rows + 1)},
        "kinds": {"result": [[word, 1], *[f"{'x' * 40}{word}"] * (rows - 1)]},
    }
    if way == "page":
        return f"<html><title>{word}</title><body>{word}</body></html>".encode()
    return word.encode() if way == "garbage" else json.dumps(bodies.get(way, {"error": word})).encode()


def _contract(word: str, *, broken: bool) -> bytes:
    row = {"type": "object", "title": word, "properties": {"age": {"type": "integer", "description": word}}}
    body: dict[str, Any] = {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": {"$ref": f"#/nowhere/{word}"} if broken else row}},
        "example": {"data": [{"age": 17}, {"age": 87}]},
    }
    score = {
        "summary": word,
        "operationId": word,
        "parameters": [{"in": "body", "name": "payload", "description": word, "schema": body}],
        "responses": {"200": {"description": word, "schema": {"type": "object", "description": word}}},
    }
    info = {"title": word, "version": word, "description": word}
    return json.dumps({"swagger": "2.0", "info": info, "paths": {"/score": {"post": score}}}).encode()
