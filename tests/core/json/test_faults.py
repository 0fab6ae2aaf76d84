"""The description of a text that is not JSON is the same in every Python."""

import json

import pytest

from epkit.core.json.faults import JsonFault, parser_fault

VALUE = "not JSON: expecting value"
PROPERTY = "not JSON: expecting property name enclosed in double quotes"
COMMA = "no comma before the closing bracket"


def fault(text: str) -> JsonFault:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    return parser_fault(caught.value)


def test_a_comma_before_a_closing_bracket_is_a_fault_at_the_bracket() -> None:
    assert JsonFault(VALUE, 2, 1, COMMA) == fault("[1,\n]")
    assert JsonFault(PROPERTY, 1, 10, COMMA) == fault('{"a": 1, }')


def test_the_words_of_a_newer_python_are_those_of_an_older() -> None:
    newer = json.JSONDecodeError("Illegal trailing comma before end of array", "[1,\n]", 2)

    assert JsonFault(VALUE, 2, 1, COMMA) == parser_fault(newer)


def test_any_other_fault_is_as_the_parser_says() -> None:
    assert JsonFault(VALUE, 2, 1) == fault("[\nx]")
