"""`epkit sample`: a request body made from the contract."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options.target import FINDING, REACHING, with_reach
from epkit.core.quantities import read_count

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

MOST_ROWS = 10_000_000

EPILOG = """\b
Examples:
  epkit sample --schema swagger/bank.json --rows 100 -o payload.json
  epkit sample --target bank | epkit validate - --target bank"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample", epilog=EPILOG, cls=o.Sections)(sample)


@with_reach(FINDING | REACHING | {"deployment": o.Deployment})
def sample(
    reach: "TargetOptions",
    rows: Annotated[
        int | None,
        o.number(
            o.OUT,
            "--rows",
            kind=read_count,
            least=1,
            most=MOST_ROWS,
            metavar="K",
            help="Number of rows. Default: as many as the example has.",
        ),
    ] = None,
    seed: Annotated[
        int, o.number(o.OUT, "--seed", kind=int, metavar="N", help="The same seed gives the same bytes.")
    ] = 0,
    output: Annotated[
        str | None, o.option(o.OUT, "-o", "--output", metavar="FILE", help="Where to write it; default: stdout.")
    ] = None,
    path: o.Operation = None,
    wrap: o.Wrap = None,
) -> None:
    """Make a request body from a contract: the example's rows, then rows varied within what is declared."""
    from epkit.core.validate.examples import sample_body
    from epkit.files.outputs import check_writable
    from epkit.flows.validate import find_contract

    if output not in (None, "-"):
        check_writable(output, "-o")
    contract, _ = find_contract(reach, terminal.context(), path=path)
    body = sample_body(contract, rows=rows, seed=seed, wrap=wrap).decode() + "\n"
    if output is None or output == "-":
        terminal.write(body)
    else:
        terminal.write_file(output, body, "-o")
