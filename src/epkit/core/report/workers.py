"""What a report says of the workers that made the load: each of them, and what of their part spoils the run."""

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
"""An error of the clocks matters where it is more than this share of the median latency."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerRecord:
    """What is known of one worker's part of a run.

    Args:
        host: name of its machine.
        planned: requests of its share, None where only time limits it.
        service: its service times.
        began_ns: when it began, by the clock of who merged; None where it never said so.
        cpu_s: process time that its part cost.
        drifts_ns: how late each of its heartbeats was; None where it was lost before it could say so.
        clock_offset_ns, clock_error_ns: how far its clock is ahead of that of who merged, and how wrong that may be.
        lost: why it is gone, None where it did its part to the end.
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
    """Describe each worker of a run.

    Args:
        duration_s: of the run.
        sending_s: the time of it that rates are over.
    """
    first_ns = min(_starts(records), default=0)
    return tuple(_describe(record, first_ns, duration_s, sending_s) for record in records)


def start_spread_ms(records: Iterable[WorkerRecord]) -> float:
    """Return the time from when the first worker began to when the last one did."""
    starts = _starts(records)
    return (max(starts) - min(starts)) / 1e6 if starts else 0.0


def lost(records: Iterable[WorkerRecord]) -> list[Caveat]:
    """Name the workers that are lost, and what of the plan was theirs."""
    return [_lost(record) for record in records if record.lost is not None]


def limited(records: Sequence[WorkerRecord], infos: Sequence[WorkerInfo], latencies: Latencies) -> list[Caveat]:
    """Name the workers that measured themselves rather than the server.

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
    """Say how far apart the workers' clocks may be, where that is a part of what is measured."""
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
