"""A text that is no JSON is told in the same words on every Python."""

import json

import pytest

from epkit.core.contract.json_faults import JsonFault, fault


def told(text: str) -> JsonFault:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    return fault(caught.value)


def test_a_comma_before_a_closing_bracket_is_told_at_the_bracket() -> None:
    assert JsonFault("Expecting value", 4, 2, 1) == told("[1,\n]")
    assert JsonFault("Expecting property name enclosed in double quotes", 9, 1, 10) == told('{"a": 1, }')


def test_the_words_of_a_newer_python_are_those_of_an_older() -> None:
    newer = json.JSONDecodeError("Illegal trailing comma before end of array", "[1,\n]", 2)

    assert JsonFault("Expecting value", 4, 2, 1) == fault(newer)


def test_any_other_fault_is_told_as_it_is() -> None:
    assert JsonFault("Expecting value", 2, 2, 1) == told("[\nx]")
    assert JsonFault("Expecting value", 0, 1, 1) == told("")
