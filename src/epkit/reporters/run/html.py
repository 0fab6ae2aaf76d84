"""A run as an HTML page: numbers, charts and a table of all values in one file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from epkit.core.http.masking import clean
from epkit.core.report.report import PhaseInfo, Report, WorkerInfo
from epkit.core.samples.latency import PARTS
from epkit.core.stats.distribution import PERCENTILES, Distribution
from epkit.core.stats.histogram import Histogram, values
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Axis, Series
from epkit.reporters.run import grid, over_time, percentiles, slowest
from epkit.reporters.run.facts import everything
from epkit.reporters.run.words import is_implicit, percentile_notes, said, verdict

COLOURS: Final = {"server": 4, "network": 2}

SHOWN: Final = 40
"""Greatest number of rows of a table; the JSON report has all."""

DRAWN: Final = 12
"""Greatest number of deployments in a chart."""

NAME: Final = 60
"""Greatest number of characters of a name."""


def render(report: Report, histograms: Mapping[str, Histogram]) -> str:
    """Render a run as an HTML page.

    Args:
        histograms: histograms of the latencies, by the report's names.
    """
    return page.render(sheet(report, histograms))


def sheet(report: Report, histograms: Mapping[str, Histogram]) -> page.Sheet:
    """Return the contents of the page of a run.

    Args:
        histograms: as for `render`; without them some charts are left out.
    """
    what = f"{report.run.method} {report.run.target}"
    return page.Sheet(
        title=f"epkit: {what}",
        first=[
            f"<h1>{page.said(what)}</h1>",
            f'<p class="dim">{page.said(_subtitle(report))}</p>',
            page.verdict(verdict(report), (warning.text for warning in report.warnings)),
            *([_objectives(report)] if _is_missed(report) else []),
            page.tiles(_tiles(report)),
            *_failures(report),
            page.grid(_charts(report, histograms)),
        ],
        rest=[*_tables(report)],
    )


def _is_missed(report: Report) -> bool:
    return any(not (threshold.passed or is_implicit(threshold)) for threshold in report.thresholds)


def _subtitle(report: Report) -> str:
    plan, run = report.plan, report.run
    load = f"{plan.rate:g} requests/s" if plan.rate is not None else f"{plan.concurrency} in flight"
    return f"{run.started_at}, {run.duration_s:.3f} s, {load}; epkit {report.tool.version}, {report.tool.engine} engine"


def _tiles(report: Report) -> Iterable[tuple[str, str]]:
    yield f"{report.throughput.requests_per_s:,.1f}/s", "throughput"
    if report.throughput.rows_per_s is not None:
        yield f"{report.throughput.rows_per_s:,.1f}/s", "rows"
    times = report.latency_ms.response if report.plan.model == "open" else report.latency_ms.service
    if times is not None:
        yield from ((_ms(times.percentiles[p]), f"p{p}") for p in ("50", "90", "99"))
        yield _ms(times.max), "longest"
    yield f"{report.counts.ok:,}", "succeeded"
    yield f"{report.counts.failed:,}", "failed"


def _ms(value: float) -> str:
    return f"{value:,.4g} ms" if value < 10_000 else f"{value / 1000:,.4g} s"


def _charts(report: Report, histograms: Mapping[str, Histogram]) -> Iterable[str]:
    yield from grid.chart(report.grid)
    if len(steps := _steps(report)) > 1:
        yield page.section("Latency by throughput", _load_curve(steps))
    yield from over_time.sections(report)
    if service := histograms.get("service"):
        yield page.section("Histogram of the service time", _histogram(service))
    if curves := percentiles.section(report, histograms):
        yield curves
    rows = [
        (name, times.percentiles["50"], times.mean, times.percentiles["99"], COLOURS.get(name, 1))
        for name in ("connect", "tls", "waiting", "transfer", "server", "network", "service")
        if (times := getattr(report.latency_ms, name)) is not None and times.percentiles["99"] >= 1e-3
    ]
    if len(rows) > 1:
        yield page.section("Where the time goes (p50, mean, p99)", _spans("Where the time goes", rows))
    answered = [(name, info.service) for name, info in report.deployments.items() if info.service is not None]
    if answered:
        rows = [
            (name, times.percentiles["50"], times.mean, times.percentiles["99"], 1 + place % 5)
            for place, (name, times) in enumerate(answered[:DRAWN])
        ]
        yield page.section("By deployment (p50, mean, p99)", _spans("By deployment", rows))


def _spans(label: str, rows: Sequence[tuple[str, float, float, float, int]]) -> str:
    ends = [max(value, 1e-3) for _, *three, _ in rows for value in three]
    axis = charts.logarithmic("ms, log scale", ends, unit="ms")
    return charts.spans(label, rows, axis, said=_three)


def _three(axis: Axis, p50: float, mean: float, p99: float) -> str:
    return f"p50 {axis.word(p50)}, mean {axis.word(mean)}, p99 {axis.word(p99)}"


def _steps(report: Report) -> list[tuple[PhaseInfo, Distribution]]:
    """Return the phases that were measured and belong to a curve, with their response times."""
    return [(phase, phase.response) for phase in report.phases if phase.measured and phase.response is not None]


def _load_curve(steps: Sequence[tuple[PhaseInfo, Distribution]]) -> str:
    """Draw the throughput and the times of each step, joined in order: after the knee the curve turns up."""
    across = [phase.successes_per_s for phase, _ in steps]
    found = [
        Series(
            name=f"p{p}",
            points=[(x, times.percentiles[p]) for x, (_, times) in zip(across, steps, strict=True)],
            colour=colour,
        )
        for p, colour in (("50", 1), ("99", 2))
    ]
    heights = [value for line in found for _, value in line.points if value is not None]
    notes = [
        (x, times.percentiles["99"], f"{phase.load}, knee" if phase.mark == "knee" else phase.load)
        for x, (phase, times) in zip(across, steps, strict=True)
    ]
    loads = {at: phase.load for at, (phase, _) in zip(across, steps, strict=True)}
    x = charts.linear("successes/s", across, name="throughput", unit="/s")
    x = replace(x, said=lambda at: f"{charts.figure(at)}/s ({loads[at]})")
    y = charts.logarithmic("ms, log scale", heights, unit="ms")
    return charts.lines("Latency by throughput", found, x, y, notes if len(notes) <= 12 else ())


def _histogram(histogram: Histogram) -> str:
    places = np.flatnonzero(histogram.counts)
    latencies = np.maximum(values(places), 1) / 1e6
    low, high = float(latencies[0]), float(latencies[-1])
    x = charts.logarithmic("ms, log scale", [low, max(high, low * 1.5)], name="service time", unit="ms")
    edges = np.geomspace(x.low, x.high, 61)
    counts, _ = np.histogram(np.clip(latencies, x.low, x.high), bins=edges, weights=histogram.counts[places])
    stacks = [(float(edges[i]), float(edges[i + 1]), [(float(count), 1)]) for i, count in enumerate(counts)]
    return charts.bars("Histogram", stacks, x, charts.linear("requests", [float(counts.max())]), [])


def _objectives(report: Report) -> str:
    rows = [(t.expression, f"{t.observed:.6g}", "met" if t.passed else "MISSED") for t in report.thresholds]
    return page.section("Objectives", page.table(["objective", "observed", ""], rows), wide=True)


def _failures(report: Report) -> Iterable[str]:
    if report.failures:
        ids = ["its id"] * any(e.id is not None for e in report.failures)
        heads = ["failure", "count", "of all", "first reply", *ids, "advice"]
        sent = max(1, report.counts.sent)
        rows = [
            (e.kind, f"{e.count:,}", f"{100 * e.count / sent:.3g} %", said(e), *[e.id or ""] * len(ids), e.advice)
            for e in report.failures
        ]
        yield page.section("Failures", page.table(heads, rows, prose=(3, len(heads) - 1)), wide=True)


def _tables(report: Report) -> Iterable[str]:
    if report.thresholds and not _is_missed(report):
        yield _objectives(report)
    yield from grid.tables(report.grid, report.search)
    if report.phases:
        heads = ["phase", "load", "sent", "failed", "requests/s", "p50 (ms)", "p99 (ms)", ""]
        yield page.section("Phases", *_rows(heads, list(map(_phase, report.phases))), wide=True)
    if report.workers:
        measures = ["sent", "failed", "requests/s", "p50 (ms)", "p99 (ms)", "CPU (µs)", "lag p99 (ms)"]
        heads = ["worker", "host", *measures, ""]
        yield page.section("Workers", *_rows(heads, list(map(_worker, report.workers))), wide=True)
    yield page.section("Latencies (ms)", *_latencies(report), wide=True)
    yield slowest.section(report)
    if report.deployments:
        heads = ["deployment", "ok", "failed", "p50 (ms)", "p99 (ms)"]
        split = [
            (clean(name, NAME), str(info.ok), str(info.failed), *_pair(info.service))
            for name, info in report.deployments.items()
        ]
        yield page.section("Deployments", *_rows(heads, split), wide=True)
    yield page.section("Everything else", page.table(["", ""], everything(report), words=True))


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    yield page.table(heads, rows[:SHOWN])
    if (left := len(rows) - SHOWN) > 0:
        yield page.note(f"and {left:,} more: the report as JSON has all.")


def _phase(phase: PhaseInfo) -> tuple[str, ...]:
    numbers = (f"{phase.sent:,}", f"{phase.failed:,}", f"{phase.requests_per_s:,.1f}", *_pair(phase.response))
    return (phase.name, phase.load, *numbers, phase.mark or "")


def _worker(worker: WorkerInfo) -> tuple[str, ...]:
    return (
        worker.name,
        clean(worker.host, NAME),
        f"{worker.sent:,}",
        f"{worker.failed:,}",
        f"{worker.requests_per_s:,.1f}",
        *("–" if ms is None else f"{ms:.3f}" for ms in (worker.p50, worker.p99)),
        f"{worker.cpu_us_per_request:.1f}",
        f"{worker.lag_ms['p99']:.3f}",
        "" if worker.lost is None else f"lost: {clean(worker.lost, 2 * NAME)}",
    )


def _pair(times: Distribution | None) -> tuple[str, str]:
    if times is None:
        return "–", "–"
    return f"{times.percentiles['50']:.3f}", f"{times.percentiles['99']:.3f}"


def _latencies(report: Report) -> Iterable[str]:
    rows = []
    for name in PARTS:
        times: Distribution | None = getattr(report.latency_ms, name)
        if times is not None:
            numbers = (times.min, times.mean, times.sd, *(times.percentiles[p] for p in PERCENTILES))
            rows.append((name, f"{times.count:,}", *(f"{value:.3f}" for value in numbers)))
    yield page.table(["", "count", "min", "mean", "sd", *(f"p{p}" for p in PERCENTILES)], rows)
    if service := report.latency_ms.service:
        sure = [(f"p{p}" if p != "mean" else p, *_bounds(service.ci95.get(p))) for p in ("mean", *PERCENTILES[:-1])]
        yield "<h2>95 % confidence intervals of the service time</h2>"
        yield page.table(["", "from (ms)", "to (ms)"], sure)
        yield "".join(f'<p class="dim">{page.said(note)}</p>' for note in percentile_notes(service, report.warnings))


def _bounds(interval: tuple[float, float] | None) -> tuple[str, str]:
    return (f"{interval[0]:.3f}", f"{interval[1]:.3f}") if interval else ("–", "–")
