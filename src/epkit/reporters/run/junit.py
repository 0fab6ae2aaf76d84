"""A run as JUnit XML: a test case for each objective, and one for the run's validity."""

from epkit.core.http.masking import clean
from epkit.core.report.report import Report, Threshold
from epkit.reporters.parts import xml
from epkit.reporters.run.words import is_implicit, said, verdict


def render(report: Report) -> str:
    """Write the document; a run that is not valid is an error of its case, a missed objective a failure."""
    cases = [_objective(threshold, report) for threshold in report.thresholds]
    cases.append(_validity(report))
    failures = sum(not threshold.passed for threshold in report.thresholds)
    errors = int(not report.validity.valid)
    name = xml.attribute(clean(f"{report.run.method} {report.run.target}", 1000))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="epkit bench" {counts}>\n'
        f' <testsuite name={name} {counts} skipped="0" time="{report.run.duration_s:.3f}"'
        f' timestamp="{report.run.started_at.removesuffix("Z")}">\n'
        f"{''.join(cases)}"
        f"  <system-out>{xml.text(chr(10).join(clean(remark.text, 1000) for remark in verdict(report)))}</system-out>\n"
        " </testsuite>\n</testsuites>\n"
    )


def _objective(threshold: Threshold, report: Report) -> str:
    head = f'  <testcase classname="epkit.bench" name={xml.attribute(threshold.expression)}'
    if threshold.passed:
        return f"{head}/>\n"
    lines = [f"{example.count} x {example.kind}: {said(example)}" for example in report.failures]
    detail = xml.text("\n".join(lines)) if is_implicit(threshold) else ""
    message = xml.attribute(f"observed {threshold.observed:.6g}")
    return f'{head}>\n   <failure type="slo" message={message}>{detail}</failure>\n  </testcase>\n'


def _validity(report: Report) -> str:
    head = '  <testcase classname="epkit.bench" name="the run is valid"'
    if report.validity.valid:
        return f"{head}/>\n"
    message = xml.attribute("; ".join(clean(reason.text, 1000) for reason in report.validity.reasons))
    return f'{head}>\n   <error type="validity" message={message}/>\n  </testcase>\n'
