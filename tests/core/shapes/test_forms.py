"""Rows are recognised in every form, also after they were written in a form."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.shapes.envelopes import Envelope, of_body
from epkit.core.shapes.forms import FORMS, OF_OBJECTS, RowWriter, Tensor, datatype_of, recognise, split_tensor

NAMES = ("age", "job")
ROWS = [[17, "admin."], [87, 'a "b", c']]
OBJECTS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
TENSORS = [
    {"name": "age", "shape": [2], "datatype": "INT64", "data": [17, 87]},
    {"name": "job", "shape": [2], "datatype": "BYTES", "data": ["admin.", 'a "b", c']},
]

WRITTEN = {
    "records": OBJECTS,
    "lists": ROWS,
    "split": {"columns": list(NAMES), "data": ROWS},
    "ndarray": {"names": list(NAMES), "ndarray": ROWS},
    "table": {"schema": {"fields": []}, "data": OBJECTS},
    "columns": {"age": [17, 87], "job": ["admin.", 'a "b", c']},
    "index": {"0": OBJECTS[0], "1": OBJECTS[1]},
    "dicts": {"age": {"0": 17, "1": 87}, "job": {"0": "admin.", "1": 'a "b", c'}},
    "tensors": TENSORS,
}


def body_of(form, rows, path=("x", "y"), template=None, tensors=()):
    envelope = Envelope(path=path, form=form, names=NAMES, template=template, tensors=tensors)
    before, after = envelope.around()
    return before + envelope.writer.write([json.dumps(row).encode() for row in rows]) + after


@pytest.mark.parametrize("form", WRITTEN)
def test_rows_are_written_in_each_form_and_recognised_again(form):
    rows = OBJECTS if form in OF_OBJECTS else ROWS
    template = {"x": {"y": WRITTEN[form], "more": 1}, "last": True}

    body = json.loads(body_of(form, rows, template=template))
    found = recognise(body["x"]["y"])

    assert template == body
    assert (form, 2, rows) == (found.form, found.count, found.rows())


def test_every_form_is_written():
    assert set(FORMS) == {*WRITTEN, "values", "tensor", "row", "cells", "csv", "jsonlines"}


@pytest.mark.parametrize(
    ("form", "rows", "body"),
    [
        ("values", [["a"], ["b"]], b'{"x": ["a","b"]}'),
        ("values", ["a", 1.5], b'{"x": ["a",1.5]}'),
        ("row", [{"a": 1}], b'{"x": {"a": 1}}'),
        ("cells", [[1, 2]], b'{"x": [1, 2]}'),
    ],
)
def test_forms_without_names(form, rows, body):
    assert body == body_of(form, rows, path=("x",))


def test_texts_have_no_body_around_them():
    assert b'17,admin.\n87,"a ""b"", c"\n,\n' == body_of("csv", [*ROWS, [None, None]], path=())
    assert b'{"age": 17, "job": "admin."}\n{"a": null}' == body_of("jsonlines", [OBJECTS[0], {"a": None}], path=())


def test_one_tensor_of_all_columns_is_flat_and_keeps_what_the_model_says_of_it():
    known = Tensor(name="x", datatype="FP32", shape=(2,), parameters={"content_type": "np"})

    body = json.loads(body_of("tensor", [[1, 2.5], [3, None]], path=("inputs",), tensors=(known,)))
    found = recognise(body["inputs"])

    assert {
        "inputs": [
            {
                "name": "x",
                "shape": [2, 2],
                "datatype": "FP32",
                "parameters": {"content_type": "np"},
                "data": [1, 2.5, 3, None],
            }
        ]
    } == body
    assert ("tensor", [[1, 2.5], [3, None]]) == (found.form, found.rows())


def test_tensors_of_columns_have_the_order_and_the_dimensions_of_the_model():
    known = (Tensor(name="job", datatype="BYTES", shape=(1,)),)

    written = json.loads(body_of("tensors", ROWS, path=("inputs",), tensors=known))["inputs"]

    assert [("job", [2, 1]), ("age", [2])] == [(part["name"], part["shape"]) for part in written]


@pytest.mark.parametrize(
    ("value", "form", "count"),
    [
        ([{"name": "x", "shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}], "tensor", 3),
        ([{"name": "x", "shape": [3, 2], "data": [[1, 2], [3, 4], [5, 6]]}], "tensor", 3),
        ([{"name": "x", "shape": [2, 1], "data": [[1], [2]]}], "tensors", 2),
        (
            [{"name": "x", "shape": [2], "data": [1, 2]}, {"name": "y", "shape": [2, 2], "data": [1, 2, 3, 4]}],
            "tensors",
            2,
        ),
        ([{"name": "x", "shape": [0], "data": []}], "tensors", 0),
        ([{"name": "x", "shape": ["2"], "data": []}], "records", 1),
        ({"ndarray": [[1]]}, "ndarray", 1),
        ({"columns": ["a"], "index": [5], "data": [[1]]}, "split", 1),
    ],
)
def test_what_servers_send(value, form, count):
    found = recognise(value)

    assert (form, count, count) == (found.form, found.count, len(found.rows()))


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "x", "shape": [2], "data": [1]}],
        [{"name": "x", "shape": [2, 2], "data": [1, 2]}],
        [{"name": "x", "shape": [2], "data": [1, 2]}, {"name": "y", "shape": [3], "data": [1, 2, 3]}],
        {"a": {"x": 1}, "b": {"y": 1}},
        {"a": {"x": 1}, "b": {"x": 1}},
        {"a": {}, "b": {}},
        {"a": [1], "b": [1, 2]},
        {},
        None,
        "text",
    ],
)
def test_what_has_no_rows(value):
    assert recognise(value) is None


def test_a_tensor_of_three_dimensions_is_split_along_the_first():
    assert [[1, 2, 3, 4], [5, 6, 7, 8]] == split_tensor([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    assert [[[1, 2], [3, 4]], [[5, 6], [7, 8]]] == split_tensor([2, 2, 2], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])


def test_one_more_key_around_the_rows_is_followed():
    envelope, found = of_body({"Inputs": {"anything": OBJECTS}})

    assert (("Inputs", "anything"), OBJECTS) == (envelope.path, found.rows())


@pytest.mark.parametrize(
    ("values", "datatype"),
    [
        ([True, None], "BOOL"),
        ([1, 2], "INT64"),
        ([1, None], "FP64"),
        ([1, 2.5], "FP64"),
        (["a"], "BYTES"),
        ([True, 1], "BYTES"),
    ],
)
def test_a_datatype_is_chosen_by_the_values(values, datatype):
    assert datatype == datatype_of(values)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([], {"a": [], "b": []}),
        ([b"[1]", b"[2]"], {"a": [1, 2], "b": [None, None]}),
        ([b"[1]", b"[2,3]"], {"a": [1, 2], "b": [None, 3]}),
    ],
)
def test_a_row_that_is_too_short_has_null_in_the_last_columns(rows, columns):
    assert columns == json.loads(RowWriter(form="columns", names=("a", "b")).write(rows))


@pytest.mark.parametrize("form", ["columns", "tensors", "dicts"])
def test_numbers_stay_as_they_are(form):
    text = RowWriter(form=form, names=("a",)).write([b"[NaN]", b"[18446744073709551617]", b"[0.1]"])

    assert b"NaN" in text
    assert b"18446744073709551617" in text
    assert math.isclose(0.1, float(text.rpartition(b"0.1")[1]))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_rows_of_any_value_are_as_many_as_they_are_counted(value):
    found = recognise(value)

    assert found is None or len(found.rows()) == found.count
