"""Converts the state of a run to metrics of OpenTelemetry's SDK; all are cumulative since the run began.

Source: OpenTelemetry, Semantic Conventions for HTTP Client Metrics (`http.client.request.duration`,
`http.client.active_requests`) and for recording errors (`error.type`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from epkit.core.report.outcomes import OutcomeSeries, OutcomeSnapshot
from epkit.core.samples.rows import Failure
from epkit.core.stats.exponential import ExponentialBuckets, coarsened

Attributes = Mapping[str, str | int | bool]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Methods that keep their names; all others become `_OTHER`."""

OVERFLOWN: Final = {"otel.metric.overflow": True}
"""Marks the sum of all series beyond the limit, as the SDK does."""

NOTHING: Final = Buckets(offset=0, bucket_counts=[])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRun:
    """The description of a run in its metrics. No text in it contains a credential.

    Args:
        target: name of the target, or its URL without a query.
        address: host of the endpoint, or the path of its socket.
        port: None for a socket.
        phases: names of the phases, in order.
        started_ns: start of the run, ns since the epoch.
    """

    id: str
    target: str
    method: str
    scheme: str
    address: str
    port: int | None
    phases: tuple[str, ...]
    started_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFrame:
    """The state of a run at a time, ns since the epoch."""

    run: ExportedRun
    snapshot: OutcomeSnapshot
    now_ns: int


@dataclass(frozen=True, slots=True)
class MetricsMaker:
    """Makes metrics from frames.

    Args:
        version: version of epkit.
    """

    version: str
    resource: Resource = field(init=False)

    def __post_init__(self) -> None:
        # `create` adds the attributes in OTEL_RESOURCE_ATTRIBUTES.
        made = Resource.create({"service.name": "epkit", "service.version": self.version})
        object.__setattr__(self, "resource", made)

    def __call__(self, frame: ExportFrame) -> MetricsData:
        """Return the metrics of a frame."""
        scope = ScopeMetrics(
            scope=InstrumentationScope("epkit", self.version), metrics=list(_metrics(frame)), schema_url=""
        )
        whole = ResourceMetrics(resource=self.resource, scope_metrics=[scope], schema_url=self.resource.schema_url)
        return MetricsData(resource_metrics=[whole])


def _metrics(frame: ExportFrame) -> Iterator[Metric]:
    snapshot, run = frame.snapshot, frame.run
    common = _common(run)

    def named(phase: int) -> Attributes:
        return {**common, "epkit.phase": run.phases[phase]}

    counts, failures = Counter({snapshot.phase: 0}), Counter[tuple[int, str]]()
    points = []
    for series in snapshot.series:
        counts[series.phase] += series.durations.count
        attributes = {**named(series.phase)}
        if series.status:
            attributes["http.response.status_code"] = series.status
        if series.failure:
            attributes["error.type"] = error_type(series)
            failures[series.phase, error_type(series)] += series.durations.count
        points.append(_histogram_point(series.durations, attributes, frame))
    whole = [_number(count, named(phase), frame) for phase, count in counts.items()]
    if snapshot.overflow is not None:
        points.append(_histogram_point(snapshot.overflow, {**common, **OVERFLOWN}, frame))
        whole.append(_number(snapshot.overflow.count, {**common, **OVERFLOWN}, frame))
    yield _sum("epkit.request.count", "Requests that ended", whole)
    if failures:
        failed = [_number(n, {**named(phase), "error.type": kind}, frame) for (phase, kind), n in failures.items()]
        yield _sum("epkit.request.failures", "Requests that failed", failed)
    # A phase that is over is sent too, with 0: otherwise a dashboard would show its last value for minutes.
    flying = [_number(snapshot.in_flight * (phase == snapshot.phase), named(phase), frame) for phase in counts]
    yield _sum("http.client.active_requests", "Requests in flight, mean since the last time", flying, monotonic=False)
    if points:
        yield Metric(
            name="http.client.request.duration",
            description="Duration of HTTP client requests",
            unit="s",
            data=ExponentialHistogram(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE),
        )


def error_type(series: OutcomeSeries) -> str:
    """Return the name of a failure: its status, if that is the reason, otherwise its kind in the report."""
    return str(series.status) if series.failure is Failure.STATUS else series.failure.name.lower()


def _common(run: ExportedRun) -> dict[str, str | int | bool]:
    known = {
        "epkit.run.id": run.id,
        "epkit.target": run.target,
        "http.request.method": run.method if run.method in METHODS else "_OTHER",
        "url.scheme": run.scheme,
        "server.address": run.address,
        "server.port": run.port,
    }
    return {name: value for name, value in known.items() if value is not None}


def _sum(name: str, description: str, points: list[NumberDataPoint], *, monotonic: bool = True) -> Metric:
    data = Sum(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE, is_monotonic=monotonic)
    return Metric(name=name, description=description, unit="{request}", data=data)


def _number(value: float, attributes: Attributes, frame: ExportFrame) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=attributes, start_time_unix_nano=frame.run.started_ns, time_unix_nano=frame.now_ns, value=value
    )


def _histogram_point(
    durations: ExponentialBuckets, attributes: Attributes, frame: ExportFrame
) -> ExponentialHistogramDataPoint:
    scale, offset, counts = coarsened(durations)
    return ExponentialHistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=frame.run.started_ns,
        time_unix_nano=frame.now_ns,
        count=durations.count,
        sum=durations.sum_s,
        scale=scale,
        zero_count=durations.zeros,
        positive=Buckets(offset=offset, bucket_counts=counts.tolist()),
        negative=NOTHING,
        flags=0,
        min=durations.min_s,
        max=durations.max_s,
    )
