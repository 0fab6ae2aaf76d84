import json
import math

import pytest

from epkit.bank import score

ROW = score.ROWS[0]


@pytest.fixture(autouse=True)
def _model():
    score.init()


def run(rows, **arguments):
    return json.loads(score.run(data=rows, **arguments))


def test_the_course_rows_are_yes_and_no():
    assert run(score.ROWS) == {"result": ["yes", "no"]}


def test_columns_are_rows_too():
    assert run({name: [row[name] for row in score.ROWS] for name in ROW}) == {"result": ["yes", "no"]}


def test_probabilities_are_those_of_no_and_yes():
    (first, second) = run(score.ROWS, method="predict_proba")["result"]

    assert pytest.approx(1) == sum(first) == sum(second)
    assert first[1] > score._model.threshold > second[1]


def test_the_order_of_the_keys_does_not_matter():
    assert run([dict(sorted(row.items())) for row in score.ROWS]) == {"result": ["yes", "no"]}


@pytest.mark.parametrize("age", ["17", 17.9, 17.0])
def test_what_pandas_casts_to_an_integer_is_cast(age):
    expected = run([ROW], method="predict_proba")

    assert expected == run([{**ROW, "age": age}], method="predict_proba")


@pytest.mark.parametrize("age", [None, "old", "17.9", math.nan, 10**30, [17], {"years": 17}])
def test_what_is_no_integer_is_refused_before_scoring(age):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        run([{**ROW, "age": age}])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        {},
        "rows",
        [[17, 1]],
        [1],
        [{}],
        [ROW, 1],
        {"age": [17]},
        {**ROW},
        {name: [1, 2][: 1 + (name == "age")] for name in ROW},
    ],
)
def test_what_are_no_rows_are_refused_before_scoring(rows):
    with pytest.raises((TypeError, ValueError)):
        run(rows)


@pytest.mark.parametrize("change", [{"y": "no"}, {"age": ...}])
def test_a_wrong_number_of_columns_is_refused_before_scoring(change):
    row = {name: value for name, value in {**ROW, **change}.items() if value is not ...}

    with pytest.raises(ValueError, match="20 are expected"):
        run([row])


def test_a_misspelt_column_is_named_and_never_scored():
    row = {("educaton" if name == "education" else name): value for name, value in ROW.items()}
    expected = {"error": "Expected columns ['education'] not found in the data, which has ['educaton'] instead"}

    assert expected == run([row])


def test_an_unknown_method_is_named():
    assert run([ROW], method="classify") == {"error": "Invalid predict method argument received (classify)"}


@pytest.mark.parametrize("name", ["job", "euribor3m"])
@pytest.mark.parametrize("how", ["null", "absent"])
def test_a_missing_text_or_float_is_scored_as_missing(name, how):
    row = {key: value for key, value in ROW.items() if key != name}
    if how == "null":
        row[name] = None

    assert len(run([ROW, row])["result"]) == 2


def test_a_missing_text_is_the_data_sets_unknown():
    expected = run([{**ROW, "job": "unknown"}], method="predict_proba")

    assert expected == run([{**ROW, "job": None}], method="predict_proba")
