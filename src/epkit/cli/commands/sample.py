"""`epkit sample`: a request body made from the contract."""

import sys
from typing import Annotated

import typer

from epkit.cli import terminal
from epkit.cli.commands.validate import Path
from epkit.cli.options import common as o

EPILOG = """\b
Examples:
  epkit sample --schema swagger/bank.json --rows 100 -o payload.json
  epkit sample --target bank | epkit validate - --target bank"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample", epilog=EPILOG)(sample)


def sample(
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="K", min=1, help="How many; default: as many as the example has.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same bytes.")] = 0,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; default: stdout.")
    ] = None,
    schema: o.Schema = None,
    target: o.TargetFlag = None,
    path: Path = None,
    key_file: o.KeyFile = None,
    header: o.Header = None,
) -> None:
    """Make a request body from a contract: the example's rows, then rows varied within what is declared."""
    from epkit.endpoint.headers import parse_header
    from epkit.files.outputs import check_writable, write
    from epkit.flows.context import Context
    from epkit.flows.rows.sample import sample_body
    from epkit.flows.validate import find_contract

    if output not in (None, "-"):
        check_writable(output, "-o")
    headers = [parse_header(text) for text in header or []]
    context = Context(note=terminal.note)
    with find_contract(schema, target, path=path, key_file=key_file, headers=headers, context=context) as (contract, _):
        body = sample_body(contract, rows=rows, seed=seed) + b"\n"
    if output is None or output == "-":
        sys.stdout.buffer.write(body)
    else:
        write(output, body.decode(), "-o")
