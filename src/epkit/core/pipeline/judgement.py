"""When a new model is needed: drift, a schema that changed, or quality that is surely below a gate.

A table with the hash of the one that the champion was trained on needs nothing. Other rows alone need nothing either:
a model that was trained on rows of the same distribution is no better. What needs a new model is found by a test with a
known rate of false alarms (drift), or by an interval (quality), so that chance alone does not train and deploy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from epkit.core.pipeline.run import Need
from epkit.core.report.wording import plural
from epkit.core.shortening import cut
from epkit.core.train.report import Gate

SHOWN: Final = 3
"""Columns that a reason names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFound:
    """What a comparison of the table with the champion's reference found.

    Args:
        found: whether the distributions differ by more than chance; None where that was not measured.
        columns: those that differ, a phrase each, the worst first.
        schema: what is otherwise than the champion knows it, a sentence each.
        details: plain JSON, for the report.
    """

    found: bool | None
    columns: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Say it in a few words."""
        if self.schema:
            more = f" and {len(self.schema) - 1} more" if len(self.schema) > 1 else ""
            return f"schema: {cut(self.schema[0], 80)}{more}"
        if self.found is None:
            return "drift: not measured"
        return f"drift: {listed(self.columns)}" if self.found else "drift: none"


def listed(columns: Sequence[str]) -> str:
    """Name the first columns, and say how many more there are."""
    names = ", ".join(cut(column, 60) for column in columns[:SHOWN])
    more = len(columns) - SHOWN
    if not columns:
        return "in all columns together"
    return f"{names} and {more} more" if more > 0 else names


def surely_missed(gate: Gate, op: str) -> bool:
    """Tell whether a gate is missed by its whole interval, so that chance does not explain it.

    Args:
        op: of its expression.
    """
    if gate.state != "missed" or gate.wanted is None or gate.ci95 is None:
        return False
    low, high = gate.ci95
    return high < gate.wanted if op in (">", ">=") else low > gate.wanted


def need(drift: DriftFound, missed: Sequence[Gate], *, new_rows: int) -> Need:
    """Decide whether a new model is needed for a table that is another one than the champion was trained on.

    Args:
        missed: gates that the champion misses by their whole interval, on rows that it was not trained on.
        new_rows: how many these rows are.
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
    quality = f"the champion passes on {plural(new_rows, 'new row')}" if new_rows else "no new labelled rows"
    return Need(retrain=False, reasons=(measured, quality))
