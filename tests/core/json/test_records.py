"""Records that epkit wrote are read like any foreign file: type and bounds of each value are checked, with messages."""

import json

import pytest

from epkit.core.json.records import MOST, Record, loads_record


@pytest.mark.parametrize("text", [b"[]", b"3", b"null", b"nope", b"", b'{"a": NaN}', b'{"a": -Infinity}', b"\xff"])
def test_what_is_no_object_of_json_is_refused(text):
    with pytest.raises(ValueError):
        loads_record(text)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_what_no_parser_can_hold_is_refused(text):
    with pytest.raises(ValueError):
        Record(loads_record(text)).whole("a")


def test_half_a_surrogate_pair_is_read():
    assert {"a": "\udc80"} == loads_record(json.dumps({"a": "\udc80"}).encode())


RIGHT = {
    "whole": (0, 7, MOST), "number": (0, 1.5, 7), "flag": (True, False), "text": ("", "x"), "texts": ([], ["x"]),
    "wholes": ([], [1], [0, 7]), "object": ({}, {"x": 1}), "array": ([], [None, 1]),
}  # fmt: skip
OTHERS = (None, True, 0, -1, MOST + 1, 1e30, 0.5, -0.5, "x", ["x"], [1], [-1], [None], {}, {"x": 1}, [[]])


@pytest.mark.parametrize("method", RIGHT)
def test_a_value_is_taken_with_its_type(method):
    for value in RIGHT[method]:
        taken = getattr(Record({"a": value}), method)("a")

        assert (tuple(value) if isinstance(value, list) else value) == taken


@pytest.mark.parametrize("method", RIGHT)
def test_any_other_value_is_refused_by_its_name(method):
    right = [*RIGHT[method], *([[]] if method in ("texts", "wholes", "array") else [])]
    kinds = {"array": (list,), "object": (dict,), "number": (int, float)}.get(method, ())
    for value in OTHERS:
        if any(type(value) is type(each) and value == each for each in right) or (
            type(value) in kinds and (method != "number" or 0 <= value <= MOST)
        ):
            continue
        with pytest.raises(ValueError, match=r"^a is |no a$"):
            getattr(Record({"a": value}), method)("a")


@pytest.mark.parametrize("method", RIGHT)
def test_a_missing_value_has_its_default_or_is_refused(method):
    default = RIGHT[method][0]
    default = tuple(default) if isinstance(default, list) else default

    assert default == getattr(Record({}), method)("a", default=default)
    with pytest.raises(ValueError, match="it has no a"):
        getattr(Record({}), method)("a")


def test_bounds_are_the_callers():
    assert 5 == Record({"a": 5}).whole("a", least=5, most=5)
    with pytest.raises(ValueError, match="a is 5, not a whole number from 6 to 7"):
        Record({"a": 5}).whole("a", least=6, most=7)
