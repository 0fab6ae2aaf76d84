"""The percentiles of a run as curves with 95 % intervals; each nine has the same width on the axis."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from epkit.core.report.report import Report
from epkit.core.stats.histogram import Histogram
from epkit.core.stats.percentile_curve import nines, percentile_curve
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Axis, Series

COLOURS: Final[Mapping[str, int]] = {"service": 1, "server": 4, "network": 2, "response": 5}

UNSUPPORTED: Final = (
    "The sample supports no percentile beyond the median: it is too small, or its requests depend too much on each "
    "other."
)

MARKS: Final = ("50", "75", "90", "95", "99", "99.9", "99.99", "99.999", "99.9999")


def section(report: Report, histograms: Mapping[str, Histogram]) -> str:
    """Draw the parts of the latency up to the last percentile that the sample supports; `""` without a success."""
    found = []
    for name, colour in COLOURS.items():
        times = getattr(report.latency_ms, name)
        if name not in histograms or times is None or (name == "response" and report.plan.model == "closed"):
            continue
        points = percentile_curve(histograms[name], times)
        found.append(
            Series(
                name=name,
                points=[(nines(point.p), max(point.at_ms, 1e-6)) for point in points],
                band=[(max(point.low_ms, 1e-6), max(point.high_ms, 1e-6)) for point in points],
                colour=colour,
            )
        )
    found = [line for line in found if len(line.points) > 1]
    if not found:
        return page.section("Percentiles", page.note(UNSUPPORTED)) if "service" in histograms else ""
    ends = [place for line in found for place, _ in (line.points[0], line.points[-1])]
    x = Axis(
        title="percentile",
        low=min(ends),
        high=max(ends),
        ticks=[(at, f"{mark}%") for mark in MARKS if min(ends) <= (at := nines(Fraction(mark))) <= max(ends)],
        said=_percent,
    )
    y = charts.logarithmic("ms, log scale", [end for line in found for pair in line.band for end in pair], unit="ms")
    drawn = charts.lines("Percentiles with their 95 % intervals", found, x, y)
    return page.section("Percentiles", drawn, page.note("Shaded: 95 % confidence intervals."))


def _percent(place: float) -> str:
    """Format the percentile at a place: the grid has at most 9 digits."""
    return f"{100 - 100 * 10**-place:.9g}"
