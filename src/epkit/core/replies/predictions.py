"""The predictions of a scoring reply by row, and the columns to which they are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The reason why a row has no prediction.

    Args:
        reason: the name of a `Failure` in lower case; `contract` for rows that were not sent.
        status: status of the reply, 0 if there was none.
        detail: a sentence, not yet masked.
        reply: an unusable reply with a 2xx status, only with the first row of its request; not yet masked.
    """

    reason: str
    status: int
    detail: str
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns to which predictions are written.

    Args:
        kind: type of a prediction: `value`, `list` or `object`; `any` before the first prediction.
        names: `prediction`, or `probability_<class>` for each class.
        keys: the classes, if a prediction is an object of probabilities.
    """

    kind: str = "value"
    names: tuple[str, ...] = ("prediction",)
    keys: tuple[str, ...] | None = None

    @property
    def single(self) -> bool:
        """Whether a prediction is written to one column."""
        return self.names == ("prediction",)

    def fits(self, prediction: Any) -> bool:
        """Tell whether a prediction has the same form as the first one."""
        if self.kind == "any":
            return True
        if kind_of(prediction) != self.kind:
            return False
        if self.keys is not None:
            return tuple(prediction) == self.keys
        return self.single or len(prediction) == len(self.names)

    def cells(self, prediction: Any) -> Sequence[Any]:
        """Return the cells of a prediction that fits."""
        if self.single:
            return (prediction,)
        return prediction if self.keys is None else list(prediction.values())


def layout_of(prediction: Any, *, probabilities: bool) -> Layout:
    """Choose the columns from the first prediction.

    Args:
        probabilities: whether the user asked for them. Otherwise, numbers that add up to 1 count as probabilities.
    """
    kind = kind_of(prediction)
    keys = tuple(prediction) if kind == "object" else None
    values = list(prediction.values()) if kind == "object" else prediction
    if kind == "value" or not values or not all(_is_number(value) for value in values):
        return Layout(kind=kind)
    adds_up = len(values) > 1 and min(values) >= 0 and math.isclose(sum(values), 1, abs_tol=1e-6 * len(values))
    if not (probabilities or adds_up):
        return Layout(kind=kind)
    return Layout(kind=kind, names=tuple(f"probability_{key}" for key in keys or range(len(values))), keys=keys)


def kind_of(prediction: Any) -> str:
    """Return the type of a prediction. If it changes during a run, the reply cannot be trusted."""
    return "list" if isinstance(prediction, list) else "object" if isinstance(prediction, dict) else "value"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
