"""Arrays and encoding, compared with LightGBM and with their definitions."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.files.model_directory import npz_bytes
from epkit.served.encoding import BadValueError, Encoder, encode_column
from epkit.served.model import Model, combine, margins
from support.trained import bank_like, booster, card_of, learned_from, lightgbm

NUMBER = {"name": "n", "kind": "number"}
CATEGORY = {"name": "c", "kind": "category", "categories": ["2.5", "3", "a", "true"]}
BOOLEAN = {"name": "b", "kind": "category", "boolean": True, "categories": ["false", "true"]}
DATE = {"name": "d", "kind": "date", "parts": ["year", "month", "day", "weekday", "hour", "days"]}
NAN = math.nan


def same(expected, actual):
    return np.array_equal(np.array(expected, np.float64), actual, equal_nan=True)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (NUMBER, [1, 2.5, None, True], [1, 2.5, NAN, 1]),
        (NUMBER, ["1", " 2.5 ", "", "NaN", "NA", "null", "None", "?", 7], [1, 2.5, *[NAN] * 6, 7]),
        (NUMBER, np.array([1, 2]), [1, 2]),
        (NUMBER, [NAN, -0.0], [NAN, -0.0]),
        (CATEGORY, ["a", "3", "b", "", None, NAN], [2, 1, NAN, NAN, NAN, NAN]),
        (CATEGORY, [3, 2.5, True, 3.0], [1, 0, 3, NAN]),
        (BOOLEAN, [True, False, "TRUE", "False", None], [1, 0, 1, 0, NAN]),
        (NUMBER, [], []),
        (CATEGORY, [], []),
    ],
)
def test_values_become_numbers(column, values, expected):
    assert same(np.reshape(expected, (-1, 1)), encode_column(column, values))


def test_dates_become_parts_and_time_zones_utc():
    encoded = encode_column(
        DATE, ["2024-02-29T13:30:00+02:00", "1969-12-31", None, "x", 3, "0001-01-01T00:00:00+05:00"]
    )

    assert same([2024, 2, 29, 3, 11, 19782 + 11.5 / 24], encoded[0])
    assert same([1969, 12, 31, 2, 0, -1], encoded[1])
    assert np.isnan(encoded[2:]).all()


@given(st.datetimes())
def test_parts_are_those_of_the_date(moment):
    (encoded,) = encode_column(DATE, [moment.isoformat()])

    assert [moment.year, moment.month, moment.day, moment.weekday(), moment.hour] == encoded[:5].tolist()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (NUMBER, [1, "1,5"], 'row 2, column "n": "1,5" is not a number'),
        (NUMBER, [1, [2]], 'row 2, column "n": [2] is not a number'),
        (NUMBER, [{}], 'row 1, column "n": {} is not a number'),
        (NUMBER, [1, 2, math.inf], 'row 3, column "n": an infinite number'),
        (NUMBER, ["-inf"], 'row 1, column "n": an infinite number'),
        (CATEGORY, ["a", ["b"]], 'row 2, column "c": ["b"] is not a text'),
    ],
)
def test_a_value_that_its_column_cannot_have_is_named(column, values, message):
    with pytest.raises(BadValueError) as caught:
        encode_column(column, values)

    assert message == str(caught.value)
    assert message.startswith(f"row {caught.value.place + 1}, ")


@pytest.mark.parametrize("column", [NUMBER, CATEGORY, BOOLEAN, DATE])
@pytest.mark.parametrize("gone", [None, ""])
def test_a_missing_value_is_refused_only_where_training_had_none(column, gone):
    assert np.isnan(Encoder({**column, "missing": True}, strict=True)([gone])).all()
    with pytest.raises(BadValueError, match="the model was trained on rows that all have a value"):
        Encoder({**column, "missing": False}, strict=True)([gone])


def test_an_unseen_category_is_never_refused():
    assert same([[NAN]], Encoder({**CATEGORY, "missing": False}, strict=True)(["new"]))


FAMILIES = {
    "gbdt": {},
    "extra trees": {"extra_trees": True},
    "forest": {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.7},
    "dart": {"boosting": "dart"},
    "no missing values": {"use_missing": False},
    "zero is missing": {"zero_as_missing": True},
    "many leaves": {"num_leaves": 120, "min_data_in_leaf": 1},
}


def made(rng, rows, codes):
    """Make rows of numbers with zeros and missing values, and of codes, some of which did not occur in training."""
    numbers = rng.normal(size=(rows, 3))
    numbers[rng.random(numbers.shape) < 0.2] = 0.0
    matrix = np.column_stack((numbers, rng.integers(0, codes, rows), rng.integers(0, 5, rows))).astype(float)
    matrix[rng.random(matrix.shape) < 0.1] = NAN
    return matrix


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    task=st.sampled_from(["binary", "multiclass", "regression"]),
    family=st.sampled_from(sorted(FAMILIES)),
    codes=st.sampled_from([2, 40, 64, 65, 254]),
)
def test_arrays_give_the_margins_of_lightgbm_on_every_row(seed, task, family, codes):
    lgb = lightgbm()
    from epkit.learners.exporting import from_lightgbm

    rng = np.random.default_rng(seed)
    matrix = made(rng, 300, codes)
    score = np.nan_to_num(matrix[:, 0]) + np.sin(np.nan_to_num(matrix[:, 3])) + rng.normal(size=300) / 4
    y = {"binary": score > 0.2, "multiclass": np.digitize(score, [-0.5, 0.5]), "regression": score}[task]
    parameters = {"objective": task, "verbose": -1, "num_threads": 1, "seed": seed % 1000, "min_data_in_leaf": 3}
    parameters |= FAMILIES[family] | ({"num_class": 3} if task == "multiclass" else {})
    data = lgb.Dataset(matrix, np.asarray(y, float), categorical_feature=[3, 4])
    trained = lgb.train(parameters, data, num_boost_round=7)
    asked = np.vstack((made(rng, 200, codes + 90), np.full((1, 5), NAN), np.zeros((1, 5))))
    arrays = from_lightgbm(trained, matrix)
    found = margins(arrays, asked)

    predicted = trained.predict(asked)
    if task == "binary":
        answers = 1 / (1 + np.exp(-found[:, 0]))
    elif task == "multiclass":
        answers = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    else:
        answers = found[:, 0]
    assert np.abs(answers - predicted).max() <= 1e-9
    if family != "forest":
        assert np.abs(found - trained.predict(asked, raw_score=True).reshape(found.shape)).max() <= 1e-9


def test_a_vote_is_the_weighted_sum_of_its_members():
    lightgbm()
    pytest.importorskip("scipy", reason="needs the extra train")
    from epkit.learners.design import Design
    from epkit.learners.exporting import from_lightgbm

    learned = learned_from(bank_like())
    matrix = learned.examples.matrix
    design = Design.fit(matrix, learned.examples.features)
    weights = np.random.default_rng(0).normal(size=(len(design), 1))
    members = [
        (0.5, from_lightgbm(booster(learned), matrix)),
        (0.3, from_lightgbm(booster(learned, num_leaves=100, min_data_in_leaf=1), matrix)),
        (0.2, dict(design.arrays(weights, np.array([0.7])))),
    ]
    vote = combine(members)

    expected = sum(weight * margins(arrays, matrix) for weight, arrays in members)
    assert np.abs(expected - margins(vote, matrix)).max() <= 1e-9


def test_coefficients_are_multiplied_with_what_was_fitted():
    pytest.importorskip("scipy", reason="needs the extra train")
    from epkit.core.train.problem import Feature
    from epkit.learners.design import Design

    rng = np.random.default_rng(1)
    matrix = made(rng, 200, 30)
    features = [Feature(name=str(place), column=str(place), categories=[0, 0, 0, 30, 5][place]) for place in range(5)]
    design = Design.fit(matrix, features)
    weights = rng.normal(size=(len(design), 4))
    arrays = design.arrays(weights, np.arange(4.0))
    asked = made(rng, 100, 60)  # codes for which the design has no column

    assert np.abs(design.apply(asked) @ weights + np.arange(4.0) - margins(arrays, asked)).max() <= 1e-12


def test_a_model_without_trees_and_coefficients_gives_its_base():
    assert same([[1, 2]] * 3, margins({"base": np.array([1.0, 2.0])}, np.zeros((3, 1))))


def tree(**changed):
    """Make a tree whose root has two leaves: 0.5 up to 1, 0.25 above."""
    arrays = {
        "base": [1.0],
        "roots": [0],
        "output": [0],
        "feature": [0, 0, 0],
        "split": [1.0, 0.0, 0.0],
        "left": [1, 1, 2],
        "right": [2, 1, 2],
        "value": [0.0, 0.5, 0.25],
        "flags": [0, 0, 0],
        "mask": [-1, -1, -1],
        "words_of": [0, 0, 0],
        "words": [],
    }
    types = {"base": float, "split": float, "value": float, "flags": np.uint8, "words": np.uint64}
    return {name: np.array(values, types.get(name, np.int32)) for name, values in (arrays | changed).items()}


def test_a_number_goes_left_up_to_the_split():
    assert same([[1.5], [1.5], [1.25], [1.25]], margins(tree(), np.array([[-5], [1.0], [1.1], [NAN]])))


def test_a_single_leaf_adds_its_value():
    leaf = {"roots": [1], "left": [0, 1, 2], "right": [0, 1, 2]}

    assert same([[1.5]] * 2, margins(tree(**leaf), np.array([[NAN], [3.0]])))


@pytest.mark.parametrize(
    "changed",
    [
        {"left": [0, 1, 2]},
        {"left": [2, 1, 2]},
        {"left": [-1, 1, 2]},
        {"right": [3, 1, 2]},
        {"right": [2, 0, 2]},
        {"roots": [3]},
        {"roots": [-1]},
        {"roots": [1]},
        {"output": [1]},
        {"flags": [1, 0, 0]},
        {"flags": [1, 0, 0], "mask": [0, -1, -1], "words_of": [1, 0, 0]},
        {"linear_feature": [0], "linear_weight": [[1.0, 2.0]]},
    ],
)
def test_arrays_that_are_no_model_are_refused(changed):
    with pytest.raises(ValueError, match="the arrays are no"):
        margins(tree(**changed), np.zeros((1, 1)))


class Given:
    """A scorer whose margins are the matrix."""

    def margins(self, matrix):
        return matrix


def model(task, classes, positive=None, threshold=None):
    label = {"name": "y", "task": task, "classes": classes, "positive": positive}
    return Model({"label": label, "columns": [], "threshold": threshold and {"value": threshold}}, Given())


@pytest.mark.parametrize(
    ("positive", "threshold", "answers"),
    [(1, 0.5, [True, False]), (1, 0.9, [False, False]), (0, 0.5, [False, True]), (0, 0.1, [False, False])],
)
def test_answers_of_two_classes_are_at_the_threshold_of_the_positive_one(positive, threshold, answers):
    found = model("binary", [False, True], positive, threshold)
    probabilities = found.probabilities(np.array([[1.0], [-1.0]]))

    assert answers == found.answers(probabilities)
    assert pytest.approx(1 / (1 + math.exp(-1))) == probabilities[0, positive]
    assert np.allclose(1, probabilities.sum(axis=1))


def test_answers_of_many_classes_are_the_most_probable_in_their_own_type():
    found = model("multiclass", [1, 2, 7])
    probabilities = found.probabilities(np.array([[0.0, 1, 3], [1000, 0, -1000]]))

    assert [7, 1] == found.answers(probabilities)
    assert [int, int] == [type(answer) for answer in found.answers(probabilities)]


def test_a_kind_that_nothing_reads_is_refused(tmp_path):
    (tmp_path / "card.json").write_text('{"model": {"kind": "wasm"}}')

    with pytest.raises(ValueError, match="a model of the kind 'wasm', which nothing here reads"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    "card", ["", "[]", "{}", '{"model": 1}', "\xff", "[" * 100_000, '{"model": {"kind": "arrays"}}']
)
@pytest.mark.parametrize("arrays", [b"", b"PK", b"\x80\x04pickle", npz_bytes({"a": np.zeros(1)})])
def test_a_directory_that_holds_no_model_is_one_line(tmp_path, card, arrays):
    (tmp_path / "card.json").write_bytes(card.encode("latin-1"))
    (tmp_path / "model.npz").write_bytes(arrays)

    with pytest.raises(ValueError, match="not a model: ") as caught:
        Model.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_serving_and_training_encode_alike():
    learned = learned_from(bank_like())
    table = bank_like()
    served = Model(card_of(learned), Given())

    assert same(learned.examples.matrix, served.encode({name: table[name].to_list() for name in table.columns}))


def test_a_thousand_rows_of_three_hundred_trees_cost_no_walk():
    lightgbm()
    from epkit.learners.exporting import from_lightgbm
    from epkit.served.model import Arrays

    learned = learned_from(bank_like(1000))
    trained = booster(learned, rounds=300, num_leaves=15)
    arrays = Arrays(from_lightgbm(trained, learned.examples.matrix[:50]))
    took = []
    for _ in range(5):
        started = time.process_time()
        arrays.margins(learned.examples.matrix)
        took.append(time.process_time() - started)

    assert min(took) < 0.1
