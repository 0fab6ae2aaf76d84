"""The trials of a candidate: golden rows with their predictions, and valid and invalid payloads."""

import json

import pytest

from epkit.core.contract.contract import parse
from epkit.core.pipeline.proving import (
    GoldenRows,
    asks_probabilities,
    body_of,
    column_fault,
    from_plain,
    payloads,
    to_plain,
    wrong_answer,
)
from epkit.core.validate.validation import Validator

ROWS = ({"age": 17, "job": "student"}, {"age": 87, "job": "retired"})
GOLDEN = GoldenRows(rows=ROWS, answers=("yes", "no"), probabilities=((0.25, 0.75), (0.9, 0.1)))
CARD = [{"name": "age", "kind": "number"}, {"name": "job", "kind": "category"}]
EXAMPLE = {"data": [ROWS[0]], "method": "predict"}


def validator(**changes: object) -> Validator:
    columns = {"age": {"type": "integer"}, "job": {"type": "string"}, **changes}
    columns = {name: schema for name, schema in columns.items() if schema is not None}
    row = {"type": "object", "properties": columns, "required": list(columns)}
    body = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": row}, "method": {"type": "string"}},
        "example": EXAMPLE,
    }
    operation = {"parameters": [{"in": "body", "name": "body", "schema": body}], "responses": {"200": {}}}
    return Validator(parse({"swagger": "2.0", "paths": {"/score": {"post": operation}}}))


def test_golden_rows_are_written_and_read_again():
    assert GOLDEN == from_plain(json.loads(json.dumps(to_plain(GOLDEN))))
    regression = GoldenRows(rows=ROWS, answers=(1.5, 2.5), probabilities=None)
    assert regression == from_plain(json.loads(json.dumps(to_plain(regression))))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "epkit.golden-rows/2"},
        {"rows": [1, 2]},
        {"rows": ROWS[:1]},
        {"answers": None},
        {"probabilities": [[1, "x"], [0, 1]]},
        {"probabilities": [[1, 0]]},
    ],
)
def test_what_is_no_golden_rows_is_refused(change: dict):
    with pytest.raises(ValueError, match="no golden rows"):
        from_plain({**to_plain(GOLDEN), **change})
    with pytest.raises(ValueError, match="no golden rows"):
        from_plain([change])


@pytest.mark.parametrize(
    ("expected", "found", "fault"),
    [
        (["yes", "no"], ["yes", "no"], None),
        (["yes", "no"], ["yes", "yes"], 'row 2: "yes" where the training has "no"'),
        ([1, 0], [1.0, 0], None),
        ([True], [True], None),
        ([True], [1], "row 1: 1 where the training has true"),
        ([1], [True], "row 1: true where the training has 1"),
        (["1"], [1], 'row 1: 1 where the training has "1"'),
        ([1e12], [1e12 + 100], None),
        ([1.0], [1.0 + 2e-9], "row 1: 1.000000002 where the training has 1.0"),
        ([[0.25, 0.75]], [[0.25, 0.75 + 9e-10]], None),
        ([[0.25, 0.75]], [[0.25]], "row 1: [0.25] where the training has [0.25, 0.75]"),
        ([[0.25, 0.75]], ["yes"], 'row 1: "yes" where the training has [0.25, 0.75]'),
        ([0.5], [float("nan")], "row 1: NaN where the training has 0.5"),
        (["yes"], ["yes", "no"], "2 answers for 1 rows"),
        (["yes"], None, "no list of answers for 1 rows"),
    ],
)
def test_an_answer_that_is_another_is_named(expected: list, found: object, fault: str | None):
    assert fault == wrong_answer(expected, found, 1e-9)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({}, None),
        ({"job": {"type": "boolean"}}, None),
        ({"age": {"type": "number"}}, None),
        ({"age": None}, 'the contract lacks the column "age", which the model was trained on'),
        ({"y": {"type": "string"}}, 'the contract has the column "y", which the model was not trained on'),
        ({"age": {"type": "string"}}, 'the contract declares the column "age" as string, not as integer'),
        ({"job": {"type": "array"}}, 'the contract declares the column "job" as no single value, not as string'),
    ],
)
def test_a_contract_with_other_columns_than_the_card_is_named(columns: dict, fault: str | None):
    assert fault == column_fault(CARD, validator(**columns).rows)


def test_a_contract_without_rows_is_named():
    assert "the contract declares no rows with named columns" == column_fault(CARD, None)


@pytest.mark.parametrize("count", [0, 1, 2, 20, 50])
def test_payloads_are_as_many_as_are_asked_for_half_of_them_good_and_judged_as_they_were_meant(count: int):
    judge = validator()
    assert judge.rows is not None
    made = payloads(EXAMPLE, judge.rows, GOLDEN, count)
    verdicts = [judge.check(payload.body).valid for payload in made]

    assert count == len(made)
    assert [place % 2 == 0 for place in range(count)] == verdicts


def test_without_golden_rows_there_are_no_payloads():
    judge = validator()
    assert judge.rows is not None

    assert () == payloads(EXAMPLE, judge.rows, GoldenRows(rows=(), answers=(), probabilities=()), 20)


def test_rows_are_put_where_the_example_has_them_and_the_example_stays_as_it_is():
    example = {"Inputs": {"data": [1], "more": 2}, "GlobalParameters": {"method": "predict"}}

    assert [ROWS[0]] == body_of(None, (), [ROWS[0]])
    assert {"data": [3], "method": "x"} == body_of(EXAMPLE, ("data",), [3], {"method": "x"})
    assert {**example, "Inputs": {"data": [3], "more": 2}} == body_of(example, ("Inputs", "data"), [3])
    assert [1] == example["Inputs"]["data"]


def test_probabilities_are_asked_for_in_either_form_of_a_body_where_there_is_a_word_for_them():
    inner = {"GlobalParameters": {"type": "object", "properties": {"method": {}, "level": {}}}}

    assert {"method": "predict_proba"} == asks_probabilities({"data": {}, "method": {}}, EXAMPLE)
    assert {"GlobalParameters": {"method": "predict_proba", "level": 3}} == asks_probabilities(
        inner, {"GlobalParameters": {"method": "predict", "level": 3}}
    )
    assert None is asks_probabilities({"data": {}}, EXAMPLE)
