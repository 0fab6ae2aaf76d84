"""Replies of real servers are decoded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.replies.decoding import decode, hidden_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(codec="utf-8")), children),
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"{\\"result\\": [\\"yes\\", \\"no\\"]}"', {"result": ["yes", "no"]}),
        (b'{"Results": ["yes"]}', {"Results": ["yes"]}),
        (b'"yes"', "yes"),
        (b'"17"', "17"),
        (b'"[not json"', "[not json"),
        (b'"  [1]"', [1]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[Infinity]", [float("inf")]),
    ],
)
def test_a_body_is_decoded_once_or_twice(body: bytes, value: object) -> None:
    decoded = decode(body)

    assert value == decoded


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe\xfd"])
def test_what_is_not_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode(body)


@given(JSON)
def test_what_json_writes_is_read_back_whether_encoded_once_or_twice(value: object) -> None:
    container = {"Results": value}
    once = json.dumps(container).encode()
    twice = json.dumps(json.dumps(container)).encode()

    assert [container, container] == [decode(once), decode(twice)]


@pytest.mark.parametrize(
    ("decoded", "error"),
    [
        ({"error": "'duration'"}, "'duration'"),
        ('{"error": "twice"}', "twice"),
        ({"error": {"code": 3}}, '{"code": 3}'),
        ({"error": None, "result": [1]}, None),
        ({"error": "", "result": [1]}, None),
        ({"error": []}, None),
        ({"result": ["yes"]}, None),
        (["error"], None),
        ("error", None),
        (None, None),
    ],
)
def test_an_error_under_a_status_of_success_is_found(decoded: object, error: str | None) -> None:
    found = hidden_error(decoded)

    assert error == found
