"""The result of a run: a tree of frozen values. Reporters render it, and the JSON document has the same fields.

Field names are those of the JSON report (`epkit.report/1`). Times are floats in milliseconds; everywhere else they are
nanoseconds. `epkit.core.report.assembly` makes a `Report`; nothing changes one.
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
    """The parts of a request; None if nothing was measured.

    service: first byte written (or connect, on a new connection) → last byte read. response: due → last byte read.
    connect: TCP, of new connections. tls: handshake, of new connections. waiting: last byte written → first read.
    processing: service minus connect and tls. transfer: first byte read → last. server: time that the server reports.
    network: service minus server. failed: service time of the failed requests.
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
    """The ids that the requests of a run had.

    Args:
        header: name of the header with the id.
        begin_ns: start of the measured phases, ns since the start of the run: ids are counted from it.
    """

    header: str
    begin_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution: its time, its target, and whether it is complete."""

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
        """Return the id of a request; None if requests had no ids.

        Args:
            start_ns: its start, since the start of the measured phases.
        """
        sent = self.request_ids
        return None if sent is None else RequestIds(header=sent.header, run=self.id).text(start_ns + sent.begin_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInfo:
    """The plan of a run."""

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
    """Requests by outcome: sent = ok + failed; completed: those with a complete reply, whatever its content."""

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
        sending_s: time from the start to the last request or the end of its schedule. Rates count what had ended by
            then. None if they are over the whole run, because fewer than half of the requests had ended.
        rows_per_s: rows of the successful requests; None if a payload has no known number of rows.
    """

    requests_per_s: float
    ok_per_s: float
    bytes_in_per_s: float
    bytes_out_per_s: float
    sending_s: float | None = None
    rows_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The server and the amount of data; the head of ab's report is made from it.

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
    """The health of the load generator, of all its workers together.

    Args:
        start_spread_ms: time between the start of the first worker and that of the last one.
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
    """Whether the results are reliable, and if not, why."""

    valid: bool
    reasons: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One objective and its result."""

    expression: str
    observed: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentInfo:
    """The replies of one deployment behind the endpoint."""

    ok: int
    failed: int
    service: Distribution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One interval of the time series; p50 and p99 are service times of its successes, None if it has none."""

    t_s: float
    requests_per_s: float
    p50: float | None
    p99: float | None
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureExample:
    """One kind of failure: its number; for its first reply, the status, the text (masked), and what to do.

    Args:
        id: id of the first of these requests; None if it had none, or was never sent.
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
        id: its id; None if requests had no ids.
        start_s: its start, since the start of the measured phases.
        service: its service time, ms.
        phase: the phase in which it was due, if there are several.
    """

    id: str | None = field(metadata=OWN)
    start_s: float
    service: float
    status: int
    phase: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseInfo:
    """One phase of a run with several phases.

    Args:
        load: a short name: `c=8`, `50/s`, `50..500/s`.
        measured: whether it counts in the report as a whole; a warm-up does not.
        begin_s: its start, since the start of the run.
        late_starts: requests that started later than they were due.
        sending_s, rows_per_s: as in `Throughput`, since the start of the phase.
        mark: its role in a search (`knee`, `met`, `missed`, `saturated`), or None.
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
        """Successes per second of the time of sending; in runs that an older epkit saved, of the whole phase."""
        if self.ok_per_s is None:
            return self.ok / self.duration_s if self.duration_s else 0.0
        return self.ok_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One of several workers that made the load together.

    Args:
        host: name of its machine.
        p50, p99: of its service times, in ms, right to 0.1 %; None if it had no success.
        start_ms: its start, after that of the first worker.
        clock_offset_ms, clock_error_ms: lead of its clock over that of the merging process, and the possible error.
        lost: why it was lost; None if it completed its part.
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
    """The result of a search over several phases.

    Args:
        kind: `find-max`, `knee`, `until` or `batch-rows`.
        expression: what was searched for, as the user wrote it.
        value: the rate, concurrency or number of rows that was found, or the half width that was reached; None if there
            is none.
        above: the lowest load that was too high; None if there is none.
        confirmed: whether the limit is also met by the 95 % interval of the observed value.
        words: the result as a sentence.
    """

    kind: str = field(metadata=OWN)
    expression: str
    value: float | None
    above: float | None
    confirmed: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """A point of a sweep of batch sizes: the result for a number of rows per request and of requests in flight.

    Args:
        rows, concurrency: of the point.
        words: why its measurement was stopped, or why it is not chosen; may be empty.
        rounds: number of rounds in which it was measured, including a confirmation.
        sending_s: total time during which requests were sent.
        body_bytes: mean size of a request's body.
        rows_per_s: rows of the successful requests; `rows_ci95` is its 95 % interval, None for fewer than two rounds.
        service: service times of all rounds together.
        p99_ci95: 95 % interval of its p99, in ms; computed from the rounds if the sample itself is too small.
        is_front: whether no other point has more rows per second and a lower p99.
        failure: its most frequent failure.
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
        """A short name of the point: `rows=100 c=4`."""
        return f"rows={self.rows} c={self.concurrency}"

    @property
    def p99(self) -> float | None:
        """In ms; None if there is no success."""
        return None if self.service is None else self.service.percentiles["99"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A sweep of batch sizes.

    Args:
        points: ordered by rows, then by concurrency.
        chosen: index of the point to use; None if no point meets the objectives.
        command: a command line of `epkit score` that uses it; may be empty.
        notes: remarks that the command does not contain.
    """

    points: tuple[GridPoint, ...]
    chosen: int | None
    command: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Displayed):
    """The whole result of a run."""

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
