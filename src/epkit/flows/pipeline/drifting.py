"""How a table differs from the one that the champion was trained on: the one place that asks for drift."""

from collections.abc import Mapping, Sequence
from typing import Any

from epkit.core.pipeline.judgement import DriftFound
from epkit.core.train.columns import Learned


def drift_of(card: Mapping[str, Any], learned: Learned) -> DriftFound:
    """Compare a table with the card of a model.

    Args:
        card: of the champion; its `columns` and `reference` are what it was trained on.
        learned: the table.
    """
    return DriftFound(found=None, schema=tuple(_changes(card["columns"], learned.examples.card_columns)))


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
