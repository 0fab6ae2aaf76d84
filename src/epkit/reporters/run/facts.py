"""The names of a report's fields on a page."""

from collections.abc import Iterable, Mapping
from typing import Final

from epkit.core.report.document import to_plain
from epkit.core.report.report import Report
from epkit.reporters.parts.facts import Fact, facts, named

PARTS: Final = ("tool", "run", "plan", "counts", "throughput", "http", "generator", "validity")
"""The parts of a report that no other table of the page shows."""

WORDS: Final[Mapping[str, Fact]] = named(
    plain={
        "tool.version": "version of epkit",
        "tool.engine": "engine that sent the requests",
        "tool.python": "version of Python",
        "tool.platform": "platform",
        "run.id": "run",
        "run.started_at": "started at",
        "run.target": "target",
        "run.method": "method",
        "run.partial": "ended early",
        "run.request_ids.header": "header with the id of a request",
        "run.payloads.*.name": "payload {}",
        "run.payloads.*.sha256": "SHA-256 of payload {}",
        "plan.model": "model of the load",
        "plan.concurrency": "most requests in flight, as planned",
        "plan.requests": "requests, as planned",
        "plan.arrivals": "arrivals",
        "plan.warmup": "warm-up",
        "plan.workers": "workers",
        "plan.keepalive": "connections are kept alive",
        "counts.sent": "requests sent",
        "counts.completed": "requests with a whole reply",
        "counts.ok": "requests that succeeded",
        "counts.failed": "requests that failed",
        "counts.retried": "requests that were sent again on another connection",
        "counts.failures.*": "failures of the kind {}",
        "counts.statuses.*": "replies with the status {}",
        "http.server": "server software",
        "http.host": "host",
        "http.path": "path",
        "http.length_differs": "replies of another length than the first",
        "http.tls": "TLS",
        "http.server_name": "server name in the TLS handshake",
        "http.kept_alive": "replies after which the connection could be used again",
        "http.connections": "connections",
        "http.non_2xx": "replies with a status other than 2xx",
        "http.connect_failed": "failed connects",
        "http.receive_failed": "failed receives",
        "generator.limited": "the load generator was the limit",
        "generator.late_starts": "requests that started late",
        "generator.max_in_flight": "most requests in flight, as measured",
        "validity.valid": "the numbers are valid",
        "validity.reasons.*": "why they are not valid, {}",
    },
    number={"run.seed": "seed", "http.port": "port"},
    share={"generator.cpu_utilisation": "CPU of the load generator, of one core"},
    **{
        "s": {
            "run.duration_s": "time taken",
            "plan.duration_s": "time, as planned",
            "plan.timeout_s": "timeout of a request",
            "throughput.sending_s": "time of sending, which rates are over",
        },
        "ms": {
            "generator.lag_ms.*": "lag of the load generator, {}",
            "generator.start_spread_ms": "time between the starts of the first and the last worker",
        },
        "ns": {"run.request_ids.begin_ns": "begin of the measured phases, as ids count it"},
        "µs": {"generator.cpu_us_per_request": "CPU of the load generator per request"},
        "/s": {
            "plan.rate": "rate, as planned",
            "throughput.requests_per_s": "rate of requests with a whole reply",
            "throughput.ok_per_s": "rate of requests that succeeded",
            "throughput.rows_per_s": "rate of rows in requests that succeeded",
        },
        "bytes": {
            "run.payloads.*.bytes": "size of payload {}",
            "http.document_bytes": "size of the first reply's body",
            "http.bytes_in": "received, with headers",
            "http.bytes_out": "sent, with headers",
            "http.body_bytes_in": "received, bodies alone",
        },
        "bytes/s": {
            "throughput.bytes_in_per_s": "rate of bytes received",
            "throughput.bytes_out_per_s": "rate of bytes sent",
        },
    },
)
"""Descriptions by the path in the report; a test checks that no field is missing."""


def everything(report: Report) -> Iterable[tuple[str, str]]:
    """Yield the values that no other table of the page shows, as text."""
    for name in PARTS:
        document = to_plain(getattr(report, name))
        document.pop("reason_kinds", None)  # for epkit's own use; the reasons are sentences
        if name == "counts":
            document["failures"] = {kind: count for kind, count in document["failures"].items() if count}
        yield from facts(WORDS, name, document)
