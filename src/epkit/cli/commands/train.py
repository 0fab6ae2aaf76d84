"""`epkit train`: finds a model for a table, reports how good it is, and writes it ready to deploy."""

from dataclasses import replace
from typing import Annotated

import typer

from epkit.cli import terminal
from epkit.cli.options import common as o
from epkit.cli.options import table as tables
from epkit.cli.options import train as t
from epkit.cli.output import summary as job_summary

EPILOG = """\b
Examples:
  epkit init --sample bank.csv                     a table to try it on
  epkit train bank.csv --label y -o model
  epkit train bank.csv --label y --drop duration --gate 'AUC>=0.78'
  epkit train new.csv --label y -o new --base model --gate 'AUC>=base-0.002'
  epkit train houses.parquet --label price --metric rmse --time-limit 10m
  epkit train bank.csv --label y --backend azureml --compute cpu-cluster
  epkit deploy create bank --model model --entry score.py
\b
After a crash or Ctrl-C, the same command continues the search. The same table,
seed and number of runs give the same bytes.
\b
Exit codes: 0 trained, 2 usage or a table that cannot be learned from, 5 a gate
was missed or cannot be judged (the model is still written),
6 Azure refused, or the job failed, 130 interrupted (143 by SIGTERM): the best
model so far is written, and a job at Azure goes on."""

FORMATS = ("text", "json", "markdown")

File = Annotated[str | None, typer.Argument(metavar="TABLE", hidden=True)]
Format = Annotated[str, o.option(t.OUT, "--format", metavar="text|json|markdown", help="Format of the report.")]
Html = Annotated[
    str | None, o.option(t.OUT, "--html", metavar="FILE", help="Also write the report as an HTML page to FILE.")
]
Junit = Annotated[
    str | None, o.option(t.OUT, "--junit", metavar="FILE", help="Write the gates as JUnit XML, one test case each.")
]
Quiet = Annotated[bool, o.option(t.OUT, "-q", "--quiet", help="No progress.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train", epilog=EPILOG, cls=o.Sections)(train)


def train(
    table: File = None,
    label: t.Label = None,
    task: t.Task = None,
    drop: t.Drop = None,
    id_: t.Id = None,
    positive: t.Positive = None,
    encoding: tables.Encoding = None,
    decimal: tables.Decimal = None,
    runs: t.Runs = 85,
    time_limit: t.TimeLimit = None,
    metric: t.Metric = None,
    balanced: t.Balanced = False,
    custom: t.Custom = None,
    workers: t.Workers = None,
    seed: t.Seed = 0,
    folds: t.Folds = 5,
    holdout: t.Holdout = None,
    group: t.Group = None,
    time: t.Time = None,
    test_size: t.TestSize = 0.2,
    threshold: t.Threshold = "0.5",
    gate: t.Gates = None,
    base: t.Base = None,
    cohorts: t.Cohorts = None,
    pairs: t.Pairs = None,
    out: t.Directory = "model",
    overwrite: t.Overwrite = False,
    restart: t.Restart = False,
    export: t.Export = None,
    format_: Format = "text",
    html: Html = None,
    junit: Junit = None,
    summary: o.Summary = False,
    dry_run: t.DryRun = False,
    quiet: Quiet = False,
    backend: t.Backend = "local",
    compute: t.Compute = None,
    create_compute: t.CreateCompute = None,
    block: t.Block = None,
    no_wait: t.NoWait = False,
    job: t.Job = None,
    cancel: t.Cancel = False,
) -> int:
    """Find a model for a table, report how good it is and how certain that is, and write it ready to deploy.

    TABLE is .csv, .parquet or .jsonl, one of these with .gz, a directory of Parquet files, a URL, or - for stdin.
    """
    from epkit.cli import panel
    from epkit.cli.output import train as output
    from epkit.files import outputs
    from epkit.flows.train.azure.options import AzureOptions
    from epkit.flows.train.options import TrainOptions

    terminal.check_choice("--format", format_, FORMATS)
    azure = AzureOptions(
        compute=compute, create_compute=create_compute, blocked=tuple(block or ()), job=job, wait=not no_wait,
        cancel=cancel,
    )  # fmt: skip
    at_azure = t.check_place(backend, table, label, azure)
    options = TrainOptions(
        file=table or "", label=label or "", task=task, drop=tuple(drop or ()), ids=tuple(id_ or ()),
        positive=positive, encoding=encoding, decimal=decimal, runs=runs, time_limit=time_limit, metric=metric,
        balanced=balanced, custom=tuple(custom or ()), workers=workers, seed=seed, folds=folds, holdout=holdout,
        group=group, time=time, test_size=test_size, threshold=threshold, gates=tuple(gate or ()), base=base,
        cohorts=None if cohorts is None else tuple(cohorts), pairs=tuple(pairs or ()), out=out, overwrite=overwrite,
        restart=restart, exports=tuple(export or ()),
    )  # fmt: skip
    if summary:
        job_summary.check()
    context, stdin = terminal.context(), terminal.stdin()
    if at_azure:
        from epkit.flows.train.azure import train as azure_flow

        if dry_run:
            return output.show_steps(azure_flow.plan_at_azure(options, azure, context, stdin))
        outputs.check_reports(html=html, junit=junit)
        with panel.search_display(quiet=quiet) as display:
            context = replace(context, note=display.note)  # the display uses the terminal
            ended = azure_flow.train_at_azure(options, azure, context, stdin, show=display.show)
        if isinstance(ended, azure_flow.JobNews):
            return output.show_job(ended, format_)
        return output.finish(ended, format_=format_, html=html, junit=junit, summary=summary)
    from epkit.flows.train import train as flow

    if dry_run:
        return output.show_plan(flow.dry_run(options, context, stdin))
    outputs.check_reports(html=html, junit=junit)
    with panel.search_display(quiet=quiet) as display:
        result = flow.train(options, context, stdin, show=display.show)
    return output.finish(result, format_=format_, html=html, junit=junit, summary=summary)
