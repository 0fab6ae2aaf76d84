"""A drift report as an HTML page: the distributions of old and new rows side by side, the worst column first."""

from collections.abc import Iterable
from typing import Final

from epkit.core.drift.report import ColumnDrift, DriftReport
from epkit.core.http.masking import clean
from epkit.core.report.wording import plural
from epkit.reporters.drift import words
from epkit.reporters.parts import charts, page

DRAWN: Final = 12
"""Greatest number of columns that are drawn, unless more columns drifted."""

ROWS: Final = 160
"""Greatest number of ranges that are drawn, of all columns together: a page has 100 kB at most."""

LISTED: Final = 120
REMARKS: Final = 30

BARS: Final = 24
"""Greatest number of ranges or values that are drawn for a column."""

ROOM: Final = 130
"""Space for the names of ranges, in units of a chart."""

OLD, NEW = 1, 2
"""Colours of the old and the new rows."""


def render(report: DriftReport) -> str:
    """Render a drift report as an HTML page."""
    title = f"{words.name(report.new.name, 200)} against {words.name(report.old.name, 200)}"
    return page.page(
        f"epkit drift: {title}",
        [
            f"<h1>{page.said(title)}</h1>",
            page.note(f"old: {words.sample(report.old)}; new: {words.sample(report.new)}"),
            page.verdict(words.verdict(report)),
            *(page.note(clean(remark, words.SENTENCE)) for remark in report.remarks[:REMARKS]),
            page.tiles(_tiles(report)),
            page.grid(_charts(report)),
            page.section("All columns, the worst first", *_table(report), wide=True),
            page.note(
                f"PSI is compared with the value that chance alone gives for these rows. Together, the "
                f"{plural(report.tests, 'test')} report a false drift with a probability of at most "
                f"{100 * report.level:g} %. The rule of thumb (0.1, 0.25) ignores the number of rows, and decides "
                f"nothing."
            ),
        ],
    )


def _tiles(report: DriftReport) -> Iterable[tuple[str, str]]:
    drifted = sum(one.found for one in report.columns)
    yield f"{drifted:,}", f"of {plural(len(report.columns), 'column')} drifted"
    if report.columns:
        worst = report.columns[0]
        yield words.number(worst.psi), f"PSI of {words.column(worst)}, by chance up to {words.number(worst.threshold)}"
    if report.label is not None:
        label = report.label
        yield words.number(label.psi), f"PSI of the label, by chance up to {words.number(label.threshold)}"
    if report.classifier is not None:
        classifier = report.classifier
        yield f"{classifier.auc:.3f}", f"AUC of old against new rows, by chance up to {classifier.threshold:.3f}"
    yield f"{report.old.rows:,}", "old rows"
    yield f"{report.new.rows:,}", "new rows"


def _charts(report: DriftReport) -> Iterable[str]:
    if report.label is not None:
        yield _chart(report.label, f"Label {words.column(report.label)}")
    drifted = sum(one.found for one in report.columns)
    left = ROWS
    for one in report.columns[: max(DRAWN, drifted)]:
        left -= min(BARS, len(one.ranges))
        if left < 0:
            break
        yield _chart(one, words.column(one))


def _chart(one: ColumnDrift, heading: str) -> str:
    """Draw both distributions."""
    shares = words.shares(one)
    rows = [(name, was, now, f"{words.percent(was)} → {words.percent(now)}") for name, was, now in shares[:BARS]]
    drawn = charts.pairs(f"distribution of {heading}", rows, [("old", OLD), ("new", NEW)], ROOM)
    said = f'<p class="{"bad" if one.found else "dim"}">{page.said(words.index(one))}</p>'
    more = page.note(f"and {len(shares) - BARS} more") if len(shares) > BARS else ""
    return page.section(heading, said, drawn, more)


def _table(report: DriftReport) -> Iterable[str]:
    heads = ["column", "kind", "PSI", "by chance up to", "drift", "rule of thumb", "what moved most"]
    columns = report.columns[:LISTED]
    named = [(one, words.column(one)) for one in columns]
    if report.label is not None:
        named.insert(0, (report.label, f"{words.column(report.label)} (label)"))
    rows = (
        (
            name,
            one.kind,
            words.number(one.psi),
            words.number(one.threshold),
            "yes" if one.found else "no",
            words.rule_of_thumb(one),
            words.moved(one),
        )
        for one, name in named
    )
    yield page.table(heads, rows, prose=(0,))
    if (left := len(report.columns) - LISTED) > 0:
        yield page.note(f"{plural(left, 'more column')}: --format json has all.")
