"""The sentences of drift reports: columns, the greatest changes, the verdict."""

import math
from collections.abc import Iterable
from typing import Final

from epkit.core.drift.report import ColumnDrift, DriftReport, DriftSample, SamplesClassifier
from epkit.core.http.masking import clean
from epkit.core.report.wording import plural
from epkit.reporters.parts.verdict import VerdictLine

NAME: Final = 60
"""Greatest number of characters that are shown of a name from a table."""

NAMED: Final = 3
"""Greatest number of columns that the verdict names."""

SENTENCE: Final = 300

LITTLE, MUCH = 0.1, 0.25
"""The rule of thumb for PSI, which does not consider the number of rows."""


def name(text: str, limit: int = NAME) -> str:
    """Shorten a name from a table so that it fits into a line."""
    return clean(text, limit) or "(empty)"


def column(one: ColumnDrift) -> str:
    """Return the name of a column; for a date, with its part."""
    return name(one.column) if one.part is None else f"{name(one.column)} ({one.part})"


def number(value: float) -> str:
    """Format an index."""
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"


def rule_of_thumb(one: ColumnDrift) -> str:
    """Return the class of an index by the rule of thumb: below 0.1, up to 0.25, or above."""
    return "small" if one.psi < LITTLE else "moderate" if one.psi <= MUCH else "large"


def shares(one: ColumnDrift) -> list[tuple[str, float, float]]:
    """Return the ranges of a column, with the shares of the old and of the new rows in each."""
    old, new = sum(one.old), sum(one.new)
    return [(words, was / old, now / new) for words, was, now in zip(one.ranges, one.old, one.new, strict=True)]


def percent(share: float) -> str:
    """Format a share."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or not value else f"{value:.2g} %"


def moved(one: ColumnDrift) -> str:
    """Return where the distribution changed most: `mar: 1.2 % → 12 %`."""
    words, was, now = max(shares(one), key=lambda each: abs(math.sqrt(each[1]) - math.sqrt(each[2])))
    return f"{name(words, 30)}: {percent(was)} → {percent(now)}"


def sample(one: DriftSample) -> str:
    """Return the name of a sample."""
    kind = " (card of a model)" if one.kind == "card" else ""
    return f"{name(one.name, 200)}{kind}, {one.rows:,} {'row' if one.rows == 1 else 'rows'}"


def classifier(one: SamplesClassifier) -> str:
    """Return how well a classifier distinguishes the two samples."""
    how = "can be distinguished" if one.found else "cannot be distinguished"
    figure = f"AUC {one.auc:.3f}, by chance up to {one.threshold:.3f}"
    return f"new rows {how} from old ones by all columns together: {figure}"


def index(one: ColumnDrift) -> str:
    """Return an index and its significance in words."""
    return f"PSI {number(one.psi)}, by chance up to {number(one.threshold)}"


def verdict(report: DriftReport) -> list[VerdictLine]:
    """Return the result in words, the overall verdict last."""
    return [VerdictLine(text=text, bad=bad) for text, bad in _verdict(report)]


def _verdict(report: DriftReport) -> Iterable[tuple[str, bool]]:
    for sentence in report.schema:
        yield f"schema: {clean(sentence, SENTENCE)}", True
    if report.label is not None and report.label.found:
        yield f"the label {column(report.label)} drifted: {index(report.label)}; {moved(report.label)}", True
    if report.classifier is not None and report.classifier.found:
        yield classifier(report.classifier), True
    drifted = [one for one in report.columns if one.found]
    if drifted:
        few = ", ".join(column(one) for one in drifted[:NAMED])
        more = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
        yield f"drift in {len(drifted)} of {plural(len(report.columns), 'column')}: {few}{more}", True
    elif not report.columns:
        yield "no column could be compared", True
    elif report.found:
        yield f"no drift in any of {plural(len(report.columns), 'column')} by itself", False
    else:
        yield f"no drift in {plural(len(report.columns), 'column')}", bool(report.schema)
