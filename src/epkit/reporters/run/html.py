"""A run to look at: numbers, charts and a table of everything in one file."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from epkit.core.report.document import to_plain
from epkit.core.report.report import PhaseInfo, Report, WorkerInfo
from epkit.core.samples.latency import PARTS
from epkit.core.stats.distribution import PERCENTILES, Distribution
from epkit.core.stats.histogram import Histogram, values
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Axis, Series
from epkit.reporters.run import grid
from epkit.reporters.run.words import percentile_notes, said, verdict

CURVE: Final = (
    *map(Fraction, (1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85)),
    *(100 - Fraction(share, 10**digits) for digits in range(6) for share in (10, 8, 6, 5, 4, 3, 2)),
)
"""Percentiles of the curve, from coarse to the last in a million."""

COLOURS: Final = {"service": 1, "server": 4, "network": 2, "response": 5, "failed": 3}


def render(report: Report, histograms: Mapping[str, Histogram]) -> str:
    """Render a run as an HTML page.

    Args:
        histograms: of its latencies, by the report's names.
    """
    what = f"{report.run.method} {report.run.target}"
    return page.page(
        f"epkit: {what}",
        [
            f"<h1>{page.said(what)}</h1>",
            f'<p class="dim">{page.said(_subtitle(report))}</p>',
            page.verdict(verdict(report), (warning.text for warning in report.warnings)),
            page.tiles(_tiles(report)),
            page.grid(_charts(report, histograms)),
            *_tables(report),
        ],
    )


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
    series = report.series
    if len(steps := _steps(report)) > 1:
        yield page.section("Latency by throughput", _load_curve(steps))
    if len(series) > 1:
        yield page.section("Latency over time", _latency(report))
        yield page.section("Throughput and failures", _throughput(report))
    if service := histograms.get("service"):
        yield page.section("Histogram of the service time", _histogram(service))
        shown = [name for name in ("service", "response", "server", "network") if name in histograms]
        if report.plan.model == "closed":
            shown = [name for name in shown if name != "response"]
        yield page.section("Percentiles", _curve({name: histograms[name] for name in shown}))
    rows = [
        (name, times.percentiles["50"], times.mean, times.percentiles["99"], COLOURS.get(name, 5))
        for name in ("connect", "tls", "waiting", "transfer", "server", "network", "service")
        if (times := getattr(report.latency_ms, name)) is not None and times.percentiles["99"] >= 1e-3
    ]
    if len(rows) > 1:
        ends = [max(value, 1e-3) for _, low, _, high, _ in rows for value in (low, high)]
        heading = "Where the time goes (p50, mean, p99)"
        yield page.section(heading, charts.spans(heading, rows, charts.logarithmic("ms, log scale", ends)))
    told = [(name, info.service) for name, info in report.deployments.items() if info.service is not None]
    if told:
        spans = [
            (name, times.percentiles["50"], times.mean, times.percentiles["99"], 1 + place % 5)
            for place, (name, times) in enumerate(told)
        ]
        ends = [max(value, 1e-3) for _, low, _, high, _ in spans for value in (low, high)]
        heading = "By deployment (p50, mean, p99)"
        yield page.section(heading, charts.spans(heading, spans, charts.logarithmic("ms, log scale", ends)))


def _steps(report: Report) -> list[tuple[PhaseInfo, Distribution]]:
    """Return the phases that a curve is drawn of, those that were measured, and their response times."""
    return [(phase, phase.response) for phase in report.phases if phase.measured and phase.response is not None]


def _load_curve(steps: Sequence[tuple[PhaseInfo, Distribution]]) -> str:
    """Draw what each step achieved and how long it took, joined in their order: past the knee the curve turns up."""
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
    x, y = charts.linear("successes/s", across), charts.logarithmic("ms, log scale", heights)
    return charts.lines("Latency by throughput", found, x, y, notes if len(notes) <= 12 else ())


def _latency(report: Report) -> str:
    found = [
        Series(name=name, points=[(w.t_s, getattr(w, name)) for w in report.series], colour=colour)
        for name, colour in (("p50", 1), ("p99", 2))
    ]
    heights = [value for line in found for _, value in line.points if value is not None]
    return charts.lines("Latency over time", found, _time(report), charts.logarithmic("ms, log scale", heights))


def _time(report: Report) -> Axis:
    return charts.linear("seconds", [report.run.duration_s])


def _throughput(report: Report) -> str:
    ends = [window.t_s for window in report.series[1:]] + [report.run.duration_s]
    # Failures with a whole reply are among the completed: what stands below is the rest.
    stacks = []
    for window, end in zip(report.series, ends, strict=True):
        failed = window.failed / max(1e-9, end - window.t_s)
        stacks.append((window.t_s, end, [(max(0.0, window.requests_per_s - failed), 1), (failed, 3)]))
    tops = [sum(height for height, _ in stack) for _, _, stack in stacks]
    names = [("succeeded", 1), ("failed", 3)]
    return charts.bars("Throughput and failures", stacks, _time(report), charts.linear("requests/s", tops), names)


def _histogram(histogram: Histogram) -> str:
    places = np.flatnonzero(histogram.counts)
    latencies = np.maximum(values(places), 1) / 1e6
    low, high = float(latencies[0]), float(latencies[-1])
    x = charts.logarithmic("ms, log scale", [low, max(high, low * 1.5)])
    edges = np.geomspace(x.low, x.high, 61)
    counts, _ = np.histogram(np.clip(latencies, x.low, x.high), bins=edges, weights=histogram.counts[places])
    stacks = [(float(edges[i]), float(edges[i + 1]), [(float(count), 1)]) for i, count in enumerate(counts)]
    return charts.bars("Histogram", stacks, x, charts.linear("requests", [float(counts.max())]), [])


def _curve(histograms: Mapping[str, Histogram]) -> str:
    """Draw latency by percentile; each nine has as much room as the last."""
    longest = max(histogram.count for histogram in histograms.values())
    found = []
    for name, histogram in histograms.items():
        told = [p for p in dict.fromkeys(CURVE) if (100 - p) * histogram.count >= 100]
        points = [(_nines(p), max(histogram.percentile(p), 1) / 1e6) for p in told]
        points.append((_nines(100 - Fraction(100, max(2, histogram.count))), max(histogram.max, 1) / 1e6))
        found.append(Series(name=name, points=points, colour=COLOURS[name]))
    most = _nines(100 - Fraction(100, max(2, longest)))
    marks = [(_nines(Fraction(p)), f"{p}%") for p in ("0.001", "50", "90", "99", "99.9", "99.99", "99.999")]
    marks[0] = (0.0, "0%")
    x = Axis(title="percentile", low=0, high=most, ticks=[mark for mark in marks if mark[0] <= most + 1e-9])
    y = charts.logarithmic("ms, log scale", [value for line in found for _, value in line.points if value is not None])
    return charts.lines("Percentiles", found, x, y)


def _nines(p: Fraction) -> float:
    return float(-np.log10(float(1 - p / 100)))


def _tables(report: Report) -> Iterable[str]:
    if report.thresholds:
        rows = [(t.expression, f"{t.observed:.6g}", "met" if t.passed else "MISSED") for t in report.thresholds]
        yield page.section("Objectives", page.table(["objective", "observed", ""], rows))
    if report.failures:
        heads = ["failure", "count", "first reply", "advice"]
        failed = [(e.kind, str(e.count), said(e), e.advice) for e in report.failures]
        yield page.section("Failures", page.table(heads, failed, words=True), wide=True)
    yield from grid.tables(report.grid, report.search)
    if report.phases:
        heads = ["phase", "load", "sent", "failed", "requests/s", "p50 (ms)", "p99 (ms)", ""]
        yield page.section("Phases", page.table(heads, map(_phase, report.phases)), wide=True)
    if report.workers:
        measures = ["sent", "failed", "requests/s", "p50 (ms)", "p99 (ms)", "CPU (µs)", "lag p99 (ms)"]
        heads = ["worker", "host", *measures, ""]
        yield page.section("Workers", page.table(heads, map(_worker, report.workers)), wide=True)
    yield page.section("Latencies (ms)", *_latencies(report), wide=True)
    if report.deployments:
        heads = ["deployment", "ok", "failed", "p50 (ms)", "p99 (ms)"]
        split = [
            (name, str(info.ok), str(info.failed), *_pair(info.service)) for name, info in report.deployments.items()
        ]
        yield page.section("Deployments", page.table(heads, split), wide=True)
    yield page.section("Everything else", page.table(["", ""], _everything(report), words=True))


def _phase(phase: PhaseInfo) -> tuple[str, ...]:
    numbers = (f"{phase.sent:,}", f"{phase.failed:,}", f"{phase.requests_per_s:,.1f}", *_pair(phase.response))
    return (phase.name, phase.load, *numbers, phase.mark or "")


def _worker(worker: WorkerInfo) -> tuple[str, ...]:
    return (
        worker.name,
        worker.host,
        f"{worker.sent:,}",
        f"{worker.failed:,}",
        f"{worker.requests_per_s:,.1f}",
        *("–" if ms is None else f"{ms:.3f}" for ms in (worker.p50, worker.p99)),
        f"{worker.cpu_us_per_request:.1f}",
        f"{worker.lag_ms['p99']:.3f}",
        "" if worker.lost is None else f"lost: {worker.lost}",
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


def _everything(report: Report) -> Iterable[tuple[str, str]]:
    for name in ("tool", "run", "plan", "counts", "throughput", "http", "generator", "validity"):
        yield from page.leaves(name, to_plain(getattr(report, name)))
