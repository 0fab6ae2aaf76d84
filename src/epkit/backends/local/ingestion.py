"""An Application Insights ingestion endpoint on loopback. The real exporter sends to it instead of to Azure.

It keeps the telemetry of one endpoint in a file, one item per line, and drops the older half if the file gets too long.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

MOST_BYTES: Final = 16 << 20
LONGEST_BODY: Final = 64 << 20


class Ingestion:
    """Accepts telemetry on a free loopback port, with its own threads."""

    def __init__(self, file: Path, instrumentation_key: str) -> None:
        """Start to listen.

        Args:
            instrumentation_key: items with another key are refused, because any process on this machine can send items.
        """
        self._file = file
        self._key = instrumentation_key
        self._lock = threading.Lock()
        ingestion = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(min(length, LONGEST_BODY))
                status, answer = ingestion.take(self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Do nothing: the log belongs to the scoring server."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="ingestion", daemon=True).start()

    @property
    def url(self) -> str:
        """The ingestion endpoint, for a connection string."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Store the items of one request.

        Returns:
            Status and answer.

        Source: Breeze's track endpoint, as azure-monitor-opentelemetry-exporter uses it.
        """
        try:
            items = json.loads(body) if path.partition("?")[0].rstrip("/").endswith("/track") else None
        except ValueError:
            items = None
        if not isinstance(items, list):
            return 400, {"itemsReceived": 0, "itemsAccepted": 0, "errors": []}
        known: list[dict[str, Any]] = []
        errors = []
        for index, item in enumerate(items):
            if isinstance(item, dict) and item.get("iKey") == self._key:
                known.append(item)
            else:
                errors.append({"index": index, "statusCode": 400, "message": "Invalid instrumentation key"})
        try:
            self._keep("".join(f"{json.dumps(item)}\n" for item in known).encode())
        except OSError as error:
            # After this answer the exporter keeps the items, and sends them again.
            refused = {"index": 0, "statusCode": 503, "message": error.strerror}
            return 503, {"itemsReceived": len(items), "itemsAccepted": 0, "errors": [refused]}
        answer = {"itemsReceived": len(items), "itemsAccepted": len(known), "errors": errors}
        return (400 if items and not known else 206 if errors else 200), answer

    def _keep(self, lines: bytes) -> None:
        """Append lines, either all or none.

        Raises:
            OSError: the disk is full.
        """
        if not lines:
            return
        with self._lock:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                before = file.seek(0, os.SEEK_END)
                try:
                    left = memoryview(lines)
                    while left:
                        left = left[file.write(left) or 0 :]
                except OSError:
                    file.truncate(before)
                    raise
                length = file.tell()
            if length > MOST_BYTES:
                halve(self._file)


def halve(file: Path) -> None:
    """Drop the older half of a file of lines to which another process may be appending.

    A line that it appends at this moment may be lost.
    """
    with file.open("r+b") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(size - size // 2)
        opened.readline()  # the rest of a line
        newer = opened.read()
        opened.seek(0)
        opened.write(newer)
        opened.truncate()
