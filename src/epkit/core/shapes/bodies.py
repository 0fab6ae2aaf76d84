"""Finds the rows of a request body; all other modules use this one."""

from collections.abc import Sequence
from typing import Any

from epkit.core.shapes.forms import FoundRows, recognise
from epkit.core.shapes.table import PLACES


def find_rows(body: object, path: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], FoundRows] | None:
    """Find the rows in a decoded body.

    Args:
        path: keys that lead to them, if a contract has them; otherwise all usual places are searched.

    Returns:
        The keys that lead to the rows, and the rows; None if there are none.
    """
    if isinstance(body, list):
        found = recognise(body)
        return None if found is None else ((), found)
    for place in PLACES if path is None else (path,):
        value = value_at(body, place)
        found = recognise(value)
        if found is not None and path is None and found.form == "columns" and len(value) == 1:
            # A column of objects or lists means that one more key is around the rows.
            key, inner = next(iter(value.items()))
            if isinstance(inner[0] if inner else None, dict | list) and (below := recognise(inner)) is not None:
                return (*place, key), below
        if found is not None:
            return place, found
    return None


def count_rows(body: object) -> int | None:
    """Count the rows in a decoded request body.

    A list of scalars is a list of rows only under `instances`: each of its elements is one row by definition.

    Returns:
        The number of rows, ≥ 0; None if it cannot be known.
    """
    place_and_rows = find_rows(body)
    if place_and_rows is None:
        return None
    place, found = place_and_rows
    return found.count if found.certain or place == ("instances",) else None


def value_at(value: Any, path: Sequence[str]) -> Any:
    """Return the value under a path of keys, None if a key is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
