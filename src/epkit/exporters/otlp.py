"""Sends a run's metrics to an OpenTelemetry collector (OTLP over HTTP), in its own thread.

Theory of operation. Only the latest frame waits. A slow collector gets fewer frames; as all values are cumulative,
nothing is lost. A frame that was not delivered is not sent again, because the next one contains its values too. After a
failure there is a pause, which doubles each time. OpenTelemetry's own exporter encodes and sends. Its retries, which
sleep for up to a minute, never begin, because its session raises an exception for each frame that was not delivered.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics.export import MetricExportResult

from epkit.core.http.masking import clean
from epkit.errors import UsageError
from epkit.exporters.points import ExportFrame, MetricsMaker
from epkit.process import silenced

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses after one, two and more failures in a row."""

ANSWER_BYTES: Final = 16 * 1024
"""Greatest number of bytes that are read of an answer."""

ADVICE: Final = {
    301: "the redirect is not followed: give the URL that it leads to",
    401: "check OTEL_EXPORTER_OTLP_HEADERS",
    403: "check OTEL_EXPORTER_OTLP_HEADERS",
    404: "no receiver of OTLP over HTTP is at this URL",
}
"""Advice for the statuses of answers."""


class _UndeliveredError(Exception):
    """The collector did not accept a frame; the message is a short reason."""


class CollectorSession(requests.Session):
    """Sends a request once; follows no redirect, keeps no cookie, uses no proxy and no credentials of the machine.

    `problem` is why the last request delivered nothing; None if it delivered its frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # proxies and .netrc
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.problem: str | None = None
        self._is_kept = False

    def request(self, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
        """Send a request.

        Raises:
            _UndeliveredError: the answer is not 2xx, or there is none. OpenTelemetry's exporter does not repeat this.
        """
        options |= {"allow_redirects": False, "stream": True}
        self.problem = None
        try:
            try:
                response = super().request(method, url, *args, **options)
            except requests.ConnectionError as error:
                if not self._is_kept or isinstance(error, requests.Timeout):
                    raise
                # The collector may have closed a kept connection while the request was sent.
                response = super().request(method, url, *args, **options)
            body = _read(response)
        except (OSError, ValueError) as error:  # requests raises OSErrors, and a ValueError for a wrong URL or header
            self._is_kept = False
            self.problem = _reason(error)
            raise _UndeliveredError from None
        self._is_kept = len(body) <= ANSWER_BYTES
        self.problem = _refusal(response.status_code, body)
        if response.status_code // 100 != 2:
            raise _UndeliveredError
        return response


def _read(response: requests.Response) -> bytes:
    """Read an answer to its end, so that its connection can be used again; if it is too long, close the connection."""
    body = bytearray()
    for chunk in response.iter_content(ANSWER_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES:
            response.close()
            break
    return bytes(body)


def _refusal(status: int, body: bytes) -> str | None:
    """Return the meaning of a collector's answer; None if the collector accepted everything."""
    if status // 100 != 2:
        advice = ADVICE.get(301 if status // 100 == 3 else status)
        return f"it answered {status}" + (f": {advice}" if advice else "")
    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        return None  # JSON or a page: it was a 2xx
    if not partial.rejected_data_points:
        return None
    return (
        f"it refused {partial.rejected_data_points} of the values: {clean(partial.error_message) or 'no reason said'}"
    )


def _reason(error: BaseException) -> str:
    """Return a short reason why there was no answer: the system's message, if the system is the cause."""
    if isinstance(error, requests.ReadTimeout):
        return "it does not answer"
    if isinstance(error, ValueError):
        return type(error).__name__  # the message about an invalid header contains the header
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return clean(cause.strerror)
        cause = cause.__context__
    return clean(f"{type(error).__name__}: {error}")


class OtlpExporter:
    """A connection to a collector, and its thread."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], version: str) -> None:
        """Start the thread; nothing is sent until there is a frame.

        Args:
            endpoint: URL of the collector's metrics, without userinfo and query.
            headers: headers of each request; they may contain credentials.
            version: version of epkit.

        Raises:
            UsageError: an environment variable (`OTEL_EXPORTER_OTLP_…`) cannot be read.
        """
        self._session = CollectorSession()
        self._quiet = ExitStack()
        self._quiet.enter_context(silenced("opentelemetry", "urllib3"))
        try:
            self._exporter = OTLPMetricExporter(endpoint=endpoint, headers=dict(headers), session=self._session)
            self._make = MetricsMaker(version)
        except ValueError as error:
            self._quiet.close()
            raise UsageError(f"--otlp: a variable OTEL_EXPORTER_OTLP_… cannot be read: {clean(str(error))}") from None
        self._changed = threading.Condition()
        self._waiting: ExportFrame | None = None
        self._is_busy = self._is_stuck = self._is_closed = False
        self._failures = 0
        self._pause_until = 0.0
        self.problem: str | None = None
        """Why the last frame was not delivered; None if it was."""
        self._thread = threading.Thread(target=self._serve, name="epkit-otlp", daemon=True)
        self._thread.start()

    def offer(self, frame: ExportFrame) -> None:
        """Queue a frame for sending, unless the collector failed recently; returns at once."""
        if time.monotonic() >= self._pause_until:
            self._put(frame)

    def deliver(self, frame: ExportFrame, timeout_s: float) -> bool:
        """Send a frame now; return whether it was delivered.

        Args:
            timeout_s: longest time for this. If a collector has once exceeded it, there is no further wait until the
                collector has answered.
        """
        self._put(frame)
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._waiting is None and not self._is_busy, 0.0 if self._is_stuck else timeout_s
            )
            if not settled:
                self._is_stuck = True
                self.problem = self.problem or "it does not answer"
            return settled and self.problem is None

    def close(self) -> None:
        """Stop; a request in flight ends by itself."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            is_busy = self._is_busy
        if not is_busy:
            self._thread.join()

    def _put(self, frame: ExportFrame) -> None:
        with self._changed:
            self._waiting = frame
            self._changed.notify_all()

    def _serve(self) -> None:
        with self._quiet:
            while (frame := self._next()) is not None:
                problem = self._send(frame)
                with self._changed:
                    self._is_busy = self._is_stuck = False
                    self.problem = problem
                    self._failures = 0 if problem is None else self._failures + 1
                    if problem is not None:
                        pause_s = PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]
                        self._pause_until = time.monotonic() + pause_s
                    self._changed.notify_all()
            self._exporter.shutdown()
            self._session.close()

    def _next(self) -> ExportFrame | None:
        """Wait for a frame, and return it; None if there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._is_closed)
            frame, self._waiting = self._waiting, None
            self._is_busy = frame is not None
            return None if self._is_closed else frame

    def _send(self, frame: ExportFrame) -> str | None:
        """Send a frame; return why it was not delivered."""
        self._session.problem = None
        try:
            result = self._exporter.export(self._make(frame))
        except _UndeliveredError:
            return self._session.problem
        except Exception as error:  # noqa: BLE001 - a problem of the dashboard must not end the run
            return type(error).__name__
        if result is not MetricExportResult.SUCCESS and self._session.problem is None:
            return "OpenTelemetry's exporter could not send the values"
        return self._session.problem
