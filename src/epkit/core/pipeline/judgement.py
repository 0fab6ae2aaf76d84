"""Decides whether a new model is needed: because of drift, a changed schema, or quality that is surely below a gate.

If the table has the same hash as the champion's training table, no new model is needed. Other rows alone are no reason
either: a model trained on rows of the same distribution is no better. The reasons are drift, found by a test with a
known rate of false alarms, and quality, judged by its interval. So chance alone does not train and deploy a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from epkit.core.pipeline.run import Need
from epkit.core.report.wording import plural
from epkit.core.shortening import cut
from epkit.core.train.report import Gate

SHOWN: Final = 3
"""Columns that a reason lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFound:
    """The result of comparing the table with the champion's training data.

    Args:
        found: whether the distributions differ by more than chance; None if this was not measured.
        columns: the columns that differ, a phrase each, the worst first.
        schema: differences from the champion's columns, one sentence each.
        details: plain JSON, for the report.
    """

    found: bool | None
    columns: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Summarise the result in a few words."""
        if self.schema:
            more = f" and {len(self.schema) - 1} more" if len(self.schema) > 1 else ""
            return f"schema: {cut(self.schema[0], 80)}{more}"
        if self.found is None:
            return "drift: not measured"
        return f"drift: {listed(self.columns)}" if self.found else "drift: none"


def listed(columns: Sequence[str]) -> str:
    """List the first columns, and the number of the others."""
    names = ", ".join(cut(column, 60) for column in columns[:SHOWN])
    more = len(columns) - SHOWN
    if not columns:
        return "in all columns together"
    return f"{names} and {more} more" if more > 0 else names


def surely_missed(gate: Gate, op: str) -> bool:
    """Tell whether the whole interval of a gate misses the limit, so that chance does not explain the miss.

    Args:
        op: comparison operator of the gate.
    """
    if gate.state != "missed" or gate.wanted is None or gate.ci95 is None:
        return False
    low, high = gate.ci95
    return high < gate.wanted if op in (">", ">=") else low > gate.wanted


def need(drift: DriftFound, missed: Sequence[Gate], *, new_rows: int | None) -> Need:
    """Decide whether a new model is needed for a table that is not the champion's training table.

    Args:
        missed: gates that the champion misses with the whole interval, on rows that it was not trained on.
        new_rows: number of these rows; None if no gate judges the champion by itself.
    """
    reasons = [f"the schema has changed: {cut(change, 120)}" for change in drift.schema]
    if drift.found:
        reasons.append(f"drift: {listed(drift.columns)}")
    for gate in missed:
        assert gate.observed is not None
        reasons.append(
            f"the champion misses {gate.expression} on {plural(gate.rows or 0, 'new row')}: {gate.observed:.4g}"
        )
    if reasons:
        return Need(retrain=True, reasons=tuple(reasons))
    measured = "no drift" if drift.found is False else "the schema is the same"
    return Need(retrain=False, reasons=(measured, _quality(new_rows)))


def _quality(new_rows: int | None) -> str:
    if new_rows is None:
        return "no gate judges the champion by itself"
    return f"the champion passes on {plural(new_rows, 'new row')}" if new_rows else "no new labelled rows"
