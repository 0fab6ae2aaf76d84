"""Finds values that are not predictions, although a reply has them in that place: null, NaN, infinity, deep nesting."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from epkit.core.json.reading import MAX_DEPTH

NO_NUMBERS: Final = frozenset(
    sign + word
    for sign in ("", "+", "-")
    for word in ("nan", "NaN", "NAN", "Nan", "inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")
)
"""Texts that servers write for NaN and infinity, because JSON has no such numbers."""

TOO_DEEP: Final = f"it is nested deeper than {MAX_DEPTH} levels"
"""Reason for a prediction that cannot be written out again."""

NO_TEXTS: Final = NO_NUMBERS | {"null"}
"""Texts that are not predictions."""


def fault_of(prediction: Any) -> str | None:
    """Return why a value is not a prediction; None if it is one.

    In a list or an object, a cell that is NaN or infinity is a fault. A cell that is null, or a text for such a number,
    is a fault only if the other cells are numbers: a label may lack an explanation, but a probability is a number.
    """
    if type(prediction) is float:
        return None if isfinite(prediction) else f"{_word(prediction)} is no prediction"
    if prediction is None:
        return "null is no prediction"
    if isinstance(prediction, str):
        return f"{prediction} is no prediction" if prediction in NO_TEXTS else None
    if not isinstance(prediction, list | dict):
        return None
    try:
        # Most lists and objects contain only numbers.
        sound = all(map(isfinite, prediction.values() if isinstance(prediction, dict) else prediction))
    except (TypeError, OverflowError):
        sound = False
    return None if sound else _fault_inside(prediction)


def first_fault(predictions: Sequence[Any]) -> tuple[int, str] | None:
    """Find the first value that is not a prediction: its place, and why. Deep nesting does not count here."""
    if are_sound(predictions, set(map(type, predictions))):
        return None
    faults = ((place, fault_of(prediction)) for place, prediction in enumerate(predictions))
    return next(((place, fault) for place, fault in faults if fault is not None and fault is not TOO_DEEP), None)


def are_sound(predictions: Sequence[Any], kinds: set[type]) -> bool:
    """Tell quickly whether all predictions are sound, as far as one look can show.

    Args:
        kinds: the types of the predictions.
    """
    if kinds <= {int, bool}:
        return True
    if kinds <= {float, int, bool}:
        try:
            return all(map(isfinite, predictions))
        except OverflowError:  # an integer beyond the range of floats
            return False
    return kinds == {str} and NO_TEXTS.isdisjoint(predictions)


def _word(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def _fault_inside(value: list[Any] | dict[str, Any]) -> str | None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for holder in level:
            cells = holder.values() if isinstance(holder, dict) else holder
            kinds = set(map(type, cells))
            if (fault := _fault_among(holder, kinds)) is not None:
                return fault
            below += (cell for cell in cells if isinstance(cell, list | dict))
        if not below:
            return None
        level = below
    return TOO_DEEP


def _fault_among(holder: list[Any] | dict[str, Any], kinds: set[type]) -> str | None:
    """Check the cells of one list or object."""
    cells = holder.items() if isinstance(holder, dict) else enumerate(holder)
    numbers = bool(kinds & {float, int}) or kinds == {type(None)}
    for key, cell in cells:
        if type(cell) is float and not isfinite(cell):
            return f"{_word(cell)} at {str(key)[:40]} is no prediction"
        missing = cell is None or (isinstance(cell, str) and cell in NO_TEXTS)
        if missing and numbers and all(_is_number(other) for other in _cells(holder)):
            return f"{'null' if cell is None else cell} at {str(key)[:40]} is no prediction"
    return None


def _cells(holder: list[Any] | dict[str, Any]) -> Sequence[Any]:
    return list(holder.values()) if isinstance(holder, dict) else holder


def _is_number(value: object) -> bool:
    """Tell whether a cell is a number, or a missing number."""
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and value in NO_TEXTS)
