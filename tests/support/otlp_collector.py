"""A receiver of metrics by OTLP over HTTP. It decodes them with OpenTelemetry's own messages, and can misbehave.

One thread, loopback, a free port.
"""

import gzip
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A data point, with its attributes."""

    attributes: dict[str, Any]
    value: Any
    start_ns: int
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A request to the collector.

    Args:
        port: port of the client.
        headers: headers; the names are in lower case.
    """

    port: int
    path: str
    headers: dict[str, str]
    metrics: ExportMetricsServiceRequest

    def data(self, name: str) -> Any:
        """Return the metric with a name, None if there is none."""
        scope = self.metrics.resource_metrics[0].scope_metrics[0]
        found = [metric for metric in scope.metrics if metric.name == name]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def resource(self) -> dict[str, Any]:
        return attributes(self.metrics.resource_metrics[0].resource.attributes)

    def points(self, name: str) -> list[Point]:
        """Return the points of a metric."""
        metric = self.data(name)
        return [] if metric is None else list(_points(metric))

    def totals(self, name: str, by: str) -> Counter[Any]:
        """Sum a counter by an attribute."""
        totals: Counter[Any] = Counter()
        for point in self.points(name):
            totals[point.attributes.get(by)] += point.value
        return totals


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def _points(metric: Any) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        value = point if kind == "exponential_histogram" else getattr(point, point.WhichOneof("value"))
        yield Point(
            attributes=attributes(point.attributes),
            value=value,
            start_ns=point.start_time_unix_nano,
            time_ns=point.time_unix_nano,
        )


def bounds(point: Any, place: int) -> tuple[float, float]:
    """Return the bounds of the bucket of a rank (1 …) in an exponential histogram; only the upper is included."""
    seen = point.zero_count
    if place <= seen:
        return -1.0, 0.0
    for index, count in enumerate(point.positive.bucket_counts, point.positive.offset):
        seen += count
        if place <= seen:
            return 2.0 ** (index * 2.0**-point.scale), 2.0 ** ((index + 1) * 2.0**-point.scale)
    raise AssertionError(f"rank {place} of {seen}")


class OtlpCollector:
    """The receiver in its thread; a context manager.

    Attributes:
        posted: the requests, in order of arrival.
        status: status of its replies; None: it does not reply until `released` is set.
        headers: headers of its replies.
        body: body of its replies.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """Prepare a receiver that accepts everything.

        Args:
            tls: TLS context of an https receiver.
        """
        self.posted: list[Posted] = []
        self.status: int | None = 200
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self._scheme = "http" if tls is None else "https"
        self.released = threading.Event()
        self.arrived = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                collector._take(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that is gone, or does not trust us
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def last(self) -> Posted:
        return self.posted[-1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        metrics = ExportMetricsServiceRequest.FromString(body)
        self.posted.append(Posted(port=handler.client_address[1], path=handler.path, headers=headers, metrics=metrics))
        self.arrived.set()
        if self.status is None:
            self.released.wait(60)
            handler.close_connection = True
            return
        handler.send_response(self.status)
        for name, value in self.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(self.body)
