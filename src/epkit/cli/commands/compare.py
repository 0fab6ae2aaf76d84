"""`epkit compare`: compares two arms of saved runs: faster, slower, or neither."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.output import summary as job_summary

if TYPE_CHECKING:
    from epkit.core.report.compare import Comparison

EPILOG = """\b
Examples:
  epkit compare before.epkit after.epkit
  epkit compare runs/blue/ runs/green/ --fail-if 'p99>+5%'
  epkit compare both.epkit                 the two arms of --repeat --against
  epkit compare a.epkit b.epkit --format markdown > comment.md
\b
Exit codes: 0 compared, 2 usage (also: a gate has no verdict, as an arm
has fewer than three runs), 5 a gate failed."""

FORMATS = ("text", "json", "markdown")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare", epilog=EPILOG, cls=o.Sections)(compare)


def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", hidden=True)],
    new: Annotated[str | None, typer.Argument(metavar="NEW", hidden=True)] = None,
    fail_if: o.FailIf = None,
    threshold: o.ThresholdPercent = 3.0,
    force: o.Force = False,
    format_: o.CompareFormat = "text",
    html: o.Html = None,
    summary: o.Summary = False,
) -> int:
    """Compare runs: faster, slower, or no difference shown, never on noise alone.

    BASE and NEW are saved runs (epkit bench --save), directories of them, or files that hold several; FILE#ARM is one
    arm of a file. The run is the replicate: five runs an arm tell much, one tells nothing.
    """
    from epkit.files.outputs import check_writable
    from epkit.flows.bench.compare import compare_runs

    terminal.check_choice("--format", format_, FORMATS)
    check_writable(html, "--html")
    if summary:
        job_summary.check()
    found = compare_runs(base, new, fail_if=fail_if or (), threshold=threshold / 100, force=force)
    code = 0 if found.passed else 5
    if html is not None:
        _write_html(html, found)
    if summary:
        job_summary.add(_render(found, "markdown"))
    try:
        terminal.write(_render(found, format_))
    except BrokenPipeError:
        code = terminal.broken_pipe(code)
    if code == 5:
        failed = [judged.gate.expression for judged in found.gates if not judged.passed]
        terminal.complain(
            f"{found.new.name}: {', '.join(failed)}: the change is beyond the limit and larger than noise"
        )
    return code


def _render(found: "Comparison", format_: str) -> str:
    from epkit.reporters.compare import text as comparison

    if format_ == "json":
        from epkit.core.json import writing
        from epkit.core.report.compare import to_document

        return writing.document(to_document(found))
    return comparison.render_markdown(found) if format_ == "markdown" else comparison.render_text(found)


def _write_html(path: str, found: "Comparison") -> None:
    from epkit.reporters.compare import html as html_comparison

    terminal.write_file(path, html_comparison.render(found), "--html")
