"""Payloads are read from files without changing a byte."""

import io
import os

import pytest

from epkit.core.http.payload import Payload
from epkit.errors import UsageError
from epkit.files.payloads import read_body, read_payload, read_payloads
from epkit.reading import CHECKED

NO_STDIN = io.BytesIO()


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
    assert f"{tmp_path} is a directory, not a file" == refused(read_payload, str(tmp_path), NO_STDIN)
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


def test_a_line_of_a_jsonl_is_told_by_its_own_number(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{}\n\n{x}\n")

    bodies = read_payloads(str(path), NO_STDIN)

    assert bodies[0].parse() == {}
    assert refused(bodies[1].parse).startswith(f"{path}:3:2: not JSON: ")


def test_a_whole_file_is_told_by_its_lines():
    assert refused(Payload.of("x.json", b"\n?").parse).startswith("x.json:2:1: not JSON: ")


def test_a_body_that_is_checked_may_be_empty_but_not_longer_than_any_endpoint_takes(tmp_path):
    (tmp_path / "empty.json").touch()
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate(CHECKED.most_bytes + 1)

    assert b"" == read_body(f"{tmp_path}/empty.json", NO_STDIN)
    assert b"{}" == read_body("-", io.BytesIO(b"{}"))
    assert f"{tmp_path}/no.json: no such file" == refused(read_body, f"{tmp_path}/no.json", NO_STDIN)
    assert refused(read_body, f"{tmp_path}/long.json", NO_STDIN).startswith(
        f"{tmp_path}/long.json: 16,777,217 bytes, but a body that is checked has 16,777,216 at most: "
    )
