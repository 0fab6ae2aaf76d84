"""Golden predictions: the expected predictions of each payload, compared to the last digit that matters."""

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from epkit.core.replies.decoding import decode
from epkit.core.replies.finding import ReplyPlace, find_predictions
from epkit.core.replies.judging import UNRECOGNISED

CLOSE: Final = 1e-6
"""Greatest relative difference from an expected number: machines add in different orders."""


def by_payload(expected: Sequence[Any], rows: Sequence[int | None], at: ReplyPlace | None = None) -> list[list[Any]]:
    """Divide expected predictions among the payloads.

    Args:
        expected: one value for each payload: a reply, or a list of predictions; or one record for each row of all
            payloads, as `epkit score` writes them: `{"row": 0, "prediction": …}`.
        rows: number of rows of each payload, None if it is not known.
        at: where a reply has its predictions, if it is known.

    Raises:
        ValueError: the number of predictions does not fit the payloads.
    """
    records = [value for value in expected if isinstance(value, dict) and "prediction" in value]
    if records and len(records) == len(expected):
        return _divided([record["prediction"] for record in records], rows)
    if len(expected) != len(rows):
        raise ValueError(f"{len(expected)} replies are expected, and {len(rows)} payloads are sent")
    found = []
    for number, (value, count) in enumerate(zip(expected, rows, strict=True), 1):
        reply = find_predictions(value, count, at)
        if reply is None:
            raise ValueError(f"reply {number}: no list of predictions is recognised")
        found.append(reply.values)
    return found


def _divided(records: list[Any], rows: Sequence[int | None]) -> list[list[Any]]:
    if any(count is None for count in rows):
        raise ValueError("how many rows a payload holds is not known, so predictions by row cannot be divided")
    counts = [count or 0 for count in rows]
    if sum(counts) != len(records):
        raise ValueError(f"{len(records)} predictions are expected, and the payloads hold {sum(counts)} rows")
    left = iter(records)
    return [list(islice(left, count)) for count in counts]


def mismatch(expected: list[Any], body: bytes, place: ReplyPlace | None = None) -> str | None:
    """Return the first difference between a reply and the expected predictions; None if there is none.

    Args:
        expected: one prediction for each row.
        body: body of the reply, already decompressed.
        place: where the reply has its predictions, if it is known.
    """
    try:
        reply = find_predictions(decode(body), len(expected), place)
    except ValueError:
        reply = None
    if reply is None:
        return UNRECOGNISED
    found = reply.values
    if len(found) != len(expected):
        return f"{len(found)} predictions, {len(expected)} are expected"
    for row, (wanted, got) in enumerate(zip(expected, found, strict=True)):
        if not same(wanted, got):
            return f"row {row}: {got!r} instead of {wanted!r}"
    return None


def same(one: Any, other: Any) -> bool:
    """Tell whether two predictions are equal: numbers within `CLOSE`, everything else exactly."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    if numbers:
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12) or (one != one and other != other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)
