"""Where the rows of a request body are: the one finder for everything that asks."""

from collections.abc import Sequence
from typing import Any

from epkit.core.shapes.forms import FoundRows, recognise
from epkit.core.shapes.table import PLACES


def find_rows(body: object, path: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], FoundRows] | None:
    """Find the rows in a decoded body.

    Args:
        path: keys that lead to them if a contract says so; else they are looked for in all the usual places.

    Returns:
        The keys that lead to them, and the rows; None where there are none.
    """
    if isinstance(body, list):
        found = recognise(body)
        return None if found is None else ((), found)
    for place in PLACES if path is None else (path,):
        value = value_at(body, place)
        found = recognise(value)
        if found is not None and path is None and found.form == "columns" and len(value) == 1:
            # One column of objects or of lists is one more key around the rows.
            key, inner = next(iter(value.items()))
            if isinstance(inner[0] if inner else None, dict | list) and (below := recognise(inner)) is not None:
                return (*place, key), below
        if found is not None:
            return place, found
    return None


def count_rows(body: object) -> int | None:
    """Count the rows in a decoded request body.

    A list of scalars is one of rows only under `instances`, whose every element is one by definition.

    Returns:
        The number of rows, ≥ 0; None where it cannot be known.
    """
    place_and_rows = find_rows(body)
    if place_and_rows is None:
        return None
    place, found = place_and_rows
    return found.count if found.certain or place == ("instances",) else None


def value_at(value: Any, path: Sequence[str]) -> Any:
    """Return the value under keys, None where one is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
