"""A reply is checked for faults that make it useless; its declared type is often wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.replies.finding import place_of
from epkit.core.validate.reply_validation import ReplyValidator


def validator_of(schema: dict[str, Any] | None, *, as_declared: bool = False) -> ReplyValidator:
    response = {} if schema is None else {"schema": schema}
    post = {"parameters": [], "responses": {"200": response}}
    return ReplyValidator(parse({"swagger": "2.0", "paths": {"/": {"post": post}}}), as_declared=as_declared)


STRINGS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("reply", "rows", "expected"),
    [
        (b'["yes", "no"]', 2, []),
        (b'["yes", "no"]', None, []),
        (b'["yes", "no"]', 3, [("error", "predictions")]),
        (b'"{\\"result\\": [\\"yes\\"]}"', 1, [("warning", "encoding"), ("warning", "type")]),
        (b'"{\\"error\\": \\"boom\\"}"', 1, [("error", "error"), ("warning", "encoding"), ("warning", "type")]),
        (b'{"error": "boom"}', 1, [("error", "error"), ("warning", "type")]),
        (b"[]", 1, [("error", "empty")]),
        (b"null", 1, [("error", "empty"), ("warning", "type")]),
        (b"[1, 2]", 2, [("warning", "type")]),
        (b'"yes"', 1, [("warning", "predictions"), ("warning", "type")]),
        (b"", 1, [("error", "json")]),
        (b"<html>", 1, [("error", "json")]),
    ],
)
def test_a_reply_gets_its_verdict(reply: bytes, rows: int | None, expected: list[tuple[str, str]]) -> None:
    verdict = validator_of(STRINGS).check(reply, rows=rows)

    assert expected == [(v.severity, v.rule) for v in verdict.violations]


@pytest.mark.parametrize(
    ("reply", "errors"), [(b'["yes"]', 0), (b"[1, 2]", 2), (b'"[\\"yes\\"]"', 1), (b'{"error": "boom"}', 1), (b"[]", 0)]
)
def test_as_declared_only_the_schema_counts(reply: bytes, errors: int) -> None:
    verdict = validator_of(STRINGS, as_declared=True).check(reply, rows=7)

    assert (errors, 0) == (verdict.errors, verdict.warnings)


def test_without_a_declared_type_none_is_broken() -> None:
    assert validator_of(None).check(b"[1]", rows=1).valid


def test_the_same_type_broken_in_many_predictions_is_told_once() -> None:
    verdict = validator_of(STRINGS).check(b"[" + b",".join([b"1"] * 1000) + b"]")

    assert (1, 1000) == (len(verdict.violations), verdict.warnings)


@pytest.mark.parametrize(
    ("reply", "place"),
    [(b'{"Results":\n [1]}', (1, 1)), (b'\n {"error": "boom"}', (2, 12)), (b' "{\\"error\\": \\"boom\\"}"', (1, 2))],
)
def test_what_is_wrong_with_a_reply_has_its_place(reply: bytes, place: tuple[int, int]) -> None:
    found = validator_of(STRINGS).check(reply, rows=2).violations

    assert place == (found[0].line, found[0].column)


def test_one_prediction_is_one() -> None:
    assert "1 prediction for 2 rows" == validator_of(STRINGS).check(b'["yes"]', rows=2).violations[0].message


@pytest.mark.parametrize("body", [b"[1, null]", b"[1, NaN]", b'[1, "-inf"]', b"[1, -Infinity]", b"[[1], [1, null]]"])
def test_what_is_no_prediction_is_an_error(body: bytes) -> None:
    verdict = validator_of(None).check(body, rows=2)

    assert [("error", "prediction")] == [(v.severity, v.rule) for v in verdict.violations]
    assert verdict.violations[0].message.startswith("row 1: ")


def test_predictions_are_where_it_was_said_or_where_the_contract_has_them() -> None:
    reply = b'{"answer": {"mine": [1, 2, 3]}, "result": [1, 2]}'
    schema = {"type": "object", "properties": {"answer": {"type": "object", "properties": {"mine": {"type": "array"}}}}}
    contract = parse({"swagger": "2.0", "paths": {"/": {"post": {"responses": {"200": {"schema": schema}}}}}})
    named = ReplyValidator(contract, place=place_of("/result"))

    assert ReplyValidator(contract).check(reply, rows=3).valid
    assert named.check(reply, rows=2).valid
    assert ["predictions"] == [v.rule for v in named.check(b'{"answer": {"mine": [1, 2]}}', rows=2).violations]


@given(st.binary(max_size=40) | st.sampled_from([b"[NaN]", b'{"data": [1]}', b'{"index": 1, "result": [1]}']))
def test_no_bytes_raise(body: bytes) -> None:
    verdict = validator_of(STRINGS).check(body, rows=1)

    assert verdict.valid == (verdict.errors == 0)
