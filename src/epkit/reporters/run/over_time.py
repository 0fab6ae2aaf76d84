"""The latency and throughput of a run over time; in a long run, a point covers several windows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from epkit.core.report.report import Report, Window
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Axis, Series

DRAWN: Final = 60
"""Greatest number of stretches that a reader can distinguish."""


def sections(report: Report) -> list[str]:
    """Draw the time series, if it has more than one window."""
    if len(report.series) < 2:
        return []
    stretches = _stretches(report.series)
    each = len(stretches[0])
    return [
        page.section("Latency over time", _latency(report, stretches), _note("the highest", each)),
        page.section("Throughput and failures", _throughput(report, stretches), _note("the mean", each)),
    ]


def _note(what: str, windows: int) -> str:
    return page.note(f"Each point is {what} of {windows} windows.") if windows > 1 else ""


def _stretches(series: Sequence[Window]) -> list[Sequence[Window]]:
    """Divide a series into pieces with equal numbers of windows, no more than can be drawn; the last may have fewer."""
    each = -(-len(series) // DRAWN)
    return [series[at : at + each] for at in range(0, len(series), each)]


def _latency(report: Report, stretches: Sequence[Sequence[Window]]) -> str:
    found = [
        Series(
            name=name,
            points=[
                (windows[0].t_s, max((value for w in windows if (value := getattr(w, name)) is not None), default=None))
                for windows in stretches
            ],
            colour=colour,
        )
        for name, colour in (("p50", 1), ("p99", 2))
    ]
    heights = [value for line in found for _, value in line.points if value is not None]
    y = charts.logarithmic("ms, log scale", heights, unit="ms")
    return charts.lines("Latency over time", found, _time(report), y)


def _time(report: Report) -> Axis:
    return charts.linear("seconds", [report.run.duration_s], name="time", unit="s")


def _throughput(report: Report, stretches: Sequence[Sequence[Window]]) -> str:
    begins = [windows[0].t_s for windows in stretches]
    # Failures with a complete reply count as completed; the lower part is the rest.
    stacks = []
    for windows, (begin, end) in zip(stretches, pairwise([*begins, report.run.duration_s]), strict=True):
        span = max(1e-9, end - begin)
        ends = [window.t_s for window in windows[1:]] + [end]
        completed = sum(w.requests_per_s * (to - w.t_s) for w, to in zip(windows, ends, strict=True)) / span
        failed = sum(window.failed for window in windows) / span
        stacks.append((begin, end, [(max(0.0, completed - failed), 1), (failed, 3)]))
    tops = [sum(height for height, _ in stack) for _, _, stack in stacks]
    names = [("succeeded", 1), ("failed", 3)]
    y = charts.linear("requests/s", tops, unit="/s")
    return charts.bars("Throughput and failures", stacks, _time(report), y, names)
