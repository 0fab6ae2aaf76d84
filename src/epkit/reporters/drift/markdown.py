"""A drift report as a small table, for a comment on a pull request or the summary of a job."""

from collections.abc import Iterable
from typing import Final

from epkit.core.drift.report import ColumnDrift, DriftReport
from epkit.reporters.drift import words
from epkit.reporters.parts.markdown import code, escape

SHOWN: Final = 10
"""Number of columns that are shown even if they did not drift."""

MOST: Final = 40


def render(report: DriftReport) -> str:
    """Render a drift report as GitHub-flavoured Markdown: the verdict, and the columns, the worst first."""
    *remarks, result = [line.text for line in words.verdict(report)]
    lines = [f"### epkit drift: {escape(result)}", ""]
    notes = [*remarks, *report.remarks]
    if notes:
        lines += [*(f"- {escape(note)}" for note in notes), ""]
    lines += _columns(report)
    lines.append(f"`{code(words.sample(report.old))}` against `{code(words.sample(report.new))}`")
    return "\n".join(lines) + "\n"


def _columns(report: DriftReport) -> Iterable[str]:
    shown = report.columns[: min(MOST, max(SHOWN, sum(one.found for one in report.columns)))]
    if not shown and report.label is None:
        return
    yield "| column | PSI | by chance up to | rule of thumb | what moved most | |"
    yield "|---|---:|---:|---|---|---|"
    if report.label is not None:
        yield _row(report.label, f"{words.column(report.label)} (label)")
    for one in shown:
        yield _row(one, words.column(one))
    yield ""
    if (more := len(report.columns) - len(shown)) > 0:
        yield f"{more} more without drift." if not report.columns[len(shown)].found else f"{more} more."
        yield ""


def _row(one: ColumnDrift, name: str) -> str:
    found = "**drift**" if one.found else ""
    figures = f"{words.number(one.psi)} | {words.number(one.threshold)} | {words.rule_of_thumb(one)}"
    return f"| {escape(name)} | {figures} | {escape(words.moved(one))} | {found} |"
