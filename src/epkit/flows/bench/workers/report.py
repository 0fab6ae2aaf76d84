"""What a report says of the workers that made the load: each by itself, and those that were lost by name."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from epkit.core.report import health
from epkit.core.report.report import Report, WorkerInfo
from epkit.core.stats.percentiles import PS
from epkit.flows.bench.workers.gathered import WorkerPart

DOUBTFUL: Final = 0.05
"""A doubt about clocks that is more than this share of the median latency is told."""


def with_workers(report: Report, parts: Sequence[WorkerPart]) -> Report:
    """Add to a report who made its load, and what of that spoils it."""
    starts = [part.facts.late_ns for part in parts if part.facts is not None]
    infos = tuple(_info(part, report, min(starts, default=0)) for part in parts)
    lost = [_missed(part) for part in parts if part.lost is not None]
    slow = [
        f"{info.name}: {words}"
        for part, info in zip(parts, infos, strict=True)
        if (words := _limit(part, report, info))
    ]
    reasons = (*report.validity.reasons, *lost, *(slow if not report.generator.limited else ()))
    generator = replace(
        report.generator,
        limited=report.generator.limited or bool(slow),
        start_spread_ms=(max(starts) - min(starts)) / 1e6 if starts else 0.0,
    )
    return replace(
        report,
        run=replace(report.run, partial=report.run.partial or bool(lost)),
        generator=generator,
        validity=replace(report.validity, valid=not reasons, reasons=reasons),
        workers=infos,
        warnings=(*report.warnings, *_doubts(report, infos)),
    )


def _info(part: WorkerPart, report: Report, first_ns: int) -> WorkerInfo:
    facts, service = part.facts, part.service
    sent, failed = part.counters.sent, part.counters.failed
    seconds = report.run.duration_s
    cpu_s = 0.0 if facts is None else max(0.0, facts.cpu_s - facts.cpu_before_s)
    p50, p99 = (service.percentile(PS[key]) / 1e6 if service.count else None for key in ("50", "99"))
    return WorkerInfo(
        name=part.member.name,
        host=part.member.host,
        sent=sent,
        ok=sent - failed,
        failed=failed,
        requests_per_s=sent / seconds if seconds else 0.0,
        p50=p50,
        p99=p99,
        start_ms=0.0 if facts is None else (facts.late_ns - first_ns) / 1e6,
        clock_offset_ms=part.member.clock.offset_ns / 1e6,
        clock_error_ms=max(part.member.clock.error_ns, part.drift.error_ns) / 1e6,
        cpu_us_per_request=cpu_s * 1e6 / sent if sent else 0.0,
        cpu_utilisation=cpu_s / seconds if seconds else 0.0,
        lag_ms=health.lag(part.drifts_ns),
        lost=part.lost,
    )


def _limit(part: WorkerPart, report: Report, info: WorkerInfo) -> str | None:
    """Tell whether this worker measured itself."""
    if not part.has_ended:
        return None
    times = report.latency_ms.service or report.latency_ms.failed
    return health.limited(info.lag_ms, len(part.drifts_ns), times)


def _missed(part: WorkerPart) -> str:
    """Say who is lost, and what of the plan was his."""
    sent = part.counters.sent
    share = part.plan.measured
    planned = [phase.requests for phase in share if phase.model == "closed"]
    whole = sum(n for n in planned if n is not None) if planned and None not in planned else None
    after = f"after {sent} requests" if whole is None else f"after {sent} of its {whole} requests"
    where = f" ({part.member.host})" if part.member.host and part.member.host not in part.member.name else ""
    return f"{part.member.name}{where} was lost {after}, the rest of them is missing: it {part.lost}"


def _doubts(report: Report, infos: Iterable[WorkerInfo]) -> Iterable[str]:
    """Say how far apart clocks may be, where that is a part of what is measured."""
    worst = max((info.clock_error_ms for info in infos), default=0.0)
    service = report.latency_ms.service
    if service is not None and worst > DOUBTFUL * service.percentiles["50"]:
        yield (
            f"the workers' clocks are known to within {worst:.3g} ms: so far may they have begun apart, and their "
            "time series be shifted (latencies are each by one clock)"
        )
