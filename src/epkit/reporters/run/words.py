"""The sentences of run reports: the verdict, a reply, how many requests a percentile needs."""

from collections.abc import Iterable

from epkit.core.http.masking import clean
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import FailureExample, Report, Threshold
from epkit.core.report.slo import FAILED_NONE
from epkit.core.stats.distribution import Distribution
from epkit.core.stats.percentiles import PS, floor
from epkit.reporters.parts.verdict import VerdictLine


def said(example: FailureExample, limit: int = 300) -> str:
    """Return the text of the first reply of a kind of failure; the status comes first if it was the failure."""
    detail = clean(example.detail, limit)
    status = str(example.status) if example.kind == "status" and example.status else ""
    return detail if detail.startswith(status) else f"{status} {detail}".rstrip()


def verdict(report: Report) -> list[VerdictLine]:
    """Return the result of the run, the worst news last.

    Returns:
        At least one line: the number of successes, if none failed; that the run ended early, or lost workers; why it is
        not valid; which thresholds were missed; how many requests failed and why.
    """
    counts, asked = report.counts, report.plan.requests
    good = [f"{counts.ok} of {counts.sent} succeeded"] if counts.sent and not counts.failed else []
    lines = []
    if lost := sum(worker.lost is not None for worker in report.workers):
        made = f"{counts.sent} of {asked} requests" if asked else f"{counts.sent} requests"
        lines.append(f"PARTIAL: {lost} of {len(report.workers)} workers lost; {made}")
    elif report.run.partial:
        made = f"{counts.sent} of {asked} requests" if asked else f"{counts.sent} requests"
        lines.append(f"PARTIAL: ended early, after {report.run.duration_s:.3f} seconds and {made}")
    if not report.validity.valid:
        lines += [f"NOT VALID: {clean(reason.text, 1000)}" for reason in report.validity.reasons]
    for threshold in report.thresholds:
        if not (threshold.passed or is_implicit(threshold)):
            lines.append(f"MISSED: {threshold.expression} (observed {threshold.observed:.6g})")
    if not counts.sent:
        lines.append("FAILED: no request was completed")
    elif counts.failed:
        lines.append(f"FAILED: {counts.failed} of {counts.sent} requests: {_why(report)}")
    return [
        *(VerdictLine(text=line, bad=False) for line in good),
        *(VerdictLine(text=line, bad=True) for line in lines),
    ]


def is_implicit(threshold: Threshold) -> bool:
    """Tell whether a threshold is the one that applies by default: the count of failures covers it already."""
    return threshold.expression == FAILED_NONE.expression


def percentile_notes(service: Distribution, warnings: Iterable[Caveat]) -> list[str]:
    """Return which percentiles the run is too small for: from the report's warnings, otherwise for p99."""
    notes = [warning.text for warning in warnings if warning.kind is CaveatKind.SMALL_SAMPLE]
    if notes or service.ci95.get("99"):
        return notes
    needed, has = floor(PS["99"]), service.count
    if has < needed:
        return [f"p99 needs {needed} requests, this run has {has}"]
    worth = f", worth about {service.effective}" if service.effective < needed else ", too much alike"
    return [f"p99 needs {needed} independent requests, this run has {has}{worth}"]


def _why(report: Report) -> str:
    """Return why requests failed: the first sentence of the reply if all failed alike, otherwise numbers."""
    kinds = [(kind, count) for kind, count in report.counts.failures.items() if count]
    if len(kinds) > 1:
        return ", ".join(f"{count} {kind}" for kind, count in kinds)
    replies = [said(example).partition(". ")[0] for example in report.failures]
    return clean(replies[0], 100) if replies else kinds[0][0]
