"""How a table differs from the one that the champion was trained on: the one place that asks for drift."""

from collections.abc import Mapping, Sequence
from typing import Any

from epkit.core.pipeline.judgement import DriftFound
from epkit.core.train.columns import Learned
from epkit.flows.pipeline.rows import RunTable
from epkit.flows.pipeline.world import Champion


def drift_of(champion: Champion, learned: Learned, table: RunTable) -> DriftFound:
    """Compare a table with the one that the champion was trained on.

    Args:
        champion: its card has the columns and their distributions; its rows are in `kept_table`, where they are kept.
        learned: what was learned of *table*.
    """
    del table
    return DriftFound(found=None, schema=tuple(_changes(champion.card["columns"], learned.examples.card_columns)))


def _changes(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what has changed of the columns that a model sees."""
    old, new = ({column["name"]: column["kind"] for column in columns} for columns in (before, now))
    found = [f'column "{name}" is gone' for name in old if name not in new]
    found += [f'column "{name}" is new' for name in new if name not in old]
    found += [
        f'column "{name}" was a {old[name]} and is a {new[name]}'
        for name in old
        if new.get(name, old[name]) != old[name]
    ]
    return found
