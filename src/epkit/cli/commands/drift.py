"""`epkit drift`: whether new rows have the same distribution as the rows that a model was trained on."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import table as t
from epkit.cli.output import summary as job_summary

if TYPE_CHECKING:
    from epkit.core.drift.report import DriftReport

EPILOG = """\b
Examples:
  epkit drift model new.csv                compares new rows with the model's card
  epkit drift old.csv new.csv --label y    compares two tables, with a classifier too
  epkit drift model new.parquet --drop client --html drift.html
  epkit drift model new.csv --summary      in a job of a build server
\b
Exit codes: 0 no drift, 2 usage or a table that cannot be read, 5 drift was
found or the schema has changed."""

FORMATS = ("text", "json", "markdown")
COMPARED = "What is compared"

Label = Annotated[
    str | None,
    o.option(COMPARED, "--label", metavar="COLUMN", help="The column to predict. For a model, its card names it."),
]
Drop = Annotated[
    list[str] | None, o.option(COMPARED, "--drop", metavar="COLUMN", help="A column to leave out; repeatable.")
]
Format = Annotated[str, o.option(o.OUT, "--format", metavar="text|json|markdown", help="Format of the report.")]
Html = Annotated[str | None, o.option(o.OUT, "--html", metavar="FILE", help="Also write an HTML page.")]
Junit = Annotated[
    str | None, o.option(o.OUT, "--junit", metavar="FILE", help="Write JUnit XML, one test case for each column.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("drift", epilog=EPILOG, cls=o.Sections)(drift)


def drift(
    old: Annotated[str, typer.Argument(metavar="OLD", hidden=True)],
    new: Annotated[str, typer.Argument(metavar="NEW", hidden=True)],
    label: Label = None,
    drop: Drop = None,
    encoding: t.Encoding = None,
    decimal: t.Decimal = None,
    format_: Format = "text",
    html: Html = None,
    junit: Junit = None,
    summary: o.Summary = False,
    seed: o.Seed = 0,
) -> int:
    """Tell whether new rows have the distribution of the old ones, column by column; chance alone is no drift.

    OLD is the directory of a model, or a table; NEW is a table: .csv, .parquet or .jsonl, one of these with .gz, a
    directory of Parquet files, a URL, or - for stdin.
    """
    from epkit.files.outputs import check_writable
    from epkit.flows.drift import DriftOptions, find_drift

    terminal.check_choice("--format", format_, FORMATS)
    check_writable(html, "--html")
    check_writable(junit, "--junit")
    if summary:
        job_summary.check()
    options = DriftOptions(
        old=old, new=new, label=label, drop=tuple(drop or ()), encoding=encoding, decimal=decimal, seed=seed
    )
    report = find_drift(options, terminal.context(), terminal.stdin())
    code = 0 if report.passed else 5
    try:
        terminal.write(_render(report, format_))
    except BrokenPipeError:
        code = terminal.broken_pipe(code)
    _write(report, html, junit)
    if summary:
        job_summary.add(_render(report, "markdown"))
    if code == 5:
        what = "drift was found" if report.found else "the schema has changed"
        terminal.complain(f"{report.new.name}: {what}")
    return code


def _render(report: "DriftReport", format_: str) -> str:
    if format_ == "json":
        from epkit.core.drift.document import to_document
        from epkit.core.json import writing

        return writing.document(to_document(report))
    from epkit.reporters.drift import markdown, text

    return markdown.render(report) if format_ == "markdown" else text.render(report)


def _write(report: "DriftReport", html: str | None, junit: str | None) -> None:
    if html is not None:
        from epkit.reporters.drift import html as page

        terminal.write_file(html, page.render(report), "--html")
    if junit is not None:
        from epkit.reporters.drift import junit as cases

        terminal.write_file(junit, cases.render(report), "--junit")
