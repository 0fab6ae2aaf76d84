"""The envelope of rows: found in a body, read from --wrap, and written around any rows."""

import json

import pytest

from epkit.core.shapes.envelopes import Envelope, from_wrap, of_body
from epkit.core.shapes.forms import RowWriter
from epkit.errors import UsageError

ROWS = [{"a": 1}, {"a": 2}]

FOUND = [
    ([{"a": 1}], (), "records"),
    ([[1], [2]], (), "lists"),
    ({"data": ROWS, "method": "predict"}, ("data",), "records"),
    ({"Inputs": {"data": ROWS}, "GlobalParameters": 1.0}, ("Inputs", "data"), "records"),
    ({"Inputs": {"WebServiceInput0": ROWS}}, ("Inputs", "WebServiceInput0"), "records"),
    ({"dataframe_split": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}}, ("dataframe_split",), "split"),
    ({"dataframe_records": ROWS}, ("dataframe_records",), "records"),
    ({"instances": [[1], [2]]}, ("instances",), "lists"),
    ({"instances": [1, 2]}, ("instances",), "values"),
    ({"inputs": {"a": [1, 2], "b": [3, 4]}}, ("inputs",), "columns"),
    ({"input_data": {"columns": ["a"], "data": [[1], [2]]}}, ("input_data",), "split"),
]


@pytest.mark.parametrize(("body", "path", "shape"), FOUND)
def test_rows_are_found_in_every_usual_body(body, path, shape):
    envelope, found = of_body(body)

    assert (path, shape) == (envelope.path, envelope.form)
    assert len(found.rows()) == found.count
    assert found.count in (1, 2)


@pytest.mark.parametrize("body", [None, 1, "x", {}, {"rows": ROWS}, {"data": 1}, {"inputs": {"a": [1], "b": [1, 2]}}])
def test_where_there_are_no_rows_none_are_found(body):
    assert of_body(body) is None


def test_a_contract_says_where_they_are():
    envelope, found = of_body({"data": 1, "x": {"y": ROWS}}, ("x", "y"))

    assert (("x", "y"), ROWS) == (envelope.path, found.rows())


@pytest.mark.parametrize(("body", "path", "shape"), [one for one in FOUND if one[2] in ("records", "lists")])
def test_the_body_that_was_found_is_written_again(body, path, shape):
    envelope, found = of_body(body)
    before, after = envelope.around()
    text = before + b",".join(json.dumps(row).encode() for row in found.rows()) + after

    assert body == json.loads(text)


def test_the_index_of_a_split_frame_is_left_out_as_it_counts_other_rows():
    envelope, _ = of_body({"dataframe_split": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}, "params": {}})
    before, after = envelope.around()

    assert b'{"dataframe_split": {"columns": ["a"], "data": [[9]]}, "params": {}}' == before + b"[9]" + after


@pytest.mark.parametrize(
    ("text", "path", "shape"),
    [
        ("data", ("data",), "records"),
        ("Inputs.data", ("Inputs", "data"), "records"),
        ("dataframe_split", ("dataframe_split",), "split"),
        ("inputs", ("inputs",), "columns"),
        ("inputs:records", ("inputs",), "records"),
        ("a.b:lists", ("a", "b"), "lists"),
    ],
)
def test_wrap_names_keys_and_a_shape(text, path, shape):
    envelope = from_wrap(text)

    assert (path, shape) == (envelope.path, envelope.form)


@pytest.mark.parametrize("text", ["", ".", "a.", "a:", "a:rows", ":records"])
def test_a_wrap_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="--wrap"):
        from_wrap(text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": ROWS}, {"data": [], "p": 1}),
        ({"Inputs": {"data": ROWS}}, {"Inputs": {"data": []}, "GlobalParameters": {"p": 1}}),
        (
            {"Inputs": {"data": ROWS}, "GlobalParameters": {"p": 0, "q": 2}},
            {"Inputs": {"data": []}, "GlobalParameters": {"p": 1, "q": 2}},
        ),
        ({"Inputs": {"data": ROWS}, "GlobalParameters": 1.0}, {"Inputs": {"data": []}, "GlobalParameters": {"p": 1}}),
    ],
)
def test_parameters_go_where_the_body_has_them(body, expected):
    envelope, _ = of_body(body)
    before, after = envelope.with_parameters({"p": 1}).around()

    assert expected == json.loads(before + after)


def test_there_is_no_place_for_parameters_around_a_bare_list_nor_under_the_key_of_the_rows():
    with pytest.raises(UsageError, match="bare list"):
        Envelope(path=(), form="records").with_parameters({"p": 1})
    with pytest.raises(UsageError, match="holds the rows"):
        from_wrap("data").with_parameters({"data": 1})


def test_lists_become_columns_with_every_number_as_it_was():
    assert b'{"a":[1,18446744073709551617],"b":["x",null]}' == RowWriter(form="columns", names=("a", "b")).write(
        [b'[1,"x"]', b"[18446744073709551617,null]"]
    )


def test_a_template_may_hold_what_it_likes():
    envelope = Envelope(path=("data",), form="records", template={"note": 'rows "\ue000" []', "data": 1})
    before, after = envelope.around()

    assert {"note": 'rows "\ue000" []', "data": [1]} == json.loads(before + b"1" + after)
