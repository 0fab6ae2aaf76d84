"""What is no prediction, although a reply has it in the place of one: null, NaN, an infinity, what is too deep."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from epkit.core.json.reading import MAX_DEPTH

NO_NUMBERS: Final = frozenset(
    sign + word
    for sign in ("", "+", "-")
    for word in ("nan", "NaN", "NAN", "Nan", "inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")
)
"""How servers write NaN and the infinities as texts, because JSON has no numbers for them."""

TOO_DEEP: Final = f"it is nested deeper than {MAX_DEPTH} levels"
"""Said of what cannot be written out again."""

NO_TEXTS: Final = NO_NUMBERS | {"null"}
"""Texts that are no prediction."""


def fault_of(prediction: Any) -> str | None:
    """Say why a prediction is none; None where it is one.

    Of a list or an object, a cell that is NaN or an infinity is a fault, and null, or a text of one, is a fault where
    the cells next to it are numbers: a label may have no explanation, a probability has to be a number.
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
        # Numbers alone are what most lists and objects are.
        sound = all(map(isfinite, prediction.values() if isinstance(prediction, dict) else prediction))
    except (TypeError, OverflowError):
        sound = False
    return None if sound else _fault_inside(prediction)


def first_fault(predictions: Sequence[Any]) -> tuple[int, str] | None:
    """Find the first prediction that is none: its place, and why it is none; the depth of nesting is no reason."""
    if are_sound(predictions, set(map(type, predictions))):
        return None
    faults = ((place, fault_of(prediction)) for place, prediction in enumerate(predictions))
    return next(((place, fault) for place, fault in faults if fault is not None and fault is not TOO_DEEP), None)


def are_sound(predictions: Sequence[Any], kinds: set[type]) -> bool:
    """Tell quickly whether predictions are all some, as far as that can be seen at once.

    Args:
        kinds: their types.
    """
    if kinds <= {int, bool}:
        return True
    if kinds <= {float, int, bool}:
        try:
            return all(map(isfinite, predictions))
        except OverflowError:  # a whole number beyond the range of floats
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
    """Look at the cells of one list or object."""
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
    """Tell whether a cell is a number, or a missing one."""
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and value in NO_TEXTS)
