"""The output of `epkit train` at its end, and the files that it writes."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from epkit.cli import terminal
from epkit.cli.output import summary as job_summary
from epkit.flows.train.train import Planned, TrainResult

if TYPE_CHECKING:
    from epkit.flows.train.azure.train import JobNews


def show_plan(planned: Planned) -> int:
    """Print what a training would do."""
    from epkit.reporters.train import plan

    terminal.write(plan.render(planned.data, planned.runs, planned.warnings))
    return 0


def show_steps(steps: Sequence[Mapping[str, Any]]) -> int:
    """Print what a training at Azure would send."""
    from epkit.reporters.hosting import text

    terminal.write(text.render_plan("azureml", steps))
    return 0


def show_job(news: "JobNews", format_: str) -> int:
    """Print the state of a job, without waiting for its end."""
    news = terminal.masked(news)
    if format_ == "json":
        found = {"job": news.job, "status": news.status, "follow": news.follow, "page": news.page}
        terminal.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return 0
    lines = [f"{news.job}: {news.status}", *(text for text in (news.page, news.follow) if text)]
    terminal.write("".join(f"{line}\n" for line in lines))
    return 0


def finish(result: TrainResult, *, format_: str, html: str | None, junit: str | None, summary: bool) -> int:
    """Print the report, write the files, and describe in one line what went wrong.

    Returns:
        The exit code.
    """
    code, report = result.exit_code, result.report
    try:
        terminal.write(_render(result, format_))
    except BrokenPipeError:
        code = terminal.broken_pipe(code)
    if html is not None:
        terminal.write_file(html, result.page, "--html")
    if junit is not None:
        from epkit.reporters.train import junit as cases

        terminal.write_file(junit, cases.render(report), "--junit")
    if summary:
        job_summary.add(_render(result, "markdown"))
    if code in (130, 143):
        done = sum(run.state == "done" and run.family != "vote" for run in report.runs)
        terminal.complain(f"interrupted after {done} of {report.plan['runs']} runs; the model is the best of these")
    elif code:
        missed = [gate.expression for gate in report.gates if gate.state != "passed"]
        terminal.complain(f"{report.data.path}: {len(missed)} of {len(report.gates)} gates not passed: {missed[0]}")
    return code


def _render(result: TrainResult, format_: str) -> str:
    if format_ == "json":
        from epkit.core.train.document import to_document

        return json.dumps(to_document(result.report), indent=2, ensure_ascii=False) + "\n"
    if format_ == "markdown":
        from epkit.reporters.train import markdown

        return markdown.render(result.report)
    from epkit.reporters.train import text

    return text.render(result.report)
