"""Encoding of rows of frames: every cell keeps its value."""

import json
import math
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.contract.rows import rows_of
from epkit.core.json.writing import dumps_row
from epkit.core.score.encoding import as_list, as_object, encode_frame

KINDS = {"i": ("integer", None), "n": ("number", None), "s": ("string", None), "b": ("boolean", None), "u": ("integer", "uint64"), "any": (None, None)}  # fmt: skip


def spec(**columns):
    properties = {
        name: {key: value for key, value in zip(("type", "format"), kind, strict=True) if value}
        for name, kind in (columns or KINDS).items()
    }
    rows = {"type": "array", "items": {"type": "object", "properties": properties}}
    schema = {"type": "object", "properties": {"data": rows}}
    document = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": schema}]}}}}
    return rows_of(parse(document))


def decoded(lines):
    return [json.loads(line) for line in lines]


def test_a_frame_is_written_row_by_row_in_its_own_types():
    frame = pl.DataFrame({"a": [1, 2**62], "f": [1.0, 0.1], "s": ['"\n', "😀"], "b": [True, None], "l": [[1], []]})

    assert frame.to_dicts() == decoded(encode_frame(frame, None, text=False, lists=False))
    assert [list(row.values()) for row in frame.to_dicts()] == decoded(
        encode_frame(frame, None, text=False, lists=True)
    )


def test_an_empty_frame_has_no_rows():
    assert [] == encode_frame(pl.DataFrame({"a": []}, schema={"a": pl.Int64}), None, text=False, lists=False)


def test_nan_and_the_infinities_stay_what_they_are():
    frame = pl.DataFrame({"a": [math.nan, math.inf, -math.inf, 1.5]})

    assert [b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1.5}'] == encode_frame(
        frame, None, text=False, lists=False
    )


def test_what_json_has_no_type_for_is_written_as_it_is_checked():
    frame = pl.DataFrame({"d": [date(2020, 1, 31)], "c": pl.Series(["x"], dtype=pl.Categorical), "z": [b"\x01\xff"]})

    assert [{"d": "2020-01-31", "c": "x", "z": "01ff"}] == decoded(encode_frame(frame, None, text=False, lists=False))


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("i", ["17", "-2"], [17, -2]),
        ("i", ["17", " 18 ", "1.5", "old", None], [17, 18, 1.5, "old", None]),
        ("n", ["1.5", "1e3", "old"], [1.5, 1000.0, "old"]),
        ("b", ["true", "FALSE", "1", "0"], [True, False, True, False]),
        ("b", ["true", "perhaps", None], [True, "perhaps", None]),
        ("u", ["18446744073709551615", "7"], [2**64 - 1, 7]),
        ("s", ["17", "true"], ["17", "true"]),
        ("any", ["[1, 2]", "x"], [[1, 2], "x"]),
        ("unknown", ["17", None], ["17", None]),
    ],
)
def test_the_text_of_a_csv_file_is_read_as_the_contract_says(name, cells, expected):
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.String)})
    rows = decoded(encode_frame(frame, spec(), text=True, lists=False))

    assert [(type(value), value) for value in expected] == [(type(row[name]), row[name]) for row in rows]


def test_text_that_is_no_csv_is_left_alone():
    frame = pl.DataFrame({"i": ["17"]})

    assert [{"i": "17"}] == decoded(encode_frame(frame, spec(), text=False, lists=False))


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))
)


TYPED = st.one_of(
    *(
        st.lists(st.none() | cells, min_size=3, max_size=3).map(
            lambda cells, dtype=dtype: pl.Series(cells, dtype=dtype)
        )
        for dtype, cells in (
            (pl.String, st.text(st.characters(codec="utf-8"))),
            (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
            (pl.UInt64, st.integers(0, 2**64 - 1)),
            (pl.Float64, st.floats(allow_nan=False, allow_infinity=False)),
            (pl.Boolean, st.booleans()),
            (pl.List(pl.Int64), st.lists(st.integers(0, 9))),
        )
    )
)


@given(st.lists(TYPED, min_size=1, max_size=5))
def test_rows_that_are_lists_have_the_cells_of_the_frame(columns):
    frame = pl.DataFrame({f"c{place}": series for place, series in enumerate(columns)})

    rows = [json.loads(row) for row in encode_frame(frame, None, text=False, lists=True)]

    assert [list(row) for row in frame.iter_rows()] == rows


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), CELLS, max_size=4))
def test_a_row_is_read_back_as_it_was(row):
    assert row == json.loads(dumps_row(row))


def test_rows_change_between_objects_and_lists_by_name():
    assert [1, None] == as_list({"a": 1, "c": 3}, ["a", "b"])
    assert [1, 2] == as_list([1, 2], ["a", "b"])
    assert {"a": 1, "1": 2} == as_object([1, 2], ["a"])
    assert {"0": "x"} == as_object("x", [])
    assert {"b": 1} == as_object({"b": 1}, ["a"])
