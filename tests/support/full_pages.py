"""A page of each kind, and very full pages: long series, many phases, workers, failures, columns."""

from dataclasses import replace

import numpy as np

from epkit.core.report import compare
from epkit.core.report.assembly import assemble
from epkit.core.report.report import DeploymentInfo, FailureExample, Threshold, Window, WorkerInfo
from epkit.core.report.summary import Summary
from epkit.core.stats.hdr import as_saved
from epkit.core.train.report import ColumnInfo, Confusion, Importance
from epkit.reporters.compare import html as compare_html
from epkit.reporters.drift import html as drift_html
from epkit.reporters.pipeline import html as pipeline_html
from epkit.reporters.run import html as run_html
from epkit.reporters.train import html as train_html
from support import drift_reports, reports, train_reports
from support.pipeline_runs import pipeline_run
from support.rows import MS, known, timed

LONG = "a name that is rather long " * 8


def bench(requests=4_000):
    """Make a run of some seconds with failures, a missed objective and two deployments; and its histograms."""
    times = (np.random.default_rng(3).lognormal(0, 0.5, requests) * 3 * MS).astype(np.int64)
    block = timed(times, server=1 * MS, deployment=1 + np.arange(requests) % 2)
    block["failure"][::50] = 5
    summary = Summary()
    summary.add(block)
    report = assemble(known(block, deployments=("", "blue", "green")), summary)
    missed = Threshold(expression="p99<5ms", observed=report.latency_ms.service.percentiles["99"], passed=False)
    return replace(report, thresholds=(missed, *report.thresholds)), as_saved(summary.histograms())


def full_bench():
    """Make the page of an hour-long run with a large amount of every possible content."""
    report, histograms = bench(20_000)
    rng = np.random.default_rng(4)
    series = tuple(
        Window(t_s=float(second), requests_per_s=12_345.6 + second, p50=1.2345 + rng.random(), p99=98.765 + rng.random(), failed=3)
        for second in range(3600)
    )  # fmt: skip
    steps = reports.sweep().phases
    worker = WorkerInfo(
        name="worker", host=LONG, sent=1_234_567, ok=1_234_000, failed=567, requests_per_s=12_345.6, p50=1.234, p99=98.765,
        start_ms=1.2, clock_offset_ms=0.1, clock_error_ms=0.1, cpu_us_per_request=12.3, cpu_utilisation=0.5,
        lag_ms={"p50": 0.1, "p99": 0.2, "max": 0.3}, lost=LONG,
    )  # fmt: skip
    said = report.deployments["blue"]
    return run_html.render(
        replace(
            report,
            run=replace(report.run, duration_s=3600.0),
            series=series,
            phases=tuple(replace(steps[place % len(steps)], name=f"step {place}") for place in range(80)),
            workers=tuple(replace(worker, name=f"worker {place}") for place in range(100)),
            failures=tuple(
                FailureExample(kind=kind, count=1234, status=503, detail="<reply> " * 200, advice=LONG)
                for kind in report.counts.failures
            ),
            deployments={
                f"{place} {LONG}": DeploymentInfo(ok=1, failed=0, service=said.service) for place in range(70)
            },
        ),
        histograms,
    )


def comparison(runs=5):
    """Make the page of a comparison of two arms."""
    one, _ = bench(400)

    def arm(name, scale):
        made = []
        for place in range(runs):
            throughput = replace(one.throughput, requests_per_s=scale * (100 + place % 7))
            made.append(replace(one, throughput=throughput, run=replace(one.run, id=f"{name}{place}")))
        return compare.Arm(name=name, reports=tuple(made))

    return compare_html.render(compare.compare(arm("base", 1.0), arm("new", 1.3)))


def full_training():
    """Make the page of a training with hundreds of columns and classes."""
    report = train_reports.digits()
    columns = tuple(
        ColumnInfo(name=f"{place} {LONG}", kind="category", missing=12_345, distinct=678) for place in range(400)
    )
    shares = tuple(
        Importance(name=column.name, share=0.0123, permutation=train_reports.figure(0.0123)) for column in columns
    )
    classes = tuple(f"class {place}" for place in range(120))
    counts = tuple(tuple(1234 + one * other for other in range(120)) for one in range(120))
    judged = replace(report.out_of_fold, confusion=Confusion(classes=classes, counts=counts))
    bank = train_reports.bank()
    return train_html.render(
        replace(
            report,
            data=replace(report.data, columns=columns, classes=dict.fromkeys(classes, 1234)),
            importance=shares,
            engineered=shares,
            effects=bank.effects * 3,
            cohorts=bank.cohorts * 20,
            errors=bank.errors,
            runs=bank.runs,
            gates=bank.gates,
            out_of_fold=judged,
        )
    )


def history(runs=3):
    """Make the page of the runs of a pipeline."""
    made = [pipeline_run(number, missed=number % 4 == 0) for number in range(1, runs + 1)]
    return pipeline_html.render_history("bank", made, runs)


PAGES = {
    "bench": lambda: run_html.render(*bench()),
    "sweep": lambda: run_html.render(reports.sweep(), {}),
    "compare": comparison,
    "train": lambda: train_html.render(train_reports.bank()),
    "drift": lambda: drift_html.render(drift_reports.bank()),
    "pipeline": lambda: pipeline_html.render(pipeline_run(missed=True)),
    "history": history,
}
"""Functions that make a page of each kind."""

FULL = {
    "bench": full_bench,
    "compare": lambda: comparison(60),
    "train": full_training,
    "drift": lambda: drift_html.render(drift_reports.wide()),
    "pipeline": lambda: pipeline_html.render(pipeline_run(missed=True, parameters={str(n): LONG for n in range(100)})),
    "history": lambda: history(500),
}
"""Functions that make pages with a great amount of content."""
