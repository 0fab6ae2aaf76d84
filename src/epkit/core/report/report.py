"""The result of a run: a frozen tree of values, which reporters render and the JSON document mirrors.

Field names are those of the JSON report (`epkit.report/1`); times are milliseconds as floats, because only here
do nanoseconds end. `epkit.core.report.summary` makes a `Report`; nothing changes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from epkit.core.display import Displayed
from epkit.core.http.masking import OWN
from epkit.core.http.request_ids import RequestIds
from epkit.core.load.grid import GridState
from epkit.core.report.caveats import Caveat
from epkit.core.stats.distribution import Distribution

FORMAT: Final = "epkit.report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """The parts of a request; None where nothing was measured.

    service: first byte written (or connect, on a new connection) → last byte read. response: due → last byte read.
    connect: TCP, of new connections. tls: handshake, of new connections. waiting: last byte written → first read.
    processing: service less connect and tls. transfer: first byte read → last. server: what the server says it
    spent. network: service less server. failed: service time of the failed requests.
    """

    service: Distribution | None = None
    response: Distribution | None = None
    connect: Distribution | None = None
    tls: Distribution | None = None
    waiting: Distribution | None = None
    processing: Distribution | None = None
    transfer: Distribution | None = None
    server: Distribution | None = None
    network: Distribution | None = None
    failed: Distribution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What measured."""

    version: str = field(metadata=OWN)
    engine: str = field(metadata=OWN)
    python: str = field(metadata=OWN)
    platform: str = field(metadata=OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadInfo:
    """A payload without its bytes."""

    name: str
    sha256: str = field(metadata=OWN)
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentIds:
    """How the requests of a run were named to the server.

    Args:
        header: the header that each was sent with.
        begin_ns: when the measured phases began, ns since the run did: from then on an id counts.
    """

    header: str
    begin_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution: when, of what, how complete."""

    id: str = field(metadata=OWN)
    started_at: str = field(metadata=OWN)  # RFC 3339, UTC
    duration_s: float
    target: str  # masked
    method: str
    partial: bool
    seed: int
    payloads: tuple[PayloadInfo, ...]
    request_ids: SentIds | None = None

    def request_id(self, start_ns: int) -> str | None:
        """Return the id of a request, None where requests had none.

        Args:
            start_ns: when it started, since the measured phases began.
        """
        sent = self.request_ids
        return None if sent is None else RequestIds(header=sent.header, run=self.id).text(start_ns + sent.begin_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInfo:
    """The plan as asked for."""

    model: str = field(metadata=OWN)
    concurrency: int
    requests: int | None
    duration_s: float | None
    rate: float | None = None
    arrivals: str | None = field(default=None, metadata=OWN)
    warmup: str | None = None
    workers: int = 1
    timeout_s: float = 60.0
    keepalive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Requests by outcome: sent = ok + failed; completed = those with a whole reply, whatever it said."""

    sent: int
    completed: int
    ok: int
    failed: int
    retried: int
    failures: Mapping[str, int]  # all nine kinds, zeros included
    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Completed work per second of the time of sending.

    Args:
        sending_s: from the beginning to the last request that was sent, or to the end of its schedule; the rates are of
            what was over by then. None where they are over the whole run: fewer than half of the requests were.
        rows_per_s: rows of the requests that succeeded; None where a payload does not tell how many it holds.
    """

    requests_per_s: float
    ok_per_s: float
    bytes_in_per_s: float
    bytes_out_per_s: float
    sending_s: float | None = None
    rows_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """What was talked to and how much was said; ab's head block is made of it.

    Args:
        server: the Server header's first word, "" where absent.
        document_bytes: body size of the first reply with a 2xx status, else of the first reply.
        length_differs: later replies whose body size differs from it (failures only in the ab view).
        tls: `TLSv1.3,TLS_AES_256_GCM_SHA384,2048,256` as ab prints it, or None.
        bytes_in, bytes_out: everything read and written, headers included; body_bytes_in: bodies alone.
        kept_alive: replies after which the connection could be used again.
        connect_failed, receive_failed: ab's Connect and Receive counters.
    """

    server: str
    host: str
    port: int
    path: str
    document_bytes: int
    length_differs: int
    tls: str | None
    server_name: str | None
    bytes_in: int
    bytes_out: int
    body_bytes_in: int
    kept_alive: int
    connections: int
    non_2xx: int
    connect_failed: int
    receive_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The health of the load generator itself: of all its workers together.

    Args:
        start_spread_ms: from when the first worker began to when the last one did.
    """

    cpu_us_per_request: float
    cpu_utilisation: float
    lag_ms: Mapping[str, float]  # p50, p99, max of the heartbeat's drift
    limited: bool
    late_starts: int
    max_in_flight: int
    start_spread_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Whether the numbers may be believed, and why not."""

    valid: bool
    reasons: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One SLO and how it went."""

    expression: str
    observed: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentInfo:
    """What one deployment behind the endpoint answered."""

    ok: int
    failed: int
    service: Distribution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One stretch of the time series; p50 and p99 are service times of its successes, None without any."""

    t_s: float
    requests_per_s: float
    p50: float | None
    p99: float | None
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureExample:
    """One kind of failure: how often, and of its first reply the status, what it said (masked), and what to do.

    Args:
        id: that the first of these requests was sent with; None where it had none, or was never sent.
    """

    kind: str = field(metadata=OWN)
    count: int
    status: int
    detail: str
    advice: str
    id: str | None = field(default=None, metadata=OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowRequest:
    """One of the slowest requests.

    Args:
        id: that it was sent with; None where requests had none.
        start_s: when it started, since the measured phases began.
        service: its service time, ms.
        phase: the one in which it was due, where there are several.
    """

    id: str | None = field(metadata=OWN)
    start_s: float
    service: float
    status: int
    phase: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseInfo:
    """One phase of a run of several, by itself.

    Args:
        load: in short: `c=8`, `50/s`, `50..500/s`.
        measured: whether the report as a whole counts it; the warm-up is not.
        begin_s: since the run began.
        late_starts: requests that started later than they were due.
        sending_s, rows_per_s: as in `Throughput`, since the phase began.
        mark: what was found out about it (`knee`, `met`, `missed`, `saturated`), or None.
    """

    name: str
    load: str
    measured: bool
    begin_s: float
    duration_s: float
    sent: int
    ok: int
    failed: int
    requests_per_s: float
    late_starts: int
    max_in_flight: int
    service: Distribution | None
    response: Distribution | None
    mark: str | None = None
    ok_per_s: float | None = None
    sending_s: float | None = None
    rows_per_s: float | None = None

    @property
    def successes_per_s(self) -> float:
        """Successes per second of the time of sending; of the phase, in what an older epkit saved."""
        if self.ok_per_s is None:
            return self.ok / self.duration_s if self.duration_s else 0.0
        return self.ok_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One of several workers that made the load together.

    Args:
        host: name of its machine.
        p50, p99: of its service times, in ms, right to 0.1 %; None without a success.
        start_ms: how long after the first worker it began.
        clock_offset_ms, clock_error_ms: how far its clock is ahead of that of who merged, and how wrong that may be.
        lost: why it is gone, None where it did its part to the end.
    """

    name: str
    host: str
    sent: int
    ok: int
    failed: int
    requests_per_s: float
    p50: float | None
    p99: float | None
    start_ms: float
    clock_offset_ms: float
    clock_error_ms: float
    cpu_us_per_request: float
    cpu_utilisation: float
    lag_ms: Mapping[str, float]
    lost: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was looked for over several phases, and found.

    Args:
        kind: `find-max`, `knee`, `until` or `batch-rows`.
        expression: what was asked for.
        value: the rate, concurrency or number of rows that was found, or the half width that was reached; None where
            there is none.
        above: the lowest load that was found to be too much, None where none was.
        confirmed: whether the 95 % interval of what was observed keeps the limit too.
        words: the same in a sentence.
    """

    kind: str = field(metadata=OWN)
    expression: str
    value: float | None
    above: float | None
    confirmed: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """A point of a sweep of batch sizes: what a number of rows in a request and of requests in flight gives.

    Args:
        rows, concurrency: of the point.
        words: why it was measured no further, or is not chosen; empty where there is nothing to say.
        rounds: in which it was measured, a confirmation included.
        sending_s: in which requests were sent, in all of them.
        body_bytes: of a request, in the mean.
        rows_per_s: of the requests that succeeded; `rows_ci95` is its 95 % interval, None of fewer than two rounds.
        service: of its requests, all rounds together.
        p99_ci95: 95 % interval of its p99, in ms; of the rounds where the sample is too small for one by itself.
        is_front: whether no other point has more rows per second and a lower p99.
        failure: what most of its failures were.
        doubts: why its measurement is not valid.
    """

    rows: int
    concurrency: int
    state: GridState
    words: str
    rounds: int
    sending_s: float
    body_bytes: int
    sent: int
    ok: int
    failed: int
    rows_per_s: float
    rows_ci95: tuple[float, float] | None
    service: Distribution | None
    p99_ci95: tuple[float, float] | None = None
    is_front: bool = False
    failure: FailureExample | None = None
    doubts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The point in short: `rows=100 c=4`."""
        return f"rows={self.rows} c={self.concurrency}"

    @property
    def p99(self) -> float | None:
        """In ms; None without a success."""
        return None if self.service is None else self.service.percentiles["99"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A sweep of batch sizes.

    Args:
        points: by rows and then by concurrency.
        chosen: index of the point to use, None where no point keeps the objectives.
        command: the line of `epkit score` that uses it; empty where there is none.
        notes: what the line does not say.
    """

    points: tuple[GridPoint, ...]
    chosen: int | None
    command: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Displayed):
    """Everything a run has to say."""

    tool: Tool
    run: Run
    plan: PlanInfo
    counts: Counts
    throughput: Throughput
    latency_ms: Latencies
    http: Http
    generator: Generator
    validity: Validity
    thresholds: tuple[Threshold, ...]
    deployments: Mapping[str, DeploymentInfo]
    series: tuple[Window, ...]
    failures: tuple[FailureExample, ...] = ()
    phases: tuple[PhaseInfo, ...] = ()
    search: Search | None = None
    warnings: tuple[Caveat, ...] = ()
    workers: tuple[WorkerInfo, ...] = ()
    slowest: tuple[SlowRequest, ...] = ()
    grid: Grid | None = None
