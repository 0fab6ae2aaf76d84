"""Payloads come from files byte by byte; what is wrong with one is told to the line and column."""

import io
import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.payload import Payload
from epkit.errors import UsageError
from epkit.files.payloads import parse_json, parse_payload, read_payload, read_payloads

NO_STDIN = io.BytesIO()
PROPERTY = "expecting property name enclosed in double quotes"


def refused(call, *arguments, **named) -> str:
    with pytest.raises(UsageError) as caught:
        call(*arguments, **named)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_file_is_one_body_byte_by_byte(tmp_path):
    body = b'\xef\xbb\xbf{"a": 1}\r\n\n'
    path = tmp_path / "x.json"
    path.write_bytes(body)

    assert (Payload.of(str(path), body),) == read_payloads(str(path), NO_STDIN)


def test_a_dash_is_stdin():
    assert (Payload.of("stdin", b"{}\n"),) == read_payloads("-", io.BytesIO(b"{}\n"))


def test_a_tilde_is_the_shells_business(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~x.json").write_bytes(b"1")

    assert Payload.of("~x.json", b"1") == read_payload("~x.json", NO_STDIN)


def test_a_pipe_is_read(tmp_path):
    read, write = os.pipe()
    os.write(write, b"{}")
    os.close(write)
    try:
        assert read_payload(f"/dev/fd/{read}", NO_STDIN).body == b"{}"
    finally:
        os.close(read)


def test_a_jsonl_is_a_body_a_line(tmp_path):
    path = tmp_path / "x.JSONL"
    path.write_bytes(b'{"a": 1}\r\n\n  \t\n {"b": "\xe2\x80\xa8"} \n[3]')

    expected = (
        Payload.of(f"{path}:1", b'{"a": 1}', line=1),
        Payload.of(f"{path}:4", b'{"b": "\xe2\x80\xa8"}', line=4),
        Payload.of(f"{path}:5", b"[3]", line=5),
    )

    assert expected == read_payloads(str(path), NO_STDIN)


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "empty.json").touch()
    (tmp_path / "blank.jsonl").write_text("\n \n")
    (tmp_path / "loop.json").symlink_to("loop.json")

    assert f"{tmp_path}/no.json: no such file" == refused(read_payload, f"{tmp_path}/no.json", NO_STDIN)
    assert f"{tmp_path}: is a directory, not a file" == refused(read_payload, str(tmp_path), NO_STDIN)
    assert refused(read_payload, f"{tmp_path}/loop.json", NO_STDIN).startswith(
        f"{tmp_path}/loop.json: cannot be read: "
    )
    assert f"{tmp_path}/empty.json: empty: there is nothing to send" == refused(
        read_payload, f"{tmp_path}/empty.json", NO_STDIN
    )
    assert f"{tmp_path}/blank.jsonl: empty: there is no line to send" == refused(
        read_payloads, f"{tmp_path}/blank.jsonl", NO_STDIN
    )
    assert refused(read_payload, "-", NO_STDIN) == "stdin: empty: there is nothing to send"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_one_line(tmp_path):
    path = tmp_path / "x.json"
    path.touch(0o000)

    assert f"{path}: cannot be read: Permission denied" == refused(read_payload, str(path), NO_STDIN)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a":\n  [1,, 2]}', "2:6: not JSON: expecting value"),
        (b"{'a': 1}", f"1:2: not JSON: {PROPERTY} (JSON writes text in double quotes)"),
        (b'{"a" 1}', "1:6: not JSON: expecting ':' delimiter"),
        (b"[1, 2", "1:6: not JSON: expecting ',' delimiter: the text ends here"),
        (b" \n ", "2:2: not JSON: expecting value: the text ends here"),
        (b"", "1:1: not JSON: expecting value: the text ends here"),
        (b'{"a": True}', "1:7: not JSON: expecting value (JSON writes true, false, null)"),
        (b"// rows\n{}", "1:1: not JSON: expecting value (JSON has no comments)"),
        (b"{} {}", "1:4: not JSON: extra data"),
        (b'\n"abc', "2:1: not JSON: unterminated string"),
        (b'"a\nb"', "1:3: not JSON: invalid control character"),
        ('{"é": x}'.encode(), "1:7: not JSON: expecting value"),
        (b"\xef\xbb\xbf[1", "1:3: not JSON: expecting ',' delimiter: the text ends here"),
        (b'\xef\xbb\xbf\n{"\xc3\xa9": \xff}', "2:7: not JSON: byte 0xff is not UTF-8"),
        (b"\xff\xfe{\0}\0", "1:1: not JSON: this is UTF-16 or binary; save it as UTF-8"),
        (b"{\0}\0", "1:1: not JSON: this is UTF-16 or binary; save it as UTF-8"),
        (b'{"]": [' + b"[" * 100_000 + b"]" * 100_000 + b", [[1]]]}",
         "1:100007: not JSON: nested 100002 levels deep, more than servers read"),
        (b'["' + b"1" * 5000 + b'",\n ' + b"7" * 4999 + b"]",
         "2:2: not JSON: a number of 4999 digits, more than servers read"),
    ],
)  # fmt: skip
def test_what_is_not_json_is_told_to_the_line_and_column(body, message):
    assert f"x.json:{message}" == refused(parse_json, body, "x.json")


def test_a_comma_too_many_is_told():
    # Python 3.13 points to the comma, its predecessors to the bracket.
    assert "comma" in refused(parse_json, b"[1, ]", "x.json")


def test_a_line_of_a_jsonl_is_told_by_its_own_number(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{}\n\n{x}\n")

    bodies = read_payloads(str(path), NO_STDIN)

    assert parse_payload(bodies[0]) == {}
    assert refused(parse_payload, bodies[1]).startswith(f"{path}:3:2: not JSON: ")


def test_a_whole_file_is_told_by_its_lines():
    assert refused(parse_payload, Payload.of("x.json", b"\n?")).startswith("x.json:2:1: not JSON: ")


def test_what_the_genuine_server_reads_is_read():
    value = parse_json(b'\xef\xbb\xbf{"a": NaN, "b": -Infinity, "a": 1, "c": 1000000000000000000000000000000}', "x")

    assert {"a": 1, "b": -math.inf, "c": 10**30} == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_every_json_document_is_read_as_it_was_written(value, ascii_only):
    assert value == parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(), "x")


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused_with_a_place(body):
    try:
        parse_json(body, "x")
    except UsageError as error:
        message = str(error)
    else:
        message = "x:1:1: not JSON: "

    assert message.startswith("x:")
    assert all(part.isdigit() and int(part) >= 1 for part in message.split(":")[1:3])
