"""What a report is told of the workers that made the load."""

from collections.abc import Iterable

from epkit.core.report.workers import WorkerRecord
from epkit.flows.bench.workers.gathered import WorkerPart


def worker_records(parts: Iterable[WorkerPart]) -> tuple[WorkerRecord, ...]:
    """Return what is known of each worker's part."""
    return tuple(_record(part) for part in parts)


def _record(part: WorkerPart) -> WorkerRecord:
    facts, member = part.facts, part.member
    planned = [phase.requests for phase in part.plan.measured if phase.model == "closed"]
    return WorkerRecord(
        name=member.name,
        host=member.host,
        sent=part.counters.sent,
        failed=part.counters.failed,
        planned=sum(n for n in planned if n is not None) if planned and None not in planned else None,
        service=part.service,
        began_ns=None if facts is None else facts.late_ns,
        cpu_s=0.0 if facts is None else max(0.0, facts.cpu_s - facts.cpu_before_s),
        drifts_ns=part.drifts_ns if part.has_ended else None,
        clock_offset_ns=member.clock.offset_ns,
        clock_error_ns=max(member.clock.error_ns, part.drift.error_ns),
        lost=part.lost,
    )
