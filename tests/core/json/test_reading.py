"""A text is decoded like in the genuine server, or refused with its place, the reason and a hint."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.json.reading import loads, loads_row, parse, read, read_carefully
from epkit.errors import UsageError

PROPERTY = "expecting property name enclosed in double quotes"


def refused(data: bytes, **named: Any) -> str:
    with pytest.raises(UsageError) as caught:
        parse(data, name="x.json", **named)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a":\n  [1,, 2]}', "2:6: not JSON: expecting value"),
        (b"{'a': 1}", f"1:2: not JSON: {PROPERTY}: JSON writes text in double quotes"),
        (b'{"a" 1}', "1:6: not JSON: expecting ':' delimiter"),
        (b"[1, 2", "1:6: not JSON: expecting ',' delimiter: the text ends here"),
        (b" \n ", "1:1: not JSON: the text is empty"),
        (b"", "1:1: not JSON: the text is empty"),
        (b'{"a": True}', "1:7: not JSON: expecting value: JSON writes true, false and null"),
        (b"// rows\n{}", "1:1: not JSON: expecting value: JSON has no comments"),
        (b'{"a": 1 // one\n}', "1:9: not JSON: expecting ',' delimiter: JSON has no comments"),
        (b"# yaml\n", "1:1: not JSON: expecting value: JSON has no comments"),
        (b"[1, ]", "1:5: not JSON: expecting value: no comma before the closing bracket"),
        (b'{"a": 1,\n}', f"2:1: not JSON: {PROPERTY}: no comma before the closing bracket"),
        (b"\n <html>", "2:2: not JSON: expecting value: this is HTML or XML"),
        (b"[<]", "1:2: not JSON: expecting value"),
        (b"{} {}", "1:4: not JSON: extra data"),
        (b"nonsense", "1:1: not JSON: expecting value"),
        (b'\n"abc', "2:1: not JSON: unterminated string"),
        (b'"a\nb"', "1:3: not JSON: invalid control character"),
        (b'"\\x"', "1:2: not JSON: invalid \\escape"),
        ('{"é": x}'.encode(), "1:7: not JSON: expecting value"),
        (b"\xef\xbb\xbf[1", "1:3: not JSON: expecting ',' delimiter: the text ends here"),
        ("[1".encode("utf-16"), "1:3: not JSON: expecting ',' delimiter: the text ends here"),
        (b'\xef\xbb\xbf\n{"\xc3\xa9": \xff}', "2:7: not UTF-8: byte 0xff: save the file as UTF-8"),
        (b"\xff\xfe\x00", "1:1: not UTF-8: byte 0xff: save the file as UTF-8"),
        (b"\0\1\2", "1:1: not JSON: expecting value: this is binary, not a text"),
        (b'{"]": [\n' + b"[" * 100_000 + b"]" * 100_000 + b", [[1]]]}",
         "2:499: nested deeper than 500 levels, more than servers read"),
        (b'["' + b"1" * 5000 + b'",\n ' + b"7" * 4999 + b"]",
         "2:2: a number of more than 4,300 digits, more than servers read"),
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused_with_its_line_and_column(body: bytes, message: str) -> None:
    assert f"x.json:{message}" == refused(body)


def test_lines_are_counted_from_where_a_text_begins() -> None:
    assert refused(b"\n?", first_line=7).startswith("x.json:8:1: not JSON: ")


def test_what_the_genuine_server_reads_is_read() -> None:
    value = parse(b'\xef\xbb\xbf{"a": NaN, "b": -Infinity, "a": 1, "c": 1000000000000000000000000000000}', name="x")

    assert {"a": 1, "b": -math.inf, "c": 10**30} == value


def test_a_whole_number_beyond_64_bits_stays_what_it_is() -> None:
    assert [2**70 + 1] == parse(b"[1180591620717411303425]", name="x")
    assert {"a": 2**70 + 1, "b": [2.0]} == loads_row(b'{"a": 1180591620717411303425, "b": [2.0]}')


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_the_encoding_is_found_as_python_finds_it(encoding: str) -> None:
    reading = read('{"é": 1}'.encode(encoding))

    assert ({"é": 1}, '{"é": 1}'.encode()) == (reading.value, reading.text)
    assert encoding.removesuffix("-sig") == reading.encoding


def test_duplicate_keys_are_seen_by_a_careful_reading() -> None:
    assert ("a", "b") == read_carefully(b'{"b": {"a": 1, "a": 2, "a": 3}, "b": 1}').duplicates


@pytest.mark.parametrize(
    "value",
    [
        ["[" * 600, "]" * 3, '\\"[', "\\"],
        [["a", {"b": []}, "}"]] * 600,
        [[[[]]]] * 200,
    ],
)
def test_many_brackets_are_not_many_levels(value: object) -> None:
    assert value == read_carefully(json.dumps(value).encode()).value


@pytest.mark.parametrize(("levels", "readable"), [(500, True), (501, False)])
@pytest.mark.parametrize("pair", ['[",{\\""]', '{"a":}'])
def test_so_deep_is_read_and_no_deeper(pair: str, levels: int, readable: bool) -> None:
    opening, closing = (pair[:-1] + ",", "]") if pair[0] == "[" else (pair[:-1], "}")
    text = opening * levels + "1" + closing * levels

    assert readable is (read_carefully(text.encode()).fault is None)


def test_a_reply_nested_beyond_reading_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested"):
        loads(b"[" * 100_000 + b"]" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_every_json_document_is_read_as_it_was_written(value: object, ascii_only: bool) -> None:
    assert value == parse(json.dumps(value, ensure_ascii=ascii_only).encode(), name="x")


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused_with_a_place(body: bytes) -> None:
    try:
        parse(body, name="x")
    except UsageError as error:
        message = str(error)
    else:
        message = "x:1:1: not JSON: "

    assert message.startswith("x:")
    assert all(part.isdigit() and int(part) >= 1 for part in message.split(":")[1:3])
