"""`epkit pipeline publish`, `unpublish`, `promote` and `keys`: others can start a run of a pipeline by HTTP."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options.pipeline import FORMATS, Format, Html, Junit, Name, Quiet
from epkit.errors import UsageError

if TYPE_CHECKING:
    from typing import Literal

SERVER = "The server"
AT = "At Azure, or by itself"
BACKENDS = ("local", "azureml")

EPILOG = """\b
Examples:
  epkit pipeline publish bank
  epkit pipeline publish bank --port 8010 --env AZURE_CLIENT_ID
  epkit pipeline publish bank --every week
  epkit pipeline publish bank --backend azureml --compute cpu-cluster --cron "0 6 * * 1"
\b
The server listens on loopback. It runs until epkit pipeline unpublish, or until
the machine goes down. Callers may set only the keys that publishable in
epkit.toml lists: by default none. Publishing again keeps the key and the port.
With --every or --cron no server is started: the lines for cron and systemd are
printed. At Azure, --every and --cron make a schedule, in UTC; publishing
without them ends the schedule.
\b
Exit codes: 0 published, 2 usage, configuration or a taken port, 6 the server
does not start, or Azure refused."""


PROMOTE_EPILOG = """\b
Example: epkit pipeline promote bank loyal_seal_k3n8
\b
epkit pipeline trigger NAME --wait promotes its job itself; promote is for a job
that a schedule has started. Exit codes: those of epkit pipeline run."""


def register(app: typer.Typer) -> None:
    """Add the commands to those of `epkit pipeline`."""
    app.command("publish", epilog=EPILOG, cls=o.Sections)(publish)
    app.command("unpublish", epilog="Example: epkit pipeline unpublish bank")(unpublish)
    app.command("promote", epilog=PROMOTE_EPILOG, cls=o.Sections)(promote)
    app.command("keys", epilog="Example: epkit pipeline keys bank --reveal")(keys)


def publish(
    name: Name,
    backend: Annotated[
        str,
        o.option(SERVER, "--backend", metavar="local|azureml", help="Where to publish: on this machine, or at Azure."),
    ] = "local",
    port: Annotated[
        int | None,
        o.number(
            SERVER,
            "--port",
            kind=int,
            metavar="PORT",
            help="Port to listen on. Default: the last one, else a free one.",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        o.option(SERVER, "--env", metavar="NAME", help="Environment variable to pass on to the runs. Repeatable."),
    ] = None,
    compute: Annotated[
        str | None,
        o.option(AT, "--compute", metavar="NAME", help="At Azure: the workspace's compute that runs the jobs."),
    ] = None,
    every: Annotated[
        str | None,
        o.option(AT, "--every", metavar="week|day|hour|TIME", help="Run it regularly; TIME is 30m, 6h or 2d."),
    ] = None,
    cron: Annotated[
        str | None,
        o.option(AT, "--cron", metavar="FIELDS", help='Run it at these times, as cron has them: "0 6 * * 1".'),
    ] = None,
    format_: Annotated[str, o.option(o.OUT, "--format", metavar="text|json", help="How to print the result.")] = "text",
) -> None:
    """Publish a pipeline, so that others can start a run of it by HTTP, with a key."""
    from epkit.cli.output import publishing as output
    from epkit.flows.pipeline.publishing import local
    from epkit.flows.pipeline.publishing.schedules import read_schedule

    terminal.check_choice("--format", format_, ("text", "json"))
    terminal.check_choice("--backend", backend, BACKENDS)
    schedule = read_schedule(every, cron)
    if backend == "azureml":
        from epkit.cli.output import azure_publishing

        if port is not None or env:
            raise UsageError("--port and --env are for a server on this machine: leave them out with --backend azureml")
        azure_publishing.publish(name, terminal.context(), compute=compute, schedule=schedule, format_=format_)
        return
    if compute is not None:
        raise UsageError("--compute is for --backend azureml")
    if schedule is not None:
        from epkit.cli.output import azure_publishing

        azure_publishing.show_schedule(name, schedule, terminal.context(), format_=format_)
        return
    published = local.publish(name, terminal.context(), port=port, env=tuple(env or ()))
    terminal.write(output.published(published, format_))


def unpublish(
    name: Name,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="local|azureml", help="Default: the one in epkit.toml.")
    ] = None,
) -> None:
    """End the server, or the endpoint and the schedule at Azure. A run that is going on is not touched."""
    from epkit.cli.output import azure_publishing
    from epkit.flows.pipeline.publishing import local

    terminal.check_choice("--backend", backend or "local", BACKENDS)
    if (backend or azure_publishing.backend_of(name, terminal.context())) == "azureml":
        azure_publishing.unpublish(name, terminal.context())
        return
    local.unpublish(name, terminal.context())
    terminal.write(f"{name} is no longer published\n")


def promote(
    name: Name,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Job at Azure; epkit pipeline status NAME lists them.")],
    format_: Format = "text",
    html: Html = None,
    junit: Junit = None,
    summary: o.Summary = False,
    quiet: Quiet = False,
) -> int:
    """Fetch the model of a job at Azure, judge it by the pipeline's gates, deploy, prove, bench and switch."""
    from epkit.cli.output import azure_publishing

    terminal.check_choice("--format", format_, FORMATS)
    return azure_publishing.promote(
        name, job, terminal.context(), format_=format_, html=html, junit=junit, summary=summary, quiet=quiet
    )


def keys(
    name: Name,
    regenerate: Annotated[
        str | None, typer.Option("--regenerate", metavar="primary|secondary", help="Replace this key first.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print both keys.")] = False,
) -> None:
    """Write the primary key of a published pipeline to its key file, mode 0600. The server accepts either key."""
    from epkit.cli.output import publishing as output
    from epkit.flows.pipeline.publishing import local

    if regenerate is not None:
        terminal.check_choice("--regenerate", regenerate, ("primary", "secondary"))
    which = cast("Literal['primary', 'secondary'] | None", regenerate)
    found = local.keys(name, terminal.context(), regenerate=which)
    terminal.write(output.keys(found, reveal=reveal), reveal=reveal)
