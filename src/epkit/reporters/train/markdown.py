"""A training as a small table, for a comment on a pull request or the summary of a job."""

from collections.abc import Iterable
from typing import Final

from epkit.core.report.wording import plural
from epkit.core.train.report import Figure, TrainReport
from epkit.reporters.parts.markdown import code, escape
from epkit.reporters.train import words
from epkit.reporters.train.words import interval, number

SHOWN: Final = 5
"""Greatest number of runs, of cohorts and of columns."""


def render(report: TrainReport) -> str:
    """Render a training as GitHub-flavoured Markdown: verdict, figures with intervals, the best runs, what is wrong."""
    *remarks, result = [line.text for line in words.verdict(report)] or [f"no {report.metric}"]
    failures = words.failures(report)
    lines = [
        f"### epkit train: {escape(result)}",
        "",
        *(f"- {escape(remark)}" for remark in remarks),
        *(f"- {escape(words.leak(leak, report))}" for leak in report.leaks),
        *(f"- failed: {escape(failure)}" for failure in failures),
        *(f"- {escape(warning)}" for warning in report.warnings),
        *([""] if remarks or report.leaks or failures or report.warnings else []),
        *_figures(report),
        "",
        *_gates(report),
        *_leaderboard(report),
        *_cohorts(report),
        _footer(report),
    ]
    return "\n".join(lines) + "\n"


def _figures(report: TrainReport) -> Iterable[str]:
    yield f"| {words.where(report)} | value | 95 % interval |"
    yield "|---|---:|---:|"
    for metric, figure in words.headline(report).metrics.items():
        yield f"| {escape(metric.replace('_', ' '))} | {_cells(figure)} |"


def _cells(figure: Figure | None) -> str:
    return "– | –" if figure is None else f"{number(figure.value)} | {interval(figure, dash='–') or '–'}"


def _gates(report: TrainReport) -> Iterable[str]:
    if report.gates:
        yield "| gate | observed | 95 % interval | |"
        yield "|---|---:|---:|---|"
        for gate in report.gates:
            observed = None if gate.observed is None else Figure(value=gate.observed, ci95=gate.ci95)
            said = (
                f"{gate.state}: {gate.reason}" if gate.reason and gate.state == "missed" else gate.reason or gate.state
            )
            verdict = "passed" if gate.state == "passed" else f"**{escape(said)}**"
            expression = code(gate.expression).replace("|", "\\|")  # a table needs this even inside code
            yield f"| `{expression}` | {_cells(observed)} | {verdict} |"
        yield ""


def _leaderboard(report: TrainReport) -> Iterable[str]:
    yield f"| run | {report.metric} | 95 % interval | |"
    yield "|---|---:|---:|---|"
    for run in words.ranked(report.runs)[:SHOWN]:
        yield f"| {run.run} {run.family} | {_cells(run.metrics.get(report.metric))} | {words.against_best(run)} |"
    yield ""
    like, more = words.indistinguishable(report.runs), len(report.runs) - SHOWN
    if more > 0:
        yield f"{more} more; {like} not distinguishable from the best."
        yield ""


def _cohorts(report: TrainReport) -> Iterable[str]:
    metric = words.cohort_metric(report)
    if cohorts := words.compared(report)[:SHOWN]:
        yield f"| worst cohorts | rows | {metric.replace('_', ' ')} | 95 % interval |"
        yield "|---|---:|---:|---:|"
        for cohort in cohorts:
            yield f"| {escape(words.name(cohort.where))} | {cohort.rows:,} | {_cells(cohort.metrics[metric])} |"
        yield ""


def _footer(report: TrainReport) -> str:
    data = report.data
    label, path = (code(words.name(text)) for text in (data.label, data.path))
    made = f"{plural(len(words.searched(report.runs)), 'run')} in {report.duration_s:.1f} s"
    return f"`{label}` of `{path}`, {data.rows:,} rows, {made}, epkit {report.version}"
