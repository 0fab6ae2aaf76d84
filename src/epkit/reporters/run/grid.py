"""A sweep of batch sizes for all reporters of runs: a table of its points, a chart, and the command to use."""

from collections.abc import Iterable, Sequence
from typing import Final

from epkit.core.http.masking import clean
from epkit.core.load.grid import GridState
from epkit.core.report.report import Grid, GridPoint, Search
from epkit.reporters.parts import charts, page
from epkit.reporters.parts.charts import Series
from epkit.reporters.parts.layout import wrap
from epkit.reporters.parts.markdown import code, escape
from epkit.reporters.run.words import said

FRONT: Final = "front"
USE: Final = "use"
HEADING: Final = "Rows per second by rows per request and concurrency"
EXPLAINED: Final = "front (Pareto): no other point has more rows/s and a lower p99."
MOST_CHARACTERS: Final = 4000
"""Greatest length of the recommended command in characters; it is never cut before a relevant flag."""


def text(grid: Grid | None) -> list[str]:
    """Lay out the points, and the reasons why some were not measured further."""
    if grid is None:
        return []
    heads = ("rows", "c", "rows/s", "95%", "p99 (ms)", "95% interval", "failed")
    table = [heads, *map(_short, grid.points)]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    marks = ["", *(_mark(grid, i) for i in range(len(grid.points)))]
    lines = [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), mark]).rstrip()
        for row, mark in zip(table, marks, strict=True)
    ]
    remarks = [line for name, words in _remarks(grid) for line in wrap(f"{name}: {words}", "  ", "      ")]
    return [HEADING, *lines, EXPLAINED, *(["Left out, and doubts:", *remarks] if remarks else [])]


def ending(grid: Grid | None) -> list[str]:
    """Return the recommended command in one unbroken line, so that it can be copied."""
    if grid is None or not grid.command:
        return []
    notes = [line for note in grid.notes for line in wrap(f"Note: {clean(note, 1000)}")]
    return [*notes, clean(grid.command, MOST_CHARACTERS)]


def markdown(grid: Grid | None) -> list[str]:
    """Lay out the points for a comment on a pull request; the recommended command comes after them."""
    if grid is None:
        return []
    lines = [
        "| rows | in flight | rows/s | 95 % interval | p99 (ms) | 95 % interval | failed | |",
        "|---:|---:|---:|---:|---:|---:|---:|---|",
        *(
            f"| {' | '.join(_numbers(point))} | {point.failed} | {_mark(grid, i)} |"
            for i, point in enumerate(grid.points)
        ),
        "",
        escape(EXPLAINED),
        "",
    ]
    remarks = [f"- {escape(name)}: {escape(words)}" for name, words in _remarks(grid)]
    notes = [f"- {escape(note)}" for note in grid.notes]
    line = [f"`{code(clean(grid.command, MOST_CHARACTERS))}`", ""] if grid.command else []
    return [*lines, *remarks, *([""] if remarks else []), *line, *notes, *([""] if notes else [])]


def chart(grid: Grid | None) -> Iterable[str]:
    """Draw rows per second against p99, and name the points of the front."""
    if grid is None:
        return
    drawn = [point for point in grid.points if point.p99 and point.rows_per_s > 0]
    if len(drawn) < 2:
        return
    best = sorted((point for point in drawn if point.is_front), key=lambda point: point.rows_per_s)
    x = charts.logarithmic("rows/s, log scale", [point.rows_per_s for point in drawn], name="throughput", unit="rows/s")
    y = charts.logarithmic("p99 in ms, log scale", [point.p99 or 0.0 for point in drawn], name="p99", unit="ms")
    names = [(point.rows_per_s, point.p99 or 0.0, point.name) for point in best]
    # A gap after each point that is not on the front: these points are not joined by a line.
    others = [(point.rows_per_s, point.p99) for point in drawn if not point.is_front]
    apart = [place for point in others for place in (point, (point[0], None))]
    series = [
        Series(name="on the front", points=[(point.rows_per_s, point.p99) for point in best], colour=1),
        *([Series(name="others", points=apart, colour=2)] if others else []),
    ]
    heading = "p99 by rows per second"
    yield page.section(heading, charts.lines(heading, series, x, y, names if len(names) <= 12 else (), below=True))


def tables(grid: Grid | None, found: Search | None) -> Iterable[str]:
    """Lay out the points, and the result with the recommended command, for a page."""
    if grid is None:
        return
    line = [page.table(["use"], [(clean(grid.command, MOST_CHARACTERS),)], words=True)] if grid.command else []
    words = [] if found is None else [page.note(found.words)]
    yield page.section("The batch size to use", *words, *line, *map(page.note, grid.notes))
    heads = ["rows", "in flight", "rows/s", "95 % interval", "p99 (ms)", "95 % interval", "failed", ""]
    rows = [(*_numbers(point), str(point.failed), _mark(grid, i)) for i, point in enumerate(grid.points)]
    yield page.section(HEADING, page.table(heads, rows), page.note(EXPLAINED), wide=True)
    if remarks := list(_remarks(grid)):
        yield page.section("Left out, and doubts", page.table(["point", "why"], remarks, prose=[1]), wide=True)


def _short(point: GridPoint) -> tuple[str, ...]:
    """Format the figures of a point for a terminal, which has no space for two complete intervals."""
    rows, concurrency, rate, _, p99, _ = _numbers(point)
    sure = "–"
    if point.rows_ci95 is not None and point.rows_per_s:
        sure = f"+/-{(point.rows_ci95[1] - point.rows_per_s) / point.rows_per_s:.0%}"
    return rows, concurrency, rate, sure, p99, _interval(point.p99_ci95, ".4g"), str(point.failed)


def _numbers(point: GridPoint) -> tuple[str, ...]:
    p99 = "–" if point.p99 is None else f"{point.p99:.3f}"
    rate = "–" if not point.rounds else f"{point.rows_per_s:,.0f}"
    return (
        str(point.rows),
        str(point.concurrency),
        rate,
        _interval(point.rows_ci95 if point.ok else None, ",.0f"),
        p99,
        _interval(point.p99_ci95, ".3f"),
    )


def _interval(bounds: tuple[float, float] | None, form: str) -> str:
    return "–" if bounds is None else f"{bounds[0]:{form}} to {bounds[1]:{form}}"


def _mark(grid: Grid, index: int) -> str:
    point = grid.points[index]
    words: Sequence[str] = (
        *([USE] if index == grid.chosen else []),
        *([FRONT] if point.is_front else []),
        *([] if point.state is GridState.MEASURED else [point.state.value]),
    )
    return ", ".join(words)


def _remarks(grid: Grid) -> Iterable[tuple[str, str]]:
    """Yield remarks on points: why they were left out, what failed, why they are in doubt."""
    for point in grid.points:
        words = [point.words] if point.words else []
        if point.failure is not None and point.state is GridState.FAILED:
            words.append(f"{said(point.failure)}: {point.failure.advice}")
        words += [f"not valid: {doubt}" for doubt in point.doubts[:1]]
        if words:
            yield point.name, clean("; ".join(words), 600)
