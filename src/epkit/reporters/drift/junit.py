"""A drift report as JUnit XML: a test case for the schema, for each column, for the label and for the classifier."""

from collections.abc import Iterable

from epkit.core.drift.report import DriftReport
from epkit.core.http.masking import clean
from epkit.reporters.drift import words
from epkit.reporters.parts import xml


def render(report: DriftReport) -> str:
    """Write the document; a part that drifted is a failure of its case."""
    cases = list(_cases(report))
    failures = sum(message is not None for _, message in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    name = xml.attribute(f"{words.name(report.new.name, 200)} against {words.name(report.old.name, 200)}")
    said = "\n".join(line.text for line in words.verdict(report))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="epkit drift" {counts}>\n'
        f' <testsuite name={name} {counts} skipped="0">\n'
        f"{''.join(_case(case, message) for case, message in cases)}"
        f"  <system-out>{xml.text(said)}</system-out>\n"
        " </testsuite>\n</testsuites>\n"
    )


def _cases(report: DriftReport) -> Iterable[tuple[str, str | None]]:
    """Yield the name of each test, and its failure."""
    yield "the schema is the same", "; ".join(clean(each, words.SENTENCE) for each in report.schema) or None
    for one in report.columns:
        yield f"column {words.column(one)}", f"{words.index(one)}; {words.moved(one)}" if one.found else None
    if report.label is not None:
        one = report.label
        yield f"label {words.column(one)}", f"{words.index(one)}; {words.moved(one)}" if one.found else None
    if report.classifier is not None:
        classifier = report.classifier
        yield "all columns together", words.classifier(classifier) if classifier.found else None


def _case(name: str, message: str | None) -> str:
    head = f'  <testcase classname="epkit.drift" name={xml.attribute(name)}'
    if message is None:
        return f"{head}/>\n"
    return f'{head}>\n   <failure type="drift" message={xml.attribute(message)}/>\n  </testcase>\n'
