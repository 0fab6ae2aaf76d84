"""What the reporters say in words: the verdict, a reply, how many requests a percentile needs."""

import math
import re

from epkit.core.http.masking import clean
from epkit.core.report.report import FailureExample, Report, Threshold
from epkit.core.stats.distribution import Distribution

NEEDS = re.compile(r"p[\d.]+ needs \d")
"""How a warning begins that says which percentile the run is too small for."""


def said(example: FailureExample, limit: int = 300) -> str:
    """Say what the first reply of a kind of failure was: its text, after the status where that was the failure."""
    detail = clean(example.detail, limit)
    status = str(example.status) if example.kind == "status" and example.status else ""
    return detail if detail.startswith(status) else f"{status} {detail}".rstrip()


def verdict(report: Report) -> list[str]:
    """Say how the run went, the worst news last.

    Returns:
        At least one line: how many succeeded, if none failed; that the run ended early, or lost workers; why it is
        not valid; which thresholds were missed; how many requests failed and why.
    """
    counts, asked = report.counts, report.plan.requests
    lines = []
    if counts.sent and not counts.failed:
        lines.append(f"{counts.ok} of {counts.sent} succeeded")
    if lost := sum(worker.lost is not None for worker in report.workers):
        made = f"{counts.sent} of {asked} requests" if asked else f"{counts.sent} requests"
        lines.append(f"PARTIAL: {lost} of {len(report.workers)} workers lost; {made}")
    elif report.run.partial:
        made = f"{counts.sent} of {asked} requests" if asked else f"{counts.sent} requests"
        lines.append(f"PARTIAL: ended early, after {report.run.duration_s:.3f} seconds and {made}")
    if not report.validity.valid:
        lines += [f"NOT VALID: {clean(reason, 1000)}" for reason in report.validity.reasons]
    for threshold in report.thresholds:
        if not (threshold.passed or is_implicit(threshold)):
            lines.append(f"MISSED: {threshold.expression} (observed {threshold.observed:.6g})")
    if not counts.sent:
        lines.append("FAILED: no request was completed")
    elif counts.failed:
        lines.append(f"FAILED: {counts.failed} of {counts.sent} requests: {_why(report)}")
    return lines


def is_implicit(threshold: Threshold) -> bool:
    """Tell whether a threshold is the one that applies unasked: the count of failures says it already."""
    return threshold.expression.replace(" ", "") == "failed==0"


def percentile_notes(service: Distribution, warnings: tuple[str, ...]) -> list[str]:
    """Say which percentiles the run is too small for: as the report's warnings do, else for p99."""
    notes = [warning for warning in warnings if NEEDS.match(warning)]
    if notes or service.ci95.get("99"):
        return notes
    needed, has = requests_needed(99.0), service.count
    if has < needed:
        return [f"p99 needs {needed} requests, this run has {has}"]
    worth = f", worth about {service.effective}" if service.effective < needed else ", too much alike"
    return [f"p99 needs {needed} independent requests, this run has {has}{worth}"]


def requests_needed(percent: float) -> int:
    """Give the smallest sample in which a two-sided 95 % interval of a percentile exists.

    Args:
        percent: in (0, 100), exclusive.

    Source: binomial ranks: the chance that all n samples lie on one side, max(q, 1 − q)^n, must be ≤ 2.5 %.
    """
    q = percent / 100
    return math.ceil(math.log(0.025) / math.log(max(q, 1 - q)))


def _why(report: Report) -> str:
    """Say why requests failed: in the reply's first sentence if all failed alike, else in numbers."""
    kinds = [(kind, count) for kind, count in report.counts.failures.items() if count]
    if len(kinds) > 1:
        return ", ".join(f"{count} {kind}" for kind, count in kinds)
    replies = [said(example).partition(". ")[0] for example in report.failures]
    return clean(replies[0], 100) if replies else kinds[0][0]
