"""What a scoring reply gives for each row, and the columns that it is written in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from epkit.core.http.headers import fields
from epkit.core.json.reading import MAX_DEPTH
from epkit.core.replies import decoding, judging
from epkit.core.samples.rows import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why a row has no prediction.

    Args:
        reason: the name of a `Failure` in lower case; `contract` for rows that were never sent.
        status: of the reply, 0 where there was none.
        detail: in words, not yet masked.
    """

    reason: str
    status: int
    detail: str


def read_reply(
    head: bytes, body: bytes, rows: int, *, mask: Callable[[bytes, list[Any]], list[Any]] | None = None
) -> list[Any] | tuple[Failure, str]:
    """Take the predictions out of a reply whose status is a success.

    Args:
        head: the raw header block; a body may follow.
        body: as it came, a content coding not yet taken off.
        rows: how many predictions there have to be.
        mask: takes credentials out of predictions, whose reply is its other argument; see `KeyGuard`.

    Returns:
        *rows* predictions; or what is wrong with the reply, and the reason in words.
    """
    if b"ontent-encoding" in head[: len(head) - len(body)].lower():
        try:
            body = judging.unpack(fields(head).get("content-encoding", ""), body, whole=True)
        except ValueError as error:
            return Failure.TRANSPORT, str(error)
    if not body:
        return Failure.EMPTY, "the reply has no body"
    try:
        decoded = decoding.decode(body)
    except ValueError:
        return Failure.CONTRACT, "the reply is not JSON"
    hidden = decoding.hidden_error(decoded)
    if hidden is not None:
        # JSON can name half a surrogate pair, which no file and no terminal can be written with.
        return Failure.APPLICATION, hidden.encode("utf-8", "replace").decode()
    found = decoding.predictions(decoded)
    if found is None:
        return Failure.CONTRACT, "no list of predictions is recognised in the reply"
    if len(found) != rows:
        return Failure.MISMATCH, f"{len(found)} predictions for {rows} rows"
    return found if mask is None else mask(body, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns that predictions are written in.

    Args:
        kind: what a prediction is, `value`, `list` or `object`; `any` where no row has told.
        names: `prediction`, or one `probability_<class>` for each class.
        keys: of the classes, where a prediction is an object of probabilities.
    """

    kind: str = "value"
    names: tuple[str, ...] = ("prediction",)
    keys: tuple[str, ...] | None = None

    @property
    def single(self) -> bool:
        """Whether a prediction is written in one column."""
        return self.names == ("prediction",)

    def fits(self, prediction: Any) -> bool:
        """Tell whether a prediction is what the first one was."""
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
    """Choose the columns by the first prediction.

    Args:
        probabilities: whether they were asked for; else numbers that add up to 1 are taken for some.
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
    """Name what a prediction is: one that changes in mid-run makes a reply that cannot be trusted."""
    return "list" if isinstance(prediction, list) else "object" if isinstance(prediction, dict) else "value"


def fault_of(prediction: Any) -> str | None:
    """Say why a prediction is none: null, not a number, or nested deeper than can be written."""
    if prediction is None:
        return "null is no prediction"
    if isinstance(prediction, list | dict):
        return f"it is nested deeper than {MAX_DEPTH} levels" if _is_deep(prediction) else None
    return "NaN is no prediction" if prediction != prediction else None


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
