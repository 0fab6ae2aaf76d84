"""`epkit report`: a saved run again, in any format."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.core.report.wording import plural
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.files.runs import SavedRun

EPILOG = """\b
Examples:
  epkit report run.epkit
  epkit report run.epkit --format json | jq .latency_ms.service.percentiles
  epkit report run.epkit --html run.html --samples slow.csv
  epkit report --json-schema > report.schema.json"""

FORMATS = ("text", "ab", "json", "markdown")
FILES = (
    ("-e", "percentiles_csv"),
    ("-g", "gnuplot"),
    ("--html", "html"),
    ("--junit", "junit"),
    ("--samples", "samples"),
)


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
    samples: o.Samples = None,
) -> int:
    """Render a saved run again, equal to what the run itself printed.

    RUN is a file of epkit bench --save, or a directory of them. A run that was cut off (kill -9, power) is reported as
    far as it came, marked PARTIAL.
    """
    given = dict(locals())
    if json_schema:
        from importlib.resources import files

        terminal.write(files("epkit.core.report").joinpath("report.schema.json").read_text(encoding="utf-8"))
        return 0
    if run is None:
        raise UsageError("which run? epkit report RUN.epkit (or --json-schema)")
    return _show(_chosen(run, number, given), given)


def _chosen(path: str, number: int | None, given: Mapping[str, Any]) -> "tuple[SavedRun, ...]":
    """Pick the runs that are asked for, and refuse what cannot be written."""
    from epkit.files.outputs import check_writable
    from epkit.flows.bench.saved_runs import load

    if given["format_"] not in FORMATS:
        raise UsageError(f"--format {given['format_']}: not one of {', '.join(FORMATS)}")
    runs = load(path)
    if number is not None:
        if not 1 <= number <= len(runs):
            raise UsageError(f"--run {number}: {path} holds {plural(len(runs), 'run')}")
        runs = (runs[number - 1],)
    for flag, name in FILES:
        if given[name] is not None:
            if len(runs) > 1:
                raise UsageError(f"{flag} {given[name]}: {path} holds {len(runs)} runs; --run N picks one")
            check_writable(given[name], flag)
    return runs


def _show(runs: "tuple[SavedRun, ...]", given: Mapping[str, Any]) -> int:
    from epkit.cli.output import bench as output
    from epkit.flows.bench import saved_runs

    try:
        for run in runs:
            if saved_runs.is_cut(run):
                terminal.note(f"{run.path}: this run was cut off: the report is about what there is of it")
            result = saved_runs.result_of(
                run,
                rows_wanted=bool(given["percentiles_csv"] or given["gnuplot"] or given["format_"] == "ab"),
                histograms_wanted=given["html"] is not None,
            )
            terminal.write(output.render(result, given))
            output.write_files(result, given)
            if given["samples"] is not None:
                saved_runs.write_samples(run, result.report, given["samples"])
    except BrokenPipeError:
        return terminal.broken_pipe(0)
    return 0
