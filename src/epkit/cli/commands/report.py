"""`epkit report`: renders a saved run again, in any format."""

from typing import TYPE_CHECKING, Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.cli.output.bench import OutputOptions
    from epkit.files.runs import SavedRun

EPILOG = """\b
Examples:
  epkit report run.epkit
  epkit report run.epkit --format json | jq .latency_ms.service.percentiles
  epkit report run.epkit --html run.html --samples slow.csv
  epkit report --json-schema > report.schema.json"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", epilog=EPILOG, cls=o.Sections)(report)


def report(
    run: Annotated[str | None, typer.Argument(metavar="RUN", hidden=True)] = None,
    number: o.RunNumber = None,
    json_schema: o.JsonSchema = False,
    format_: o.Format = "text",
    no_percentiles: o.NoPercentiles = False,
    no_deviations: o.NoDeviations = False,
    variable_length: o.VariableLength = False,
    quiet: o.Quiet = False,
    percentiles_csv: o.CsvFile = None,
    gnuplot: o.GnuplotFile = None,
    html: o.Html = None,
    junit: o.Junit = None,
    summary: o.Summary = False,
    samples: o.Samples = None,
) -> int:
    """Render a saved run again, exactly as the run itself printed it.

    RUN is a file of epkit bench --save, or a directory of them. The report of a run that was cut off (kill -9,
    power) covers what was saved, and is marked PARTIAL.
    """
    if json_schema:
        from importlib.resources import files

        terminal.write(files("epkit.core.report").joinpath("report.schema.json").read_text(encoding="utf-8"))
        return 0
    if run is None:
        raise UsageError("name a run: epkit report RUN.epkit (or --json-schema)")
    from epkit.cli.output.bench import OutputOptions

    output = OutputOptions(
        format=format_,
        percentiles=not no_percentiles,
        deviations=not no_deviations,
        variable_length=variable_length,
        quiet=quiet,
        percentiles_csv=percentiles_csv,
        gnuplot=gnuplot,
        html=html,
        junit=junit,
        summary=summary,
    )
    return _show(_chosen(run, number, output, samples), output, samples)


def _chosen(path: str, number: int | None, output: "OutputOptions", samples: str | None) -> "tuple[SavedRun, ...]":
    """Select the runs, and refuse files that cannot be written."""
    from epkit.core.report.wording import plural
    from epkit.files.outputs import check_writable
    from epkit.flows.bench.saved_runs import load

    output.check()
    runs = load(path)
    if number is not None:
        if not 1 <= number <= len(runs):
            raise UsageError(f"--run {number}: {path} holds {plural(len(runs), 'run')}")
        runs = (runs[number - 1],)
    for flag, name in (*output.files, *((("--samples", samples),) if samples is not None else ())):
        if len(runs) > 1:
            raise UsageError(f"{flag} {name}: {path} holds {len(runs)} runs; --run N picks one")
        check_writable(name, flag)
    return runs


def _show(runs: "tuple[SavedRun, ...]", output: "OutputOptions", samples: str | None) -> int:
    from epkit.cli.output import bench as shown
    from epkit.flows.bench import saved_runs

    try:
        for run in runs:
            result = saved_runs.result_of(
                run, rows_wanted=output.rows_wanted, histograms_wanted=output.html is not None
            )
            if saved_runs.is_cut(run):
                terminal.note(f"{run.path}: this run was cut off: the report covers only what was saved")
            terminal.write(shown.render(result, output))
            shown.write_files(result, output)
            if samples is not None:
                saved_runs.write_samples(run, result.report, samples)
    except BrokenPipeError:
        return terminal.broken_pipe(0)
    return 0
