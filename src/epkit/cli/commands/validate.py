"""`epkit validate`: whether an endpoint will accept a payload, before it is sent."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import table as t
from epkit.cli.options.target import FINDING, REACHING, with_reach
from epkit.cli.output import summary as job_summary
from epkit.core.quantities import read_count
from epkit.errors import ContractError

if TYPE_CHECKING:
    from epkit.core.validate.checked import Validation
    from epkit.flows.target.request_options import TargetOptions

EPILOG = """\b
Examples:
  epkit validate payload.json --schema swagger/bank.json
  epkit validate rows.csv --target bank --format json
  curl -s …/score -d @payload.json | epkit validate --reply - --target bank
\b
The server refuses an error, or silently changes the value. It takes a warning
without loss.
\b
Exit codes: 0 valid, 2 the contract itself is broken, or usage, 3 violations,
4 the contract cannot be fetched."""

FORMATS = ("text", "json", "junit", "sarif", "markdown")
LIMIT = 100

Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("validate", epilog=EPILOG, cls=o.Sections)(validate)


@with_reach(FINDING | REACHING | {"deployment": o.Deployment, "predictions_at": o.PredictionsAt})
def validate(
    reach: "TargetOptions",
    files: Files = None,
    path: o.Operation = None,
    reply: Annotated[bool, o.option(o.VERDICT, "--reply", help="Check replies instead of requests.")] = False,
    rows: Annotated[
        int | None,
        o.number(
            o.VERDICT, "--rows", kind=read_count, least=0, metavar="N", help="With --reply: how many rows were sent."
        ),
    ] = None,
    as_declared: Annotated[
        bool, o.option(o.VERDICT, "--as-declared", help="Check exactly what the schema says, nothing more.")
    ] = False,
    strict: Annotated[bool, o.option(o.VERDICT, "--strict", help="Treat warnings as errors.")] = False,
    carry: t.Carry = None,
    drop: t.Drop = None,
    encoding: t.Encoding = None,
    decimal: t.Decimal = None,
    no_header: t.NoHeader = False,
    format_: Annotated[
        str, o.option(o.OUT, "--format", metavar="|".join(FORMATS), help="How to print the verdict.")
    ] = "text",
    limit: Annotated[
        int,
        o.number(
            o.OUT,
            "--max-violations",
            kind=read_count,
            least=0,
            metavar="N",
            help="Most violations to show for each file; the rest is counted.",
        ),
    ] = LIMIT,
    summary: o.Summary = False,
) -> int:
    """Check FILEs against a contract, before they are sent.

    Request bodies (.json, -) or tables (.csv, .tsv, .parquet, .jsonl, or .gz of one); the contract's own example where
    no FILE is named.
    """
    from epkit.core.replies.finding import place_of
    from epkit.flows import validate as flow

    terminal.check_choice("--format", format_, FORMATS)
    if summary:
        job_summary.check()
    context = terminal.context()
    contract, name = flow.find_contract(reach, context, path=path)
    limits = {"as_declared": as_declared, "strict": strict}
    at = reach.request.predictions_at
    checked = flow.validate(
        files or [],
        contract,
        schema=name,
        reply=reply,
        rows=rows,
        place=None if at is None else place_of(at),
        limit=limit,
        table=t.table_options(carry, drop, encoding, decimal, no_header),
        note=context.note,
        **limits,
    )
    checked = terminal.masked(checked)
    terminal.write_verdict(_render(checked, format_))
    if summary:
        job_summary.add(_render(checked, "markdown"))
    return 0 if checked.valid else ContractError.exit_code


def _render(checked: "Validation", name: str) -> str:
    from epkit import __version__
    from epkit.reporters.validation import json as validation_json
    from epkit.reporters.validation import junit as validation_junit
    from epkit.reporters.validation import markdown as validation_markdown
    from epkit.reporters.validation import sarif as validation_sarif
    from epkit.reporters.validation import text as validation_text

    match name:
        case "json":
            return validation_json.render(checked)
        case "junit":
            return validation_junit.render(checked)
        case "markdown":
            return validation_markdown.render(checked)
        case "sarif":
            return validation_sarif.render(checked, version=__version__)
    return validation_text.render(checked)
