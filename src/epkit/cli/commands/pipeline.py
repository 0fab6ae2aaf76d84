"""`epkit pipeline`: trains, judges, deploys and switches a model in one command, and again when this is needed."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.commands import publishing, triggering
from epkit.cli.options import common as o
from epkit.cli.options.common import Group
from epkit.cli.options.pipeline import FORMATS, REMOTE, RUN, Format, Html, Junit, Name, Quiet, Why
from epkit.cli.options.target import with_reach
from epkit.cli.output import summary as job_summary
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

STEPS = "Steps"

EPILOG = """\b
Examples:
  epkit pipeline init bank bank.csv --label y
  epkit pipeline run bank
  epkit pipeline run bank --if-needed --junit run.xml --format markdown
  epkit pipeline list bank --html history.html"""

RUN_EPILOG = """\b
Examples:
  epkit pipeline run bank
  epkit pipeline run bank --to gate --set train.runs=4 --set "gate=['AUC>=0.94']"
  epkit pipeline run bank --only gate
  epkit pipeline run bank --if-needed --why "nightly"
\b
A step is reused if nothing that it depends on has changed (data, train,
gate), or if the endpoint already serves the model (the later steps). After a
crash or Ctrl-C, the same command continues the run.
Exit codes: 0 done or nothing to do, 2 usage, configuration or table,
3 a contract is broken, 4 the endpoint does not answer, 5 a gate or an
objective was missed or cannot be judged, 6 the backend refused,
130 interrupted (143 by SIGTERM)."""

From = Annotated[
    str | None, o.option(STEPS, "--from", metavar="STEP", help="Start with this step; reuse the earlier ones.")
]
To = Annotated[str | None, o.option(STEPS, "--to", metavar="STEP", help="Stop after this step.")]
Only = Annotated[str | None, o.option(STEPS, "--only", metavar="STEP", help="Run only this step.")]
Force = Annotated[bool, o.option(STEPS, "--force", help="Run all steps; reuse none.")]
Set = Annotated[
    list[str] | None,
    o.option(RUN, "--set", metavar="KEY=VALUE", help="Replace a value of epkit.toml: train.runs=4. Repeatable."),
]
IfNeeded = Annotated[
    bool,
    o.option(
        RUN, "--if-needed", help="Run only if the data have drifted, the schema has changed, or a gate is missed."
    ),
]
DryRun = Annotated[bool, o.option(RUN, "--dry-run", help="Show which steps would run and which are reused; run none.")]

app = typer.Typer(
    cls=Group,
    help="Pipelines of epkit.toml: train, judge, deploy, prove, bench and switch a model, and again when it is needed.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    parent.add_typer(app, name="pipeline")


@app.command(epilog="Example: epkit pipeline init bank bank.csv --label y")
def init(
    name: Name,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="What is learned from: a file, a directory, a URL.")],
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column to predict.")],
) -> None:
    """Write a commented pipeline into epkit.toml."""
    from epkit.flows.pipeline import managing

    path = managing.init(name, table, label, terminal.context())
    terminal.write(f"{path}: pipelines.{name} is written; next: epkit pipeline run {name}\n")


@app.command(epilog=RUN_EPILOG, cls=o.Sections)
def run(
    name: Name,
    from_: From = None,
    to: To = None,
    only: Only = None,
    force: Force = False,
    set_: Set = None,
    if_needed: IfNeeded = False,
    why: Why = None,
    dry_run: DryRun = False,
    format_: Format = "text",
    html: Html = None,
    junit: Junit = None,
    summary: o.Summary = False,
    quiet: Quiet = False,
) -> int:
    """Run a pipeline: a line a step."""
    from epkit.cli.output import pipeline as output
    from epkit.files import outputs
    from epkit.flows.pipeline import pipeline as flow

    terminal.check_choice("--format", format_, FORMATS)
    options = flow.PipelineOptions(
        from_=from_, to=to, only=only, force=force, changes=tuple(set_ or ()), if_needed=if_needed, why=why
    )
    if dry_run:
        return output.show_foreseen(flow.foresee(name, options, terminal.context()))
    outputs.check_reports(html=html, junit=junit)
    if summary:
        job_summary.check()
    display = output.RunDisplay(quiet=quiet, steps=format_ == "text")
    context = terminal.context()
    try:
        ran = flow.run(name, options, context, show=display.step, say=display.say)
    finally:
        display.clear()
    return output.finish(ran, context, format_=format_, html=html, junit=junit, summary=summary)


@app.command("list", epilog="Example: epkit pipeline list bank --html history.html", cls=o.Sections)
@with_reach(REMOTE)
def list_(
    reach: "TargetOptions",
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|URL",
            help="A pipeline; default: all. Or a URL of SDK v1's service: list the pipelines published there.",
        ),
    ] = None,
    format_: Annotated[str, o.option(o.OUT, "--format", metavar="text|json", help="Format of the list.")] = "text",
    html: Annotated[
        str | None, o.option(o.OUT, "--html", metavar="FILE", help="Write an HTML page: metric and p99 of each run.")
    ] = None,
) -> None:
    """List the runs of a pipeline, or of all pipelines."""
    terminal.check_choice("--format", format_, ("text", "json"))
    if name is not None and "://" in name:
        from epkit.cli.output import triggering

        if html is not None:
            raise UsageError("--html is for a pipeline in epkit.toml: leave it out")
        triggering.show_pipelines(name, reach, terminal.context(), format_=format_)
        return
    from epkit.cli.output import pipeline as output

    output.show_list(name, terminal.context(), format_=format_, html=html)


@app.command(epilog="Example: epkit pipeline show bank 4 --format markdown", cls=o.Sections)
@with_reach(REMOTE)
def show(
    reach: "TargetOptions",
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|URL", help="Name of the pipeline in epkit.toml, or URL of one that SDK v1 published."
        ),
    ],
    run: Annotated[int | None, o.whole_number("RUN", help="Number of the run. Default: the last one.")] = None,
    format_: Annotated[
        str, o.option(o.OUT, "--format", metavar="text|json|markdown", help="Format of the report.")
    ] = "text",
    html: Html = None,
    junit: Junit = None,
    summary: o.Summary = False,
) -> None:
    """Show a run: who asked for it, when and why; its steps, gates, figures, parameters and files."""
    terminal.check_choice("--format", format_, FORMATS)
    if "://" in name:
        from epkit.cli.output import triggering

        if run is not None or html is not None or junit is not None or summary or format_ == "markdown":
            raise UsageError(f"{show.__name__} URL shows the pipeline alone, as text or json: leave the rest out")
        triggering.show_pipeline(name, reach, terminal.context(), format_=format_)
        return
    from epkit.cli.output import pipeline as output

    output.show_run(name, run, terminal.context(), format_=format_, html=html, junit=junit, summary=summary)


@app.command(epilog="Example: epkit pipeline compare bank 3 4")
def compare(
    name: Name,
    one: Annotated[int, o.whole_number("A", help="Number of a run.")],
    other: Annotated[int, o.whole_number("B", help="Number of another run.")],
    format_: Annotated[str, typer.Option("--format", metavar="text|json", help="Format of the comparison.")] = "text",
) -> None:
    """Show two runs side by side: the parameters that differ, and the results."""
    from epkit.cli.output import pipeline as output

    terminal.check_choice("--format", format_, ("text", "json"))
    output.show_comparison(name, one, other, terminal.context(), format_=format_)


@app.command(epilog="Example: epkit pipeline cancel bank", cls=o.Sections)
@with_reach(REMOTE)
def cancel(
    reach: "TargetOptions",
    name: Annotated[
        str, typer.Argument(metavar="NAME|URL", help="Name of the pipeline in epkit.toml, or URL of a published one.")
    ],
    run: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Id of a run of the published pipeline. Default: the run that is going on."),
    ] = None,
) -> None:
    """Cancel the run that is going on, and remove what it has deployed."""
    if run is not None or "://" in name:
        from epkit.cli.output import triggering

        triggering.cancel(name, run, reach, terminal.context())
        return
    from epkit.flows.pipeline import managing

    pid = managing.cancel(name, terminal.context())
    terminal.write(f"{name}: no run goes on\n" if pid is None else f"{name}: process {pid} is asked to end its run\n")


# Last, because the help lists the commands in this order.
publishing.register(app)
triggering.register(app)
