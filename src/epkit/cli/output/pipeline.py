"""The output of `epkit pipeline`, and the files that it writes."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.cli import terminal
from epkit.cli.output import summary as job_summary
from epkit.core.pipeline.document import to_document
from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepResult
from epkit.errors import UsageError
from epkit.flows.pipeline import reports
from epkit.flows.pipeline.loading import load, names
from epkit.reporters.pipeline import words

if TYPE_CHECKING:
    from epkit.flows.context import Context
    from epkit.flows.pipeline.pipeline import Foreseen


class RunDisplay:
    """Shows a run in progress: one line for each step on stdout, and the step's messages on a line of a terminal.

    Args:
        steps: whether the lines on stdout are printed.
    """

    def __init__(self, *, quiet: bool, steps: bool) -> None:
        self._line = terminal.StatusLine(quiet=quiet)
        self._steps = steps

    def step(self, result: StepResult) -> None:
        """Print the result of a step."""
        self._line.clear()
        if self._steps:
            terminal.write_verdict(f"{words.step(result)}\n")

    def say(self, line: str) -> None:
        """Show a message of a step."""
        self._line.show(line)

    def clear(self) -> None:
        """Clear the line of the terminal."""
        self._line.clear()


def show_foreseen(steps: "Iterable[Foreseen]") -> int:
    """Print what a run would do."""
    terminal.write("".join(f"{step.step:<8} {step.state:<7}  {step.line}".rstrip() + "\n" for step in steps))
    return 0


def finish(
    run: PipelineRun, context: "Context", *, format_: str, html: str | None, junit: str | None, summary: bool
) -> int:
    """Print the report, write the files, and describe in one line what went wrong.

    Returns:
        The exit code.
    """
    if format_ != "text":
        terminal.write_verdict(_render(run, format_))
    elif not run.exit_code:
        terminal.write_verdict(f"{words.verdict(run).text}\n" if run.state == "not needed" else "")
    if html is not None or junit is not None:
        store = load(run.pipeline, context).store
        _write_files(run, html=html, junit=junit, directory=store.run_directory(run.run or 0))
    if summary:
        job_summary.add(_render(run, "markdown"))
    if run.exit_code:
        terminal.complain(words.verdict(run).text)
    return run.exit_code


def show_list(name: str | None, context: "Context", *, format_: str, html: str | None) -> None:
    """Print the runs of a pipeline, or of all pipelines.

    Raises:
        UsageError: there is no such pipeline, or an HTML page of several pipelines is requested.
    """
    if name is None and html is not None:
        raise UsageError("--html writes the page of one pipeline: name it")
    wanted = names(context) if name is None else (name,)
    found = []
    for each in wanted:
        store = load(each, context).store
        crowned = store.crowned()
        found.append((each, reports.history(store), None if crowned is None else crowned.run))
    if format_ == "json":
        document = [
            {"pipeline": each, "champion": champion, "runs": [to_document(run) for run in runs]}
            for each, runs, champion in found
        ]
        terminal.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        from epkit.reporters.pipeline import text

        heads = len(found) > 1
        terminal.write("\n".join((f"{n}\n" if heads else "") + text.render_list(n, r, c) for n, r, c in found))
    if html is not None:
        from epkit.reporters.pipeline import html as page

        terminal.write_file(html, page.render_history(*found[0]), "--html")


def show_run(
    name: str,
    number: int | None,
    context: "Context",
    *,
    format_: str,
    html: str | None,
    junit: str | None,
    summary: bool,
) -> None:
    """Print a run."""
    store = load(name, context).store
    run = reports.find(store, number)
    if summary:
        job_summary.check()
    terminal.write(_render(run, format_))
    _write_files(run, html=html, junit=junit, directory=store.run_directory(run.run or 0))
    if summary:
        job_summary.add(_render(run, "markdown"))


def show_comparison(name: str, one: int, other: int, context: "Context", *, format_: str) -> None:
    """Print two runs side by side."""
    from epkit.core.pipeline import comparison

    store = load(name, context).store
    compared = comparison.compare(reports.find(store, one), reports.find(store, other))
    if format_ == "json":
        terminal.write(json.dumps(comparison.to_document(compared), indent=2, ensure_ascii=False) + "\n")
        return
    from epkit.reporters.pipeline import text

    terminal.write(text.render_compare(compared))


def _render(run: PipelineRun, format_: str) -> str:
    if format_ == "json":
        return json.dumps(to_document(run), indent=2, ensure_ascii=False) + "\n"
    if format_ == "markdown":
        from epkit.reporters.pipeline import markdown

        return markdown.render(run)
    from epkit.reporters.pipeline import text

    return text.render(run)


def _write_files(run: PipelineRun, *, html: str | None, junit: str | None, directory: Path) -> None:
    if html is not None:
        from epkit.reporters.pipeline import html as page

        way = os.path.relpath(directory, Path(html).absolute().parent)
        terminal.write_file(html, page.render(run, f"{Path(way).as_posix()}/"), "--html")
    if junit is not None:
        from epkit.reporters.pipeline import junit as cases

        terminal.write_file(junit, cases.render(run), "--junit")
