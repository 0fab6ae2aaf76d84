"""Predictions out of replies, and into columns."""

import json

import pytest

from epkit.core.replies.decoding import predictions
from epkit.core.replies.predictions import fault_of, layout_of, read_reply
from epkit.core.samples.rows import Failure

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

REPLIES = [
    (["yes", "no"], ["yes", "no"]),
    ({"result": ["yes", "no"]}, ["yes", "no"]),
    ({"Results": [1.5, 2.5]}, [1.5, 2.5]),
    ({"predictions": [[0.1, 0.9], [0.8, 0.2]]}, [[0.1, 0.9], [0.8, 0.2]]),
    ({"Results": {"forecast": [1, 2], "index": [3, 4]}}, [1, 2]),
    ({"predictions": {"a": [1, 2], "b": [3, 4]}}, [{"a": 1, "b": 3}, {"a": 2, "b": 4}]),
    ({"a": [1, 2]}, None),
    ({"result": "yes"}, None),
    ("yes", None),
    (None, None),
]


@pytest.mark.parametrize(("reply", "expected"), REPLIES)
def test_predictions_are_found(reply, expected):
    assert expected == predictions(reply)


def test_json_inside_a_string_is_decoded_twice():
    body = json.dumps(json.dumps({"result": ["yes", "no"]})).encode()

    assert ["yes", "no"] == read_reply(HEAD + body, body, 2)


def test_a_packed_reply_is_unpacked():
    import gzip

    body = gzip.compress(b'["yes"]')
    head = b"HTTP/1.1 200 OK\r\nCONTENT-Encoding: gzip\r\n\r\n"

    assert ["yes"] == read_reply(head + body, body, 1)
    assert Failure.TRANSPORT == read_reply(head + body[:-9], body[:-9], 1)[0]


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", Failure.EMPTY),
        (b"<html>", Failure.CONTRACT),
        (b'{"error": "no"}', Failure.APPLICATION),
        (b'{"result": ["yes"]}', Failure.MISMATCH),
        (b'{"result": ["yes", "no", "no"]}', Failure.MISMATCH),
        (b'{"answer": 42}', Failure.CONTRACT),
    ],
)
def test_a_reply_without_predictions_says_what_it_is(body, failure):
    assert failure == read_reply(HEAD + body, body, 2)[0]


@pytest.mark.parametrize(
    ("prediction", "probabilities", "names"),
    [
        ("yes", True, ("prediction",)),
        (1.5, False, ("prediction",)),
        ([0.25, 0.75], False, ("probability_0", "probability_1")),
        ([0.25, 0.7], False, ("prediction",)),
        ([0.25, 0.7], True, ("probability_0", "probability_1")),
        ([1.0], False, ("prediction",)),
        ([2, -1], False, ("prediction",)),
        (["a", "b"], True, ("prediction",)),
        ([], True, ("prediction",)),
        ({"no": 0.25, "yes": 0.75}, False, ("probability_no", "probability_yes")),
        ({"label": "yes", "score": 0.75}, False, ("prediction",)),
        ([True, False], True, ("prediction",)),
    ],
)
def test_the_columns_are_chosen_by_the_first_prediction(prediction, probabilities, names):
    layout = layout_of(prediction, probabilities=probabilities)

    assert names == layout.names
    assert layout.fits(prediction)
    assert len(names) == len(layout.cells(prediction))


def test_a_prediction_of_another_shape_does_not_fit():
    pair = layout_of([0.25, 0.75], probabilities=True)
    named = layout_of({"no": 0.25, "yes": 0.75}, probabilities=True)
    word = layout_of("yes", probabilities=False)

    assert not any(pair.fits(other) for other in ([0.25, 0.25, 0.5], "yes", {"no": 1.0, "yes": 0.0}))
    assert not any(named.fits(other) for other in ({"no": 0.25}, {"yes": 0.75, "no": 0.25}, [0.25, 0.75]))
    assert not any(word.fits(other) for other in (["yes"], {"yes": 1}))
    assert word.fits(1.5)


@pytest.mark.parametrize(("prediction", "fault"), [(None, True), (float("nan"), True), (0, False), ("", False)])
def test_null_and_nan_are_no_predictions(prediction, fault):
    assert fault is (fault_of(prediction) is not None)
