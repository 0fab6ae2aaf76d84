"""Rows are counted in every wrapping that endpoints use, and in no other place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.shapes.bodies import count_rows

ROW = {"age": 17, "job": "admin."}


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ({"data": [ROW, ROW]}, 2),
        ({"data": [[1, 2], [3, 4], [5, 6]]}, 3),
        ({"data": []}, 0),
        ({"data": [ROW], "method": "predict"}, 1),
        ({"data": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}}, 2),
        ({"Inputs": {"data": [ROW, ROW]}, "GlobalParameters": {"method": "predict"}}, 2),
        ({"Inputs": {"WebServiceInput0": [ROW]}, "GlobalParameters": {}}, 1),
        ({"Inputs": [ROW]}, 1),
        ({"Inputs": {}}, None),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}, 2),
        ({"dataframe_records": [ROW, ROW]}, 2),
        ({"inputs": [[1.0], [2.0]]}, 2),
        ({"inputs": {"a": [1, 2, 3], "b": [4, 5, 6]}}, 3),
        ({"inputs": {"a": [1, 2, 3], "b": [4]}}, None),
        ({"inputs": {"a": 1, "b": 2}}, None),
        ({"input_data": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}}, 2),
        ({"input_data": [ROW]}, 1),
        ({"instances": [1.0, 2.0, 5.0]}, 3),
        ({"instances": [[[1]], [[2]]]}, 2),
        ([ROW, ROW, ROW], 3),
        ([[1, 2]], 1),
        ([1, 2], None),
        ([ROW, [1]], None),
        ({"data": [1, 2, 3]}, None),
        ({"data": [[[1]]]}, None),
        ({"data": "YWJj"}, None),
        ({"question": "?", "chat_history": []}, None),
        ("text", None),
        (None, None),
    ],
)
def test_rows_are_counted_or_said_to_be_unknown(payload: object, rows: int | None) -> None:
    counted = count_rows(payload)

    assert rows == counted


@given(st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_any_json_value_is_survived_and_a_known_number_is_never_negative(payload: object) -> None:
    counted = count_rows(payload)

    assert counted is None or counted >= 0
