"""Predictions are assigned to the rows that the reply names."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.replies.finding import FoundPredictions, find_predictions
from epkit.core.replies.joining import JoinError, in_order, join

ROWS = [{"date": f"2026-01-0{day}", "store": store, "price": 1.5} for day in (1, 2, 3) for store in ("north", "south")]
DAY_MS = 86_400_000
FIRST_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def of(row: dict[str, Any]) -> str:
    return f"{row['date']} {row['store']}"


def answer(index: Any, values: list[Any]) -> FoundPredictions:
    found = find_predictions({"Results": {"forecast": values, "index": index}}, len(ROWS))
    assert found is not None
    assert found.row_keys is not None
    return found


def by_series() -> list[dict[str, Any]]:
    return sorted(ROWS, key=lambda row: row["store"])


@pytest.mark.parametrize(
    "index",
    [
        [{"date": row["date"], "store": row["store"]} for row in by_series()],
        [{"store": row["store"], "date": row["date"] + "T00:00:00.000Z", "_automl": 1} for row in by_series()],
        [{"date": FIRST_MS + (int(row["date"][-1]) - 1) * DAY_MS, "store": row["store"]} for row in by_series()],
        {"date": [row["date"] for row in by_series()], "store": [row["store"] for row in by_series()]},
        str([{"date": row["date"], "store": row["store"]} for row in by_series()]).replace("'", '"'),
        [ROWS.index(row) for row in by_series()],
    ],
    ids=["texts", "times", "milliseconds", "columns", "a JSON text", "numbers of rows"],
)
def test_whatever_the_order_and_the_form_of_the_index(index: Any) -> None:
    joined = join(answer(index, [of(row) for row in by_series()]), len(ROWS), lambda: ROWS)

    assert [of(row) for row in ROWS] == joined.values
    assert {} == joined.faults


def test_numbers_and_texts_of_numbers_are_the_same_row() -> None:
    found = FoundPredictions(["b", "a"], [{"store": 2}, {"store": 1}])

    assert ["a", "b"] == join(found, 2, lambda: [{"store": "1"}, {"store": "2"}]).values


def test_a_row_that_is_missing_fails_and_is_named() -> None:
    index = [{"date": row["date"], "store": row["store"]} for row in ROWS[1:]]
    joined = join(FoundPredictions([of(row) for row in ROWS[1:]], index), len(ROWS), lambda: ROWS)

    assert [None, *(of(row) for row in ROWS[1:])] == joined.values
    assert {0: "the reply has no prediction for this row (date 2026-01-01, store north)"} == joined.faults


def test_rows_that_cannot_be_told_apart_fail_and_are_named() -> None:
    index = [{"store": row["store"]} for row in ROWS]
    joined = join(FoundPredictions(list(range(6)), index), len(ROWS), lambda: ROWS)

    assert [None] * 6 == joined.values
    assert {0, 1, 2, 3, 4, 5} == set(joined.faults)
    assert "rows with store south cannot be distinguished" in joined.faults[1]


def test_rows_that_are_the_same_and_get_the_same_need_not_be_told_apart() -> None:
    rows = [{"store": 1}, {"store": 1}]

    assert [7, 7] == join(FoundPredictions([7, 7], [{"store": 1}, {"store": 1}]), 2, lambda: rows).values


@pytest.mark.parametrize(
    ("found", "rows", "words"),
    [
        (FoundPredictions([1, 2], [{"store": 1}]), [{"store": 1}] * 2, "2 predictions and an index of 1"),
        (
            FoundPredictions([1], [{"shop": 1}]),
            [{"store": 1}],
            "names its rows by shop, which the rows sent do not have",
        ),
        (FoundPredictions([1], [{"store": 1}]), [], "names its rows by store"),
        (FoundPredictions([1, 2], [1, 0]), [{"a": 1}] * 3, "2 predictions for 3 rows"),
    ],
)
def test_an_index_of_something_else_is_refused(found: FoundPredictions, rows: list[Any], words: str) -> None:
    with pytest.raises(JoinError, match=words):
        join(found, len(rows), lambda: rows)


def test_an_index_in_order_is_none() -> None:
    found = find_predictions({"columns": ["y"], "index": [0, 1], "data": [[1], [2]]})

    assert found is not None
    assert found.row_keys is None


def test_the_index_of_a_split_frame_puts_its_rows_in_order() -> None:
    found = find_predictions({"columns": ["y"], "index": [1, 0], "data": [["b"], ["a"]]})

    assert found is not None
    assert ["a", "b"] == join(found, 2, list).values


class TestRowsThatAreRepeatedInTheReply:
    def test_bring_their_predictions_along(self) -> None:
        echo = [{**row, "forecast": of(row)} for row in by_series()]

        assert [of(row) for row in ROWS] == [each["forecast"] for each in in_order(echo, lambda: ROWS, ROWS[0])]

    @pytest.mark.parametrize(
        "values",
        [
            [{"price": 1.5, "n": n} for n in range(6)],
            [{"store": "east", "n": n} for n in range(6)],
            [{"n": n} for n in range(6)],
            [{"date": "2026-01-01"}, *[None] * 5],
        ],
        ids=["not distinguished", "another meaning", "nothing repeated", "not objects"],
    )
    def test_are_left_as_they_are_where_they_do_not_say_so(self, values: list[Any]) -> None:
        assert values == in_order(values, lambda: ROWS, ROWS[0])


def test_no_depth_of_nesting_is_too_much() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    rows = [{"a": deep}, {"a": 2}]

    with pytest.raises(JoinError, match="nested too deeply"):
        join(FoundPredictions([1, 2], rows), 2, lambda: rows)
    assert rows == in_order(rows, lambda: rows, rows[0])


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())
OBJECTS = st.dictionaries(st.sampled_from("abc"), CELLS)


@given(st.lists(CELLS), st.lists(OBJECTS, min_size=1), st.lists(OBJECTS))
def test_no_index_raises(values: list[Any], index: list[Any], rows: list[Any]) -> None:
    try:
        joined = join(FoundPredictions(values, index), len(rows), lambda: rows)
    except JoinError:
        return
    assert len(rows) == len(joined.values)


@given(st.lists(st.text() | st.integers(), unique_by=str, min_size=1), st.randoms())
def test_every_order_comes_out_right(keys: list[Any], dice: random.Random) -> None:
    rows = [{"key": key} for key in keys]
    mixed = list(rows)
    dice.shuffle(mixed)
    joined = join(FoundPredictions([str(row["key"]) for row in mixed], mixed), len(rows), lambda: rows)

    assert [str(key) for key in keys] == joined.values
