"""A drift report as text: the columns, the worst first, and the verdict last."""

from collections.abc import Iterable
from typing import Final

from epkit.core.drift.report import ColumnDrift, DriftReport
from epkit.core.http.masking import clean
from epkit.core.report.wording import plural
from epkit.reporters.drift import words
from epkit.reporters.parts.charts import width
from epkit.reporters.parts.layout import wrap

LABEL: Final = 13
"""Width of a label in characters."""

SHOWN: Final = 25
"""Greatest number of columns in the tables; the JSON document has all."""

REMARKS: Final = 5

NAMES: Final = 22
"""Width of a name in characters."""


def render(report: DriftReport) -> str:
    """Render a drift report for people: plain text of 80 characters per line."""
    sections = [
        ["epkit drift", *_labelled("Old", words.sample(report.old)), *_labelled("New", words.sample(report.new))],
        list(_columns(report)),
        list(_others(report)),
        [line for entry in words.verdict(report) for line in wrap(entry.text)],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _labelled(label: str, text: str) -> list[str]:
    return wrap(text, f"{label + ':' if label else '':<{LABEL}}", " " * LABEL)


def _columns(report: DriftReport) -> Iterable[str]:
    if report.columns:
        yield f"{'Column':<{NAMES}}{'PSI':>8}{'by chance':>11}        what moved most"
    for one in report.columns[:SHOWN]:
        yield _line(one, words.column(one))
    if (more := len(report.columns) - SHOWN) > 0:
        yield f"  and {plural(more, 'more column')}: --format json has all"
    if report.label is not None:
        yield _line(report.label, f"{words.column(report.label)} (label)")


def _line(one: ColumnDrift, name: str) -> str:
    shown = clean(name, NAMES - 1)
    padded = shown + " " * max(1, NAMES - width(shown) // 7)
    head = f"{padded}{words.number(one.psi):>8}{words.number(one.threshold):>11}  {'DRIFT' if one.found else '':<6}"
    return f"{head}{words.moved(one)}"


def _others(report: DriftReport) -> Iterable[str]:
    if report.classifier is not None:
        yield from _labelled("All columns", words.classifier(report.classifier))
    for remark in report.remarks[:REMARKS]:
        yield from _labelled("Remark", clean(remark, words.SENTENCE))
    if (more := len(report.remarks) - REMARKS) > 0:
        yield from _labelled("", f"and {plural(more, 'more remark')}: --format json has all")
