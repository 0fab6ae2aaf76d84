"""Unusual or broken bodies are reported, in time and without a traceback."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.validate.bodies import count_keys, has_no_duplicates, quickly, thoroughly
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Findings, Verdict

DOCUMENT: dict[str, Any] = {
    "swagger": "2.0",
    "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": {"$ref": "#/definitions/Input"}}]}}},
    "definitions": {
        "Input": {
            "type": "object",
            "properties": {
                "data": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["age", "job"],
                        "properties": {"age": {"type": "integer"}, "job": {"type": "string"}, "x": {"type": "number"}},
                    },
                }
            },
            "example": {"data": [{"age": 1, "job": "a", "x": 1.0}]},
        }
    },
}
VALIDATOR = Validator(parse(DOCUMENT))
DECLARED = Validator(parse(DOCUMENT), as_declared=True)


def rules(verdict: Verdict) -> list[tuple[str, str]]:
    return [(violation.severity, violation.rule) for violation in verdict.violations]


@pytest.mark.parametrize(
    ("body", "line", "column", "words"),
    [
        (b"", 1, 1, "empty"),
        (b"  \n ", 1, 1, "empty"),
        (b'{"data": [\n{"age": }]}', 2, 9, "not JSON"),
        (b"{'data': []}", 1, 2, "not JSON"),
        (b'{"data": []} x', 1, 14, "not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00", 1, 1, "UTF-8"),
        (b'{"data": [{"age": 1, "job": "\xe9"}]}', 1, 30, "UTF-8"),
        (b'{"data": ' + b"[" * 100_000, 1, 509, "deeper"),
        (b'{"x": ' + b"1" * 10_000 + b"}", 1, 7, "digits"),
        (b"// c\n{}", 1, 1, "not JSON"),
        (b'{"data": [' + b"[]," * 250_000 + b"1]}", None, None, "objects and arrays"),
        (b'{"data": [{' + b'"a":1,' * 1_000_001 + b'"b": 1}]}', None, None, "keys"),
        (b'{"data": [' + b"1," * 4_000_001 + b"1]}", None, None, "values"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(body: bytes, line: int | None, column: int | None, words: str) -> None:
    (violation,) = VALIDATOR.check(body).violations

    assert ("error", "json", line, column) == (violation.severity, violation.rule, violation.line, violation.column)
    assert words in violation.message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data": [{"age": 1, "job": "a", "x": NaN}]}', [("warning", "number")]),
        (b'{"data": [{"age": 1, "job": "a", "x": -Infinity}]}', [("warning", "number")]),
        (b'{"data": [{"age": NaN, "job": "a", "x": 1.5}]}', [("error", "type")]),
        (b'{"data": [{"age": 1, "age": 2, "job": "a", "x": 1.5}]}', [("warning", "duplicate-key")]),
        (b'{"data": [{"age" : 1, "age":2, "job":":", "x":1.5}]}', [("warning", "duplicate-key")]),
        (b'{"data": [{"age": 1, "job": "\\ud800", "x": 1.5}]}', [("warning", "encoding")]),
        (b'{"data": [{"age": 1, "job": "\\":", "x": 1.5}]}', []),
        (b'{"data": [{"age": 1, "job": "a", "x": 1%s}]}' % (b"0" * 30), [("error", "format")]),
        (b'{"data": [{"age": 1, "job": "a", "x": 1%s.0}]}' % (b"0" * 30), []),
        (b'{"data": [{"age": 1, "job": "a", "x": 1e400}]}', [("warning", "number")]),
        (b'\xef\xbb\xbf{"data": [{"age": 1, "job": "a", "x": 1.5}]}', []),
        ('{"data": [{"age": 1, "job": "a", "x": 1.5}]}'.encode("utf-16"), [("warning", "encoding")]),
        ('{"data": [{"age": 1, "job": "a", "x": 1.5}]}'.encode("utf-16-le"), [("warning", "encoding")]),
    ],
)
def test_what_the_server_reads_though_it_is_odd_is_a_warning(body: bytes, expected: list[tuple[str, str]]) -> None:
    verdict = VALIDATOR.check(body)

    assert expected == rules(verdict)


def test_a_duplicate_of_a_key_in_every_row_is_told_once() -> None:
    row = b'{"age": 1, "age": 2, "job": "a", "x": 1.5}'
    verdict = VALIDATOR.check(b'{"data": [' + b",".join([row] * 1000) + b"]}")

    assert [("warning", "duplicate-key")] == rules(verdict)


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_judged(data: bytes) -> None:
    verdict = VALIDATOR.check(data)

    assert not verdict.valid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["data", "age", "job", "q"]), inner),
    max_leaves=20,
)


@given(JSON)
def test_any_value_at_all_is_judged_in_both_readings(value: object) -> None:
    verdicts = [validator.check_value(value) for validator in (VALIDATOR, DECLARED)]

    assert all(isinstance(verdict, Verdict) for verdict in verdicts)


@given(JSON)
def test_no_duplicates_are_seen_where_there_are_none_missed(value: object) -> None:
    import json

    text = json.dumps(value).encode("utf-8", "replace")
    keys = count_keys(json.loads(text))

    assert has_no_duplicates(text, keys) or b'":' in text


def test_both_ways_of_decoding_agree() -> None:
    text = b'{"a": [1, 2.5, "x", null, true, {"b": -1}]}'

    assert thoroughly(text, Findings()).value == quickly(text, Findings()).value


def test_a_large_invalid_body_is_judged_in_time() -> None:
    rows = b",".join(b'{"age": "old", "job": 3, "y": 1}' for _ in range(100_000))
    start = time.process_time()
    verdict = VALIDATOR.check(b'{"data": [' + rows + b"]}")
    seconds = time.process_time() - start

    assert (300_000 - 100_000, 100_000) == (verdict.errors, verdict.warnings)
    assert seconds < 20
