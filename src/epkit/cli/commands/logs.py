"""`epkit logs`: shows the log of an endpoint's server, and turns Application Insights on and off."""

from typing import Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import hosting as h
from epkit.cli.options.common import MORE, Group, number
from epkit.core.quantities import read_count
from epkit.errors import UsageError

MOST_LINES = 1_000_000

EPILOG = """\b
Examples:
  epkit logs enable bank
  epkit logs show bank --tail 20 --follow
  epkit logs show bank --requests --format json
  epkit logs show bank --request 4f0c9d1e2ab37788-000002345678901"""

app = typer.Typer(
    cls=Group,
    help="Show an endpoint's log; turn Application Insights on and off.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    parent.add_typer(app, name="logs")


@app.command(epilog=EPILOG)
def show(
    name: h.Name,
    tail: Annotated[
        int,
        number(
            MORE,
            "--tail",
            kind=read_count,
            least=1,
            most=MOST_LINES,
            metavar="N",
            help="The last N lines, or requests.",
        ),
    ] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines as they arrive.")] = False,
    init: Annotated[bool, typer.Option("--init", help="Show the log from before the server was ready.")] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="Requests that Application Insights received (local).")
    ] = False,
    deployment: h.Deployment = None,
    backend: h.Backend = None,
    format_: h.Format = "text",
    request: Annotated[
        str | None,
        typer.Option(
            "--request",
            metavar="ID",
            help="Show one request by the id that bench --request-ids sent: its time, duration, status and log lines.",
        ),
    ] = None,
) -> None:
    """Print the last lines of an endpoint's log."""
    from epkit.cli.output import hosting as output
    from epkit.flows.hosting import logs as flow

    others = {"--requests": requests, "--request": request is not None, "--format json": format_ != "text"}
    if follow and any(others.values()):
        raise UsageError(f"--follow does not end by itself: drop {next(flag for flag in others if others[flag])}")
    place, context = h.find(name, backend, format_)
    if request is not None:
        found = flow.find_request(place, context, request, deployment=deployment)
        terminal.write(output.found_request(place, found, format_))
    elif requests:
        terminal.write(output.requests(place, place.backend.requests(place.service, tail=tail), format_))
    elif follow:
        for lines in flow.follow(place, context, tail=tail, init=init, deployment=deployment):
            terminal.write(output.logs(place, lines, "text"))
    else:
        lines = flow.show(place, context, tail=tail, init=init, deployment=deployment)
        terminal.write(output.logs(place, lines, format_))


@app.command(epilog="Example: epkit logs enable bank")
def enable(
    name: h.Name, deployment: h.Deployment = None, backend: h.Backend = None, format_: h.Format = "text"
) -> None:
    """Turn Application Insights on: the course's service.update(enable_app_insights=True)."""
    _switch(name, deployment, backend, format_, on=True)


@app.command(epilog="Example: epkit logs disable bank")
def disable(
    name: h.Name, deployment: h.Deployment = None, backend: h.Backend = None, format_: h.Format = "text"
) -> None:
    """Turn Application Insights off."""
    _switch(name, deployment, backend, format_, on=False)


def _switch(name: str, deployment: str | None, backend: str | None, format_: str, *, on: bool) -> None:
    from epkit.cli.output import hosting as output

    place, context = h.find(name, backend, format_)
    endpoint = place.backend.set_app_insights(place.service, on=on, deployment=deployment, say=context.note)
    terminal.write(output.endpoint(endpoint, format_))
