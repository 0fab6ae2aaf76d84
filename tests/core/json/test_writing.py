"""JSON is written by the fast writer or, with the same result, by the standard library's."""

import json
import math

import pytest

from epkit.core.json.writing import document, dumps, dumps_payload, dumps_record, dumps_row


@pytest.mark.parametrize("value", [2**70, -(2**70), "\ud800", {"a": 2**70}])
def test_what_the_fast_writer_refuses_is_written_all_the_same(value: object) -> None:
    assert isinstance(json.loads(dumps(value)), type(value))


def test_a_row_keeps_nan_and_the_infinities() -> None:
    assert b'[NaN,-Infinity,"\xc3\xa9"]' == dumps_row([math.nan, -math.inf, "é"])


def test_what_json_has_no_word_for_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        dumps_payload({1, 2})


def test_a_record_and_a_document_hold_finite_numbers_only() -> None:
    assert b'{"a":1e+16}' == dumps_record({"a": 1e16})
    for write in (dumps_record, document):
        with pytest.raises(ValueError, match="JSON compliant"):
            write({"a": math.inf})


def test_a_document_is_indented_and_keeps_the_letters_of_every_language() -> None:
    written = document({"run": {"target": "http://h/é"}, "ci95": {"50": [1.5, 2.0], "99": None}})

    lines = [
        *("{", '  "run": {', '    "target": "http://h/é"', "  },"),
        *('  "ci95": {', '    "50": [', "      1.5,", "      2.0", "    ],", '    "99": null', "  }", "}", ""),
    ]
    assert lines == written.split("\n")
