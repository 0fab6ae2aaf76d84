"""`epkit pipeline trigger`, `status` and `logs`: start a run of a published pipeline, and follow it."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options.pipeline import REMOTE, RUN, Why
from epkit.cli.options.target import with_reach
from epkit.core.quantities import read_seconds
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

TRIGGER_EPILOG = """\b
Examples:
  epkit pipeline trigger bank --set train.runs=10 --wait
  epkit pipeline trigger http://127.0.0.1:9100/jobs --key-file bank.key --follow
  epkit pipeline trigger https://bank-train.westeurope.inference.ml.azure.com/jobs
\b
The request is sent once. If no answer comes, the message says how to find out
whether a run has started. Azure's hosts get a token of your login (extra:
azure).
Exit codes: 0 the run has started, or with --wait has succeeded; 2 usage, or
the server refuses a parameter; 4 no answer, the key is refused, or nothing is
published there; 6 no further run is possible now, or the run failed at Azure;
with --wait also those of epkit pipeline run; 130 cancelled, or interrupted
here (the run goes on)."""

WAITING = "Waiting"

Target = Annotated[
    str, typer.Argument(metavar="NAME|URL", help="Name in epkit.toml ([published.NAME]), or URL of the pipeline.")
]
Run = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="Id of a run. Default: all runs, or the one that is going on."),
]
Set = Annotated[
    list[str] | None,
    o.option(RUN, "--set", metavar="KEY=VALUE", help="A parameter that the pipeline lets a caller set. Repeatable."),
]
Experiment = Annotated[
    str | None, o.option(RUN, "--experiment", metavar="TEXT", help="Experiment that lists the run. Default: NAME.")
]
Idempotency = Annotated[
    str | None,
    o.option(
        RUN,
        "--idempotency-key",
        metavar="KEY",
        help="Key of this request. If it is sent again, epkit's server starts no second run. Azure ignores the key.",
    ),
]
Wait = Annotated[bool, o.option(WAITING, "--wait", help="Wait for the end of the run, and exit with its exit code.")]
Follow = Annotated[bool, o.option(WAITING, "--follow", help="Like --wait, and show the log of the run.")]
Limit = Annotated[
    float | None,
    o.number(
        WAITING,
        "--time-limit",
        kind=read_seconds,
        metavar="TIME",
        help="Wait at most this time (30m). The run goes on after it.",
    ),
]
Format = Annotated[str, o.option(o.OUT, "--format", metavar="text|json", help="Format of the output.")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of `epkit pipeline`."""
    app.command("trigger", epilog=TRIGGER_EPILOG, cls=o.Sections)(trigger)
    app.command("status", epilog="Example: epkit pipeline status bank --wait", cls=o.Sections)(status)
    app.command("logs", epilog="Example: epkit pipeline logs bank --follow", cls=o.Sections)(logs)


@with_reach(REMOTE | {"deployment": o.Deployment})
def trigger(
    reach: "TargetOptions",
    target: Target,
    set_: Set = None,
    why: Why = None,
    experiment: Experiment = None,
    idempotency_key: Idempotency = None,
    wait: Wait = False,
    follow: Follow = False,
    limit_s: Limit = None,
    format_: Format = "text",
) -> int:
    """Ask a published pipeline for a run, once."""
    from epkit.cli.output import triggering as output
    from epkit.flows.pipeline.triggering.trigger import TriggerOptions

    terminal.check_choice("--format", format_, ("text", "json"))
    if follow and format_ == "json":
        raise UsageError("--follow shows a log, and --format json is one document: use --wait")
    if limit_s is not None and not (wait or follow):
        raise UsageError("--time-limit needs --wait or --follow: add one of them")
    options = TriggerOptions(changes=tuple(set_ or ()), why=why, experiment=experiment, idempotency_key=idempotency_key)
    return output.trigger(
        target, options, reach, terminal.context(), wait=wait, with_log=follow, limit_s=limit_s, format_=format_
    )


@with_reach(REMOTE)
def status(
    reach: "TargetOptions",
    target: Target,
    run: Run = None,
    wait: Wait = False,
    limit_s: Limit = None,
    format_: Format = "text",
) -> int:
    """Show a run of a published pipeline, or all of them."""
    from epkit.cli.output import triggering as output

    terminal.check_choice("--format", format_, ("text", "json"))
    if limit_s is not None and not wait:
        raise UsageError("--time-limit needs --wait: add it")
    return output.show_status(target, run, reach, terminal.context(), wait=wait, limit_s=limit_s, format_=format_)


@with_reach(REMOTE)
def logs(
    reach: "TargetOptions",
    target: Target,
    run: Run = None,
    follow: Annotated[bool, o.option(WAITING, "-f", "--follow", help="Go on until the run is over.")] = False,
) -> int:
    """Show the log of a run of a published pipeline."""
    from epkit.cli.output import triggering as output

    return output.show_log(target, run, reach, terminal.context(), with_end=follow)
