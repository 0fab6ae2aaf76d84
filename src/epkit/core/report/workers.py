"""The workers in a report: each of them, and the problems of their parts of the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.report import health
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import Latencies, WorkerInfo
from epkit.core.stats.histogram import Histogram
from epkit.core.stats.percentiles import PS

DOUBTFUL: Final = 0.05
"""A clock error is reported if it exceeds this fraction of the median latency."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerRecord:
    """The data of one worker's part of a run.

    Args:
        host: name of its machine.
        planned: number of its requests; None if only time limits it.
        service: its service times.
        began_ns: its start, on the clock of the process that merges; None if it has not reported it.
        cpu_s: CPU time of its part.
        drifts_ns: how late each of its heartbeats was; None if it was lost before its report.
        clock_offset_ns, clock_error_ns: lead of its clock over that of the merging process, and the possible error.
        lost: why it was lost; None if it completed its part.
    """

    name: str
    host: str
    sent: int
    failed: int
    planned: int | None
    service: Histogram
    began_ns: int | None
    cpu_s: float
    drifts_ns: np.ndarray | None
    clock_offset_ns: int
    clock_error_ns: int
    lost: str | None = None


def describe(records: Sequence[WorkerRecord], duration_s: float, sending_s: float) -> tuple[WorkerInfo, ...]:
    """Return the description of each worker.

    Args:
        duration_s: duration of the run.
        sending_s: the time over which rates are computed.
    """
    first_ns = min(_starts(records), default=0)
    return tuple(_describe(record, first_ns, duration_s, sending_s) for record in records)


def start_spread_ms(records: Iterable[WorkerRecord]) -> float:
    """Return the time between the start of the first worker and that of the last one."""
    starts = _starts(records)
    return (max(starts) - min(starts)) / 1e6 if starts else 0.0


def lost(records: Iterable[WorkerRecord]) -> list[Caveat]:
    """Report the workers that were lost, and their parts of the plan."""
    return [_lost(record) for record in records if record.lost is not None]


def limited(records: Sequence[WorkerRecord], infos: Sequence[WorkerInfo], latencies: Latencies) -> list[Caveat]:
    """Report the workers that measured themselves instead of the server.

    Args:
        infos: of the same workers, from `describe`.
    """
    times = latencies.service or latencies.failed
    found = []
    for record, info in zip(records, infos, strict=True):
        beats = 0 if record.drifts_ns is None else len(record.drifts_ns)
        if slow := health.limited(info.lag_ms, beats, times):
            found.append(slow.about(info.name))
    return found


def doubtful_clocks(infos: Iterable[WorkerInfo], latencies: Latencies) -> Caveat | None:
    """Report how far apart the workers' clocks may be, if this matters for the results."""
    worst = max((info.clock_error_ms for info in infos), default=0.0)
    if latencies.service is None or worst <= DOUBTFUL * latencies.service.percentiles["50"]:
        return None
    text = (
        f"worker clocks agree only to ±{worst:.3g} ms: start times and time series may be off by that much (latencies "
        "are not affected)"
    )
    return Caveat(kind=CaveatKind.CLOCKS, text=text)


def _starts(records: Iterable[WorkerRecord]) -> list[int]:
    return [record.began_ns for record in records if record.began_ns is not None]


def _describe(record: WorkerRecord, first_ns: int, seconds: float, sending_s: float) -> WorkerInfo:
    sent, service = record.sent, record.service
    p50, p99 = (service.percentile(PS[key]) / 1e6 if service.count else None for key in ("50", "99"))
    return WorkerInfo(
        name=record.name,
        host=record.host,
        sent=sent,
        ok=sent - record.failed,
        failed=record.failed,
        requests_per_s=sent / sending_s if sending_s else 0.0,
        p50=p50,
        p99=p99,
        start_ms=0.0 if record.began_ns is None else (record.began_ns - first_ns) / 1e6,
        clock_offset_ms=record.clock_offset_ns / 1e6,
        clock_error_ms=record.clock_error_ns / 1e6,
        cpu_us_per_request=record.cpu_s * 1e6 / sent if sent else 0.0,
        cpu_utilisation=record.cpu_s / seconds if seconds else 0.0,
        lag_ms=health.lag(record.drifts_ns if record.drifts_ns is not None else np.empty(0, dtype=np.int64)),
        lost=record.lost,
    )


def _lost(record: WorkerRecord) -> Caveat:
    after = f"after {record.sent} requests"
    if record.planned is not None:
        after = f"after {record.sent} of its {record.planned} requests"
    where = f" ({record.host})" if record.host and record.host not in record.name else ""
    text = f"{record.name}{where} was lost {after}, the rest of them is missing: it {record.lost}"
    return Caveat(kind=CaveatKind.WORKER_LOST, text=text)
