"""An invalid prediction is recognised in every place where predictions are checked."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.replies.faults import fault_of, first_fault

FAULTS = [
    (None, "null"),
    (nan, "NaN"),
    (inf, "Infinity"),
    (-inf, "-Infinity"),
    ("NaN", "NaN"),
    ("nan", "nan"),
    ("-inf", "-inf"),
    ("+Infinity", "+Infinity"),
    ("-Infinity", "-Infinity"),
    ("null", "null"),
    ([0.5, nan], "NaN at 1"),
    ([0.5, None], "null at 1"),
    ([None], "null at 0"),
    ([0.5, "NaN"], "NaN at 1"),
    ({"no": 0.5, "yes": inf}, "Infinity at yes"),
    ({"no": 0.5, "yes": None}, "null at yes"),
    ({"label": "yes", "score": nan}, "NaN at score"),
    ({"label": "yes", "scores": [0.5, None]}, "null at 1"),
    ([[0.5, 0.5], [0.5, -inf]], "-Infinity at 1"),
]

SOUND = [
    0, 1.5, True, "yes", "", "None", "info", "Nancy", "infinite", 10**400, [0.5, 0.5], [], {}, [10**400],
    {"label": "yes", "explanation": None}, {"label": "NaN", "note": "x"}, ["a", None], {"label": "yes", "score": 0.5},
]  # fmt: skip


@pytest.mark.parametrize(("prediction", "words"), FAULTS)
def test_it_is_named(prediction: Any, words: str) -> None:
    fault = fault_of(prediction)

    assert fault is not None
    assert fault == f"{words} is no prediction"


@pytest.mark.parametrize("prediction", SOUND)
def test_everything_else_is_one(prediction: Any) -> None:
    assert fault_of(prediction) is None


def test_no_depth_of_nesting_is_too_much_to_be_looked_at() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]

    assert "nested deeper" in (fault_of(deep) or "")


@given(st.lists(st.sampled_from([each for each, _ in FAULTS] + SOUND), max_size=6))
def test_the_first_of_several_is_found_as_if_each_were_looked_at(predictions: list[Any]) -> None:
    expected = next(((n, fault_of(each)) for n, each in enumerate(predictions) if fault_of(each)), None)

    assert expected == first_fault(predictions)
