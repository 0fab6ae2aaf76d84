"""A server that publishes contracts, answers scoring requests, and records both."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class PublishingServer:
    """The server in a thread; a context manager.

    Attributes:
        asked: the paths of GET requests, in order.
        scored: path, content type and body of each POST, in order.
    """

    def __init__(self, documents: Mapping[str, Any], answer: Callable[[str, bytes], Any]) -> None:
        """Prepare the server.

        Args:
            documents: published documents, by path.
            answer: function that makes the reply to a POST from its path and body.
        """
        self.asked: list[str] = []
        self.scored: list[tuple[str, str, bytes]] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
                """Do nothing."""

            def do_GET(self) -> None:
                own.asked.append(self.path)
                self._send(200 if self.path in documents else 404, documents.get(self.path, {"detail": "Not Found"}))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                own.scored.append((self.path, self.headers["Content-Type"], body))
                self._send(200, answer(self.path, body))

            def _send(self, status: int, value: Any) -> None:
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
