"""The output of `epkit bench` at the end of a run: the report, the files, and a line on stderr about failures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from epkit.cli import terminal
from epkit.cli.output import summary as job_summary
from epkit.core.load.criteria import BATCH_ROWS
from epkit.core.report.report import Report
from epkit.core.report.wording import plural
from epkit.flows.bench.bench import exit_code
from epkit.flows.bench.options import BenchOptions, BenchResult, DryRun
from epkit.paths import inside

FORMATS: Final = ("text", "ab", "json", "markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """The output of a run, as selected by flags.

    Args:
        format: one of `FORMATS`.
        percentiles, deviations: whether these are shown.
        variable_length, quiet: as in ab.
        percentiles_csv, gnuplot, html, junit: paths of files; None for files that are not wanted.
        summary: whether the report is appended to the summary of the CI job.
    """

    format: str = "text"
    percentiles: bool = True
    deviations: bool = True
    variable_length: bool = False
    quiet: bool = False
    percentiles_csv: str | None = None
    gnuplot: str | None = None
    html: str | None = None
    junit: str | None = None
    summary: bool = False

    @property
    def rows_wanted(self) -> bool:
        """Whether the output needs every row of the run."""
        return bool(self.percentiles_csv or self.gnuplot or self.format == "ab")

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The requested files, with their flags."""
        named = (("-e", self.percentiles_csv), ("-g", self.gnuplot), ("--html", self.html), ("--junit", self.junit))
        return tuple((flag, path) for flag, path in named if path is not None)

    def check(self) -> None:
        """Refuse an unknown format, and a summary outside a CI job.

        Raises:
            UsageError: the format is unknown, or there is no job.
        """
        terminal.check_choice("--format", self.format, FORMATS)
        if self.summary:
            job_summary.check()


def show_plan(planned: DryRun) -> int:
    """Print the first request, and what a run would do with it."""
    more = len(planned.payloads) - 1
    others = f"\n(and {more} more, one a payload)\n" if more > 0 else ""
    terminal.write(f"{planned.request}\n{others}\n{planned.target}: {_plan(planned)}. No load was sent.\n")
    return 0


def finish(result: BenchResult, options: BenchOptions, output: OutputOptions) -> int:
    """Print the report, write the files, and describe in one line what went wrong.

    Returns:
        The exit code.
    """
    code, report = exit_code(result, strict=options.strict), result.report
    try:
        terminal.write(render(result, output))
    except BrokenPipeError:
        code = terminal.broken_pipe(code)
    write_files(result, output)
    if options.keep_failures is not None:
        for name, text in result.kept.items():
            path = inside(Path(options.keep_failures), name, where="--keep-failures")
            terminal.write_file(str(path), text, "--keep-failures")
    if code:
        terminal.complain(f"{report.run.target}: {_complaint(code, result)}")
    for worker in report.workers:
        if worker.lost is not None:
            terminal.complain(f"{worker.name}: lost: it {worker.lost}; the report covers what it had sent until then")
    return code


def _plan(planned: DryRun) -> str:
    plan = planned.plan
    if planned.grid is not None:
        kept = "kept" if plan.keepalive else "closed after each round"
        return f"{planned.grid}; {plan.timeout_s:g} s for each request, connections {kept}"
    much = "1 request" if plan.requests == 1 else f"{plan.requests} requests" if plan.requests else "requests"
    long = f" for {'at most ' if plan.requests else ''}{plan.duration_s:g} s" if plan.duration_s else ""
    kept = "kept" if plan.keepalive else "closed after each"
    flight = f"{plan.concurrency} in flight"
    if plan.model == "open":
        flight = f"{plan.arrivals} arrivals, at most {flight}"
    loads = ", ".join(f"{name}: {load}" for name, load in planned.phases) if len(planned.phases) > 1 else ""
    if not loads and plan.rate is not None:
        loads = f"{plan.rate:g}/s"
    loads = f" ({loads})" if loads else ""
    shared = f", among {plan.workers} workers" if plan.workers > 1 else ""
    return f"{much}{long}{loads}, {flight}, {plan.timeout_s:g} s for each, connections {kept}{shared}"


def write_files(result: BenchResult, output: OutputOptions) -> None:
    """Write the requested files."""
    from epkit.reporters.run import ab_files

    times = result.ab_times
    if times is not None and output.percentiles_csv:
        terminal.write_file(output.percentiles_csv, ab_files.percentiles_csv(times), "-e")
    if times is not None and output.gnuplot:
        terminal.write_file(output.gnuplot, ab_files.gnuplot_tsv(times, terminal.local_zone()), "-g")
    if output.junit is not None:
        from epkit.reporters.run import junit

        terminal.write_file(output.junit, junit.render(result.report), "--junit")
    if output.html is not None:
        from epkit.reporters.run import html

        terminal.write_file(output.html, html.render(result.report, result.histograms), "--html")
    if output.summary:
        job_summary.add(render(result, replace(output, format="markdown")))


def _complaint(code: int, result: BenchResult) -> str:
    report = result.report
    counts = report.counts
    if code in (130, 143) and not counts.sent and report.phases:
        return f"interrupted in the warm-up, after {report.phases[0].sent} requests of it"
    if code in (130, 143):
        return f"interrupted after {plural(counts.sent, 'request')}; the report covers those"
    reports = result.runs or (report,)
    if not any(run.counts.sent for run in reports):
        return "no request was made"
    missed = [threshold for run in reports for threshold in run.thresholds if not threshold.passed]
    search = report.search
    if code == 5 and search is not None and search.kind == BATCH_ROWS and search.value is None:
        return search.words
    if code == 5 and not missed:
        if search is not None and search.value is None:
            return search.words
        return f"not valid: {next(reason.text for run in reports for reason in run.validity.reasons)}"
    if code == 5 and missed[0].expression != "failed==0":
        more = f", and {len(missed) - 1} more" if len(missed) > 1 else ""
        return f"missed {missed[0].expression}: observed {missed[0].observed:.6g}{more}"
    report = next((run for run in reports if run.counts.failed), report)
    counts = report.counts
    much = f"{counts.failed} of {counts.sent} requests failed"
    if code == 4:
        much = "the only request failed" if counts.sent == 1 else f"none of {counts.sent} requests succeeded"
    most = ", most of them for this reason" if len(report.failures) > 1 else ""
    first = report.failures[0]
    advice, said = first.advice, f" ({first.detail})"
    if first.kind == "status":
        advice, said = f"{first.status}: {advice}", f" (the server says: {first.detail})"
    return f"{much}{most}: {advice}{said if first.detail else ''}"


def render(result: BenchResult, output: OutputOptions) -> str:
    """Render the report in the requested format."""
    if result.runs:
        return _repeats(result.runs, output.format)
    shown = {"percentiles": output.percentiles, "deviations": output.deviations}
    match output.format:
        case "json":
            return _json(result)
        case "ab":
            return _ab(result, quiet=output.quiet, variable_length=output.variable_length, **shown)
        case "markdown":
            from epkit.reporters.run import markdown

            return markdown.render(result.report)
        case _:
            from epkit.reporters.run import text

            return text.render(result.report, **shown)


def _repeats(runs: Sequence[Report], format_: str) -> str:
    from epkit.core.json import writing
    from epkit.core.report.document import to_document
    from epkit.reporters.run import repeats

    if format_ == "json":
        return writing.document({"format": "epkit.repeats/1", "runs": [to_document(run) for run in runs]})
    return repeats.markdown(runs) if format_ == "markdown" else repeats.text(runs)


def _json(result: BenchResult) -> str:
    from epkit.core.json import writing
    from epkit.core.report.document import to_document

    return writing.document(to_document(result.report))


def _ab(result: BenchResult, **shown: bool) -> str:
    from epkit.core.report.ab import summarise
    from epkit.reporters.run import ab

    assert result.ab_times is not None  # with these options, every row is wanted
    return ab.render(result.report, summarise(result.ab_times), **shown)
