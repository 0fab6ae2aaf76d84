"""Predictions are found in every place where servers put them, and not where they are ambiguous."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.replies.declared import declared_place
from epkit.core.replies.finding import ReplyPlace, find_predictions, place_of
from epkit.errors import UsageError

PAIRS = [{"no": 0.25, "yes": 0.75}, {"no": 0.5, "yes": 0.5}]
TENSOR = {"name": "predict", "shape": [2, 1], "datatype": "FP64", "data": [4.0, 9.0]}
SCORES = {"name": "scores", "shape": [2, 2], "datatype": "FP32", "data": [0.25, 0.75, 0.5, 0.5]}

KNOWN = [
    (["yes", "no"], ["yes", "no"]),
    ([[0.25, 0.75], [0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]]),
    ([], []),
    ({"result": ["yes", "no"]}, ["yes", "no"]),
    ({"Results": [1.5, 2.5]}, [1.5, 2.5]),
    ({"predictions": [1, 2, 3]}, [1, 2, 3]),
    ({"prediction": ["a"]}, ["a"]),
    ({"scores": [0.5, 0.25]}, [0.5, 0.25]),
    ({"probabilities": [[0.5, 0.5]]}, [[0.5, 0.5]]),
    ({"Results": {"forecast": [1.5], "prediction_interval": ["[1, 2]"]}}, [1.5]),
    ({"Results": "[1, 2]"}, [1, 2]),
    ({"outputs": {"label": [1, 2], "score": [0.25, 0.5]}}, [{"label": 1, "score": 0.25}, {"label": 2, "score": 0.5}]),
    ({"outputs": {"label": [1, 2]}}, [1, 2]),
    ({"Results": {"WebServiceOutput0": [{"Scored Labels": "a"}, {"Scored Labels": "b"}]}},
     [{"Scored Labels": "a"}, {"Scored Labels": "b"}]),
    ({"label": ["no", "yes"], "probabilities": [[0.75, 0.25], [0.25, 0.75]], "model": "m"},
     [{"label": "no", "probabilities": [0.75, 0.25]}, {"label": "yes", "probabilities": [0.25, 0.75]}]),
    ({"data": {"names": ["no", "yes"], "ndarray": [[0.25, 0.75], [0.5, 0.5]]}, "meta": {}}, PAIRS),
    ({"data": {"names": ["t"], "ndarray": [[0.25], [0.5]]}}, [0.25, 0.5]),
    ({"data": {"names": [], "ndarray": [[0.25], [0.5]]}}, [[0.25], [0.5]]),
    ({"data": {"names": ["no", "yes"], "tensor": {"shape": [2, 2], "values": [0.25, 0.75, 0.5, 0.5]}}}, PAIRS),
    ({"data": {"tensor": {"shape": [2, 1], "values": [0.25, 0.5]}}}, [0.25, 0.5]),
    ({"jsonData": {"predictions": [1, 2]}}, [1, 2]),
    ({"columns": ["no", "yes"], "data": [[0.25, 0.75], [0.5, 0.5]]}, PAIRS),
    ({"predictions": {"columns": ["y"], "index": [0, 1], "data": [[1], [2]]}}, [1, 2]),
    ({"model_name": "m", "outputs": [TENSOR]}, [4.0, 9.0]),
    ({"outputs": [SCORES]}, [[0.25, 0.75], [0.5, 0.5]]),
    ({"outputs": [TENSOR, SCORES]},
     [{"predict": 4.0, "scores": [0.25, 0.75]}, {"predict": 9.0, "scores": [0.5, 0.5]}]),
    ({"predictions": {"1": "b", "0": "a"}}, ["a", "b"]),
    ({"predictions": {"x": {"1": 2, "0": 1}, "y": {"0": 3, "1": 4}}}, [{"x": 1, "y": 3}, {"x": 2, "y": 4}]),
    ({"predictions": [{"score": 0.5}]}, [{"score": 0.5}]),
]  # fmt: skip

UNKNOWN = [
    {"outputs": {"label": [1, 2], "score": 1}},
    {"outputs": [TENSOR, {**SCORES, "shape": [4, 1]}]},
    {"Results": "yes"},
    {"Results": {}},
    {"data": {"tensor": {"shape": [3], "values": [1]}}},
    {"data": {"tensor": {"shape": ["x"], "values": [1]}}},
    {"a": [1, 2]},
    "yes",
    3,
    None,
]


@pytest.mark.parametrize(("reply", "expected"), KNOWN, ids=lambda value: json.dumps(value)[:40])
def test_predictions_are_found_whether_or_not_their_number_is_known(reply: Any, expected: list[Any]) -> None:
    for rows in (None, len(expected)):
        found = find_predictions(reply, rows)

        assert found is not None
        assert expected == found.values


@pytest.mark.parametrize("reply", UNKNOWN, ids=lambda value: json.dumps(value)[:40])
def test_what_is_not_known_is_not_guessed(reply: Any) -> None:
    assert find_predictions(reply) is None


class TestTheOnlyListAsLongAsTheRows:
    @pytest.mark.parametrize(
        ("reply", "rows", "expected"),
        [
            ({"answer": [1, 2, 3], "took": 5}, 3, [1, 2, 3]),
            ({"model": {"tags": ["a"]}, "body": {"answer": [1, 2]}}, 2, [1, 2]),
            ({"labels": ["a", "b"], "weights": [1, 2], "tags": ["x"]}, 2,
             [{"labels": "a", "weights": 1}, {"labels": "b", "weights": 2}]),
            ({"answer": ["a"]}, 1, ["a"]),
            ({"outputs": {"label": [1, 2], "score": 1}}, 2, [1, 2]),
        ],
    )  # fmt: skip
    def test_is_taken(self, reply: Any, rows: int, expected: list[Any]) -> None:
        found = find_predictions(reply, rows)

        assert found is not None
        assert expected == found.values

    @pytest.mark.parametrize(
        ("reply", "rows"),
        [
            ({"answer": [1, 2, 3]}, 2),
            ({"a": {"one": [1, 2]}, "b": {"other": [3, 4]}}, 2),
            ({"errors": ["row 0 is bad", "row 1 is bad"]}, 2),
            ({"Warnings": ["a", "b"], "version": 2}, 2),
            ({"answer": 0.5, "tags": ["a"]}, 1),
            ({"inner": {"answer": [0.5]}, "tags": ["a"]}, 1),
            ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": [1, 2]}}}}}}}}, 2),
        ],
    )
    def test_is_not_taken_where_it_may_be_something_else(self, reply: Any, rows: int) -> None:
        assert find_predictions(reply, rows) is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [(4.0, [4.0]), ({"prediction": "yes"}, ["yes"]), ({"result": 3}, [3]), ({"prediction": None}, [None])],
)
def test_one_row_may_be_answered_by_a_value(reply: Any, expected: list[Any]) -> None:
    found = find_predictions(reply, 1)

    assert found is not None
    assert expected == found.values
    assert find_predictions(reply, 2) is None


def test_a_text_is_no_prediction_of_one_row() -> None:
    assert find_predictions("no such column", 1) is None


class TestAPlaceThatIsNamed:
    @pytest.mark.parametrize(
        ("pointer", "reply", "expected"),
        [
            ("/answer/values", {"answer": {"values": [1, 2]}, "result": [3, 4]}, [1, 2]),
            ("/0/y", [{"y": [1, 2]}], [1, 2]),
            ("", [1, 2], [1, 2]),
            ("/a~1b/c~0d", {"a/b": {"c~d": [1, 2]}}, [1, 2]),
            ("/outputs/1", {"outputs": [TENSOR, {**TENSOR, "data": [1, 2]}]}, [1, 2]),
            ("/outputs/0/data", {"outputs": [TENSOR]}, [4.0, 9.0]),
            ("/y", {"y": {"a": [1, 2], "b": [3, 4]}}, [{"a": 1, "b": 3}, {"a": 2, "b": 4}]),
            ("/y", {"y": "[1, 2]"}, [1, 2]),
        ],
    )
    def test_is_where_they_are_read(self, pointer: str, reply: Any, expected: list[Any]) -> None:
        found = find_predictions(reply, 2, place_of(pointer))

        assert found is not None
        assert expected == found.values

    @pytest.mark.parametrize("pointer", ["/answer", "/result/x", "/result/9", "/result/-1", "/result/01x"])
    def test_is_the_only_one(self, pointer: str) -> None:
        assert find_predictions({"result": [1, 2]}, 2, place_of(pointer)) is None

    def test_by_a_contract_is_only_the_likeliest(self) -> None:
        place = ReplyPlace(path=("answer",), named=False)

        assert [3, 4] == find_predictions({"answer": [3, 4], "result": [1, 2]}, 2, place).values  # type: ignore[union-attr]
        assert [1, 2] == find_predictions({"result": [1, 2]}, 2, place).values  # type: ignore[union-attr]
        assert [1, 2] == find_predictions({"answer": [3], "result": [1, 2]}, 2, place).values  # type: ignore[union-attr]

    @pytest.mark.parametrize("pointer", ["answer", "#/answer", "/a~b", "/a~"])
    def test_has_to_be_a_pointer(self, pointer: str) -> None:
        with pytest.raises(UsageError, match="--predictions-at"):
            place_of(pointer)

    @given(st.lists(st.text(max_size=4), max_size=4))
    def test_is_read_as_it_is_written(self, path: list[str]) -> None:
        place = ReplyPlace(path=tuple(path))

        assert place == place_of(place.pointer)


ARRAY = {"type": "array", "items": {"type": "number"}}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "object", "properties": {"answer": ARRAY, "took": {"type": "number"}}}, ("answer",)),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": ARRAY}}}}, ("a", "b")),
        ({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/List"}}}, ("a",)),
        ({"$ref": "#/components/schemas/Own"}, ("list",)),
        (ARRAY, None),
        ({"type": "object", "properties": {"a": ARRAY, "b": ARRAY}}, None),
        ({"type": "object", "properties": {"prediction": {"type": "number"}, "notes": ARRAY}}, None),
        ({"type": "object", "properties": {"result": ARRAY}}, ("result",)),
        ({"type": "object"}, None),
        ({"type": "string"}, None),
    ],
)
def test_a_contract_says_where_predictions_are_if_it_has_one_list(schema: Any, path: tuple[str, ...] | None) -> None:
    own = {"type": "object", "properties": {"own": {"$ref": "#/components/schemas/Own"}, "list": ARRAY}}
    document = {
        "openapi": "3.0.3",
        "paths": {"/score": {"post": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}},
        "components": {"schemas": {"List": ARRAY, "Own": own}},
    }
    place = declared_place(parse(document))

    assert path == (None if place is None else place.path)


KEYS = [
    "result",
    "outputs",
    "data",
    "names",
    "ndarray",
    "tensor",
    "shape",
    "values",
    "columns",
    "index",
    "name",
    "forecast",
    "probabilities",
    "label",
    "0",
    "1",
    "datatype",
    "jsonData",
    "answer",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.none() | st.integers(0, 3), st.none() | st.lists(st.sampled_from(["0", "data", "x"]), max_size=3))
def test_no_reply_raises(reply: Any, rows: int | None, path: list[str] | None) -> None:
    place = None if path is None else ReplyPlace(path=tuple(path), named=False)
    found = find_predictions(reply, rows, place)

    assert found is None or isinstance(found.values, list)
