"""A comparison as an HTML page: how far each metric changed, how certain that is, and all runs of the comparison."""

from collections.abc import Iterable
from dataclasses import replace

from epkit.core.report.compare import FASTER, SLOWER, Comparison, latency
from epkit.core.report.report import Report
from epkit.reporters.compare.text import cells, said, verdict
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Series
from epkit.reporters.parts.verdict import VerdictLine


def render(comparison: Comparison) -> str:
    """Render a comparison as an HTML page."""
    return page.render(sheet(comparison))


def sheet(comparison: Comparison) -> page.Sheet:
    """Return the contents of the page of a comparison."""
    *remarks, result = verdict(comparison)
    worse = not comparison.passed or any(metric.verdict == SLOWER for metric in comparison.metrics)
    heads = ["metric", "base", "new", "change", "95 % interval", "verdict"]
    rows = [(metric.name, *cells(metric), said(metric)) for metric in comparison.metrics]
    return page.Sheet(
        title=f"epkit compare: {comparison.base.name}, {comparison.new.name}",
        first=[
            "<h1>epkit compare</h1>",
            page.verdict(
                [VerdictLine(text=result, bad=worse), *(VerdictLine(text=line, bad=True) for line in remarks)],
                comparison.warnings,
            ),
            page.grid(
                [
                    page.section("Change, with its 95 % interval", _changes(comparison)),
                    page.section("Every run: p50 and p99", _runs(comparison)),
                ]
            ),
            page.section("Metrics", page.table(heads, rows), wide=True),
        ],
        rest=[page.section("Runs", page.table(_HEADS, _table(comparison)), wide=True)],
    )


_HEADS = ("", "run", "started", "target", "sent", "failed", "requests/s", "p50 (ms)", "p99 (ms)", "valid")


def _changes(comparison: Comparison) -> str:
    """Draw the relative changes; an increase is to the right."""
    rows = []
    for metric in comparison.metrics:
        if metric.ratio is not None and metric.name != "failed":
            low, high = metric.ci95 or (metric.ratio, metric.ratio)
            colour = 3 if metric.verdict == SLOWER else 4 if metric.verdict == FASTER else 1
            rows.append((metric.name, 100 * low - 100, 100 * metric.ratio - 100, 100 * high - 100, colour))
    axis = charts.around("change in %", [0.0, *(value for _, *ends, _ in rows for value in ends)])
    ticks = [(tick, f"{tick:+g}" if tick else "0") for tick, _ in axis.ticks]
    return charts.spans("Change of each metric with its interval", rows, replace(axis, ticks=ticks, said=_percent))


def _percent(change: float) -> str:
    return f"{change:+.3g} %"


def _runs(comparison: Comparison) -> str:
    lines, colour, at = [], 1, 1
    for name, arm in (("base", comparison.base), ("new", comparison.new)):
        for p in ("50", "99"):
            points = [
                (float(at + i), times.percentiles[p] if (times := latency(report)) else None)
                for i, report in enumerate(arm.reports)
            ]
            lines.append(Series(name=f"{name} p{p}", points=points, colour=colour))
            colour += 1
        at += len(arm.reports)
    heights = [value for line in lines for _, value in line.points if value is not None]
    y = charts.logarithmic("ms, log scale", heights, unit="ms")
    return charts.lines("Percentiles of every run", lines, charts.counted("run", range(1, at)), y)


def _table(comparison: Comparison) -> Iterable[tuple[str, ...]]:
    for name, arm in (("base", comparison.base), ("new", comparison.new)):
        yield from ((name, *_row(report)) for report in arm.reports)


def _row(report: Report) -> tuple[str, ...]:
    times = latency(report)
    middle, tail = (f"{times.percentiles[p]:.3f}" if times else "–" for p in ("50", "99"))
    return (
        report.run.id,
        report.run.started_at,
        report.run.target,
        str(report.counts.sent),
        str(report.counts.failed),
        f"{report.throughput.requests_per_s:.2f}",
        middle,
        tail,
        "yes" if report.validity.valid else "no",
    )
