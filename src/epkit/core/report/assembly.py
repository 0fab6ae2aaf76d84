"""Makes the report of a run, once, from what is known about the run and what its samples show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np

from epkit.core.report import health, slowest, workers
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.counters import Counters
from epkit.core.report.pace import Pace
from epkit.core.report.report import (
    FailureExample,
    Generator,
    Http,
    PhaseInfo,
    PlanInfo,
    Report,
    Run,
    Search,
    Throughput,
    Tool,
    Validity,
    Window,
)
from epkit.core.report.slo import Slo, evaluate
from epkit.core.report.summary import Summary
from epkit.core.report.workers import WorkerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The server, as far as only the engine and the target know it; the fields are those of `Http`."""

    server: str
    host: str
    port: int
    path: str
    tls: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine's counters that the samples do not contain.

    Args:
        connections: number of connections that were opened.
        closed: replies after which the connection could not be used again; None if it is not known.
        retried: requests sent again because their connection was dead.
        unsolicited: replies that were followed by unexpected bytes.
        wire_bytes: size of the request with each payload, by the payload's index.
        unsent: requests that never found a connection, by the payload's index.
    """

    connections: int = 0
    closed: int | None = None
    retried: int = 0
    unsolicited: int = 0
    wire_bytes: Sequence[int] = ()
    unsent: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownRun:
    """The data about a run that is not in its samples.

    Args:
        cpu_s: CPU time of the generator, user and system.
        max_in_flight: greatest number of requests in flight.
        drifts_ns: how late each heartbeat of the generator was.
        deployments: their names by index; index 0 is *not named*.
        failures: the first reply of each kind of failure.
    """

    tool: Tool
    run: Run
    plan: PlanInfo
    peer: Peer
    engine: EngineFacts
    cpu_s: float = 0.0
    max_in_flight: int = 0
    drifts_ns: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    deployments: Sequence[str] = ()
    failures: tuple[FailureExample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """The result of a load.

    Args:
        phases: each phase by itself, if there are several.
        search: what was searched for, and the result.
        sending_ns: time of the last request or the end of its schedule; None if rates are over the whole run.
        varied: whether the load was planned to change during the run; then no steady state is expected.
        reasons: reasons why it makes the run not valid.
        warnings: other remarks.
    """

    phases: tuple[PhaseInfo, ...] = ()
    search: Search | None = None
    sending_ns: int | None = None
    varied: bool = False
    reasons: Sequence[Caveat] = ()
    warnings: Sequence[Caveat] = ()


UNREMARKABLE: Final = LoadOutcome()
"""A load of one phase without remarks."""


def assemble(
    known: KnownRun,
    summary: Summary,
    outcome: LoadOutcome = UNREMARKABLE,
    *,
    records: Sequence[WorkerRecord] = (),
    slos: Sequence[Slo] = (),
) -> Report:
    """Make the report of a run; can be called at any time, and repeatedly.

    Args:
        summary: the samples of the measured phases.
        records: records of the workers, if there are several.
        slos: objectives by which the run is judged.
    """
    plan, seconds, counters = known.plan, known.run.duration_s, summary.counters
    # A float represents every whole nanosecond up to a hundred days.
    duration_ns = round(seconds * 1e9)
    counts = counters.counts(known.engine.retried)
    latencies, clamped = summary.latencies(closed=plan.model == "closed")
    timeline = summary.timeline(duration_ns)
    http = _http(known, counters)
    pace = summary.pace(outcome.sending_ns, duration_ns)
    lag_ms = health.lag(known.drifts_ns)
    slow_client = health.limited(lag_ms, len(known.drifts_ns), latencies.service or latencies.failed)
    crew = workers.describe(records, seconds, pace.over_ns / 1e9)
    slow_workers = workers.limited(records, crew, latencies)
    throughput = Throughput(
        requests_per_s=pace.per_s(pace.completed),
        ok_per_s=pace.per_s(pace.ok),
        bytes_in_per_s=pace.per_s(pace.received),
        bytes_out_per_s=pace.per_s(http.bytes_out),
        sending_s=pace.sending_s,
        rows_per_s=pace.rows_per_s,
    )
    reasons = _found(
        None if counts.ok else _fruitless(counts.sent),
        slow_client,
        health.crowd(plan.concurrency, counts.sent, pace.in_flight_ns, pace.over_ns)
        if plan.model == "closed" and not outcome.varied
        else None,
        *outcome.reasons,
        *workers.lost(records),
        *(() if slow_client else slow_workers),
    )
    return Report(
        tool=known.tool,
        run=known.run,
        plan=plan,
        counts=counts,
        throughput=throughput,
        latency_ms=latencies,
        http=http,
        generator=Generator(
            cpu_us_per_request=known.cpu_s * 1e6 / counts.sent if counts.sent else 0.0,
            cpu_utilisation=known.cpu_s / seconds if duration_ns > 0 else 0.0,
            lag_ms=lag_ms,
            limited=bool(slow_client or slow_workers),
            late_starts=0 if plan.model == "closed" else counters.late,
            max_in_flight=known.max_in_flight,
            start_spread_ms=workers.start_spread_ms(records),
        ),
        validity=Validity(valid=not reasons, reasons=reasons),
        thresholds=evaluate(slos, counts=counts, throughput=throughput, latency_ms=latencies),
        deployments=summary.deployments(known.deployments),
        series=timeline,
        failures=known.failures,
        phases=outcome.phases,
        search=outcome.search,
        warnings=_found(
            health.unsupported(latencies.service),
            None if outcome.varied else health.unsteady(_while_sending(timeline, pace, seconds)),
            None if summary.complete else _blurred(summary),
            _clamped(clamped) if clamped else None,
            *outcome.warnings,
            _unsolicited(known.engine.unsolicited) if known.engine.unsolicited else None,
            workers.doubtful_clocks(crew, latencies),
        ),
        workers=crew,
        slowest=slowest.describe(summary.slowest(), known.run, outcome.phases),
    )


def _while_sending(timeline: Sequence[Window], pace: Pace, seconds: float) -> Sequence[Window]:
    """Leave out the windows after the last request: their throughput necessarily falls."""
    ends = [*(window.t_s for window in timeline[1:]), seconds]
    middles = [(window.t_s + end) / 2 for window, end in zip(timeline, ends, strict=True)]
    return [window for window, middle in zip(timeline, middles, strict=True) if middle * 1e9 <= pace.over_ns]


def _http(known: KnownRun, counters: Counters) -> Http:
    """Join the engine's data about the exchange with what the samples show."""
    engine = known.engine
    written = {index: n - engine.unsent.get(index, 0) for index, n in counters.payloads.items()}
    completed = counters.counts().completed
    return Http(
        **asdict(known.peer),
        document_bytes=counters.document_bytes,
        length_differs=counters.length_differs,
        bytes_in=counters.received,
        bytes_out=sum(n * engine.wire_bytes[index] for index, n in written.items()),
        body_bytes_in=counters.body,
        kept_alive=0 if engine.closed is None else max(0, completed - engine.closed),
        connections=engine.connections,
        non_2xx=counters.non_2xx,
        connect_failed=counters.connect_failed,
        receive_failed=counters.receive_failed,
    )


def _found(*caveats: Caveat | None) -> tuple[Caveat, ...]:
    return tuple(caveat for caveat in caveats if caveat is not None)


def _fruitless(sent: int) -> Caveat:
    if sent:
        return Caveat(kind=CaveatKind.NO_SUCCESS, text="no request succeeded")
    return Caveat(kind=CaveatKind.NO_REQUEST, text="no request was made")


def _blurred(summary: Summary) -> Caveat:
    text = (
        f"{summary.rows} requests: percentiles are from a histogram (right to 0.1 %), and the correlation for their "
        f"intervals comes from the first {summary.kept}"
    )
    return Caveat(kind=CaveatKind.HISTOGRAM, text=text)


def _clamped(requests: int) -> Caveat:
    text = f"latencies of more than 2.4 h count as 2.4 h: {requests} requests"
    return Caveat(kind=CaveatKind.CLAMPED, text=text)


def _unsolicited(replies: int) -> Caveat:
    text = f"{replies} replies were followed by unexpected bytes"
    return Caveat(kind=CaveatKind.UNSOLICITED, text=text)
