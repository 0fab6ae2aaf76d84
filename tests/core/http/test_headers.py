"""A raw header block is read by RFC 9112, complete or incomplete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.http.headers import fields, final_block, framing, server_ns

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"
PIECES = st.sampled_from([CONTINUE, EARLY, OK, b"\r\n", b":", b" ", b"HTTP/1.1 1", b"A: b\r\n", b"\xff", b"\0"])


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (OK, b"HTTP/1.1 200 OK\r\nServer: x"),
        (OK + b"a body\r\n\r\nof any kind", b"HTTP/1.1 200 OK\r\nServer: x"),
        (CONTINUE + EARLY + OK, b"HTTP/1.1 200 OK\r\nServer: x"),
        (b"HTTP/1.0 100 Continue\r\n\r\n" + OK, b"HTTP/1.1 200 OK\r\nServer: x"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c",
        ),
        (b"", None),
        (OK[:-2], None),
        (CONTINUE, None),
        (CONTINUE + OK[:-1], None),
    ],
)
def test_the_final_block_is_that_of_the_last_reply_without_its_body(head: bytes, block: bytes | None) -> None:
    assert block == final_block(head)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (OK, {"server": "x"}),
        (b"HTTP/1.1 200 OK\r\nX-A:1\r\nx-a: \t2 \r\nB: c: d\r\n\r\n", {"x-a": "1, 2", "b": "c: d"}),
        (b"HTTP/1.1 200 OK\r\nEmpty:\r\nno colon\r\n\r\n", {"empty": ""}),
        (b"HTTP/1.1 200 OK\r\nName: caf\xe9\r\n\r\n", {"name": "café"}),
        (b"HTTP/1.1 200 12:30\r\n\r\n", {}),
        (EARLY + OK, {"server": "x"}),
    ],
)
def test_fields_have_lower_case_names_and_are_joined(head: bytes, found: dict[str, str]) -> None:
    assert found == fields(head)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"", {}),
        (b"HTTP/1.1 200 OK", {}),
        (b"HTTP/1.1 200 OK\r\n", {}),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nCon", {"a": "b"}),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r", {"a": "b"}),
        (EARLY, {}),
        (EARLY + b"HTTP/1.1 200: OK", {}),
        (EARLY + b"HTTP/1.1 200 OK\r\nA: b\r\nC: d", {"a": "b"}),
    ],
)
def test_of_an_incomplete_block_what_is_whole_is_given_and_nothing_of_an_interim_reply(
    head: bytes, found: dict[str, str]
) -> None:
    assert found == fields(head)


@given(st.lists(PIECES | st.binary(max_size=8)).map(b"".join))
def test_any_bytes_can_be_looked_at(head: bytes) -> None:
    block = final_block(head)

    assert block is None or block + b"\r\n\r\n" in head
    assert all(name == name.lower().strip() for name in fields(head))
    assert (framing(head) == "") == (block is None)


@pytest.mark.parametrize(
    ("lines", "marked"),
    [
        (b"Content-Length: 3\r\n", "length"),
        (b"Transfer-Encoding: gzip, Chunked\r\nContent-Length: 3\r\n", "chunked"),
        (b"Transfer-Encoding: gzip\r\n", "close"),
        (b"Server: x\r\n", "close"),
    ],
)
def test_the_end_of_a_body_is_marked_in_one_of_three_ways(lines: bytes, marked: str) -> None:
    whole = b"HTTP/1.1 200 OK\r\n" + lines

    assert [marked, ""] == [framing(whole + b"\r\n"), framing(whole)]


@pytest.mark.parametrize(
    ("headers", "ns"),
    [
        ({}, -1),
        ({"x-ms-run-fn-exec-ms": "1.5"}, 1_500_000),
        ({"ms-azureml-model-time": "7"}, 7_000_000),
        ({"x-ms-run-fn-exec-ms": "1", "ms-azureml-model-time": "7", "server-timing": "db;dur=9"}, 1_000_000),
        ({"x-ms-run-fn-exec-ms": "0"}, 0),
        ({"x-ms-run-fn-exec-ms": "fast"}, -1),
        ({"x-ms-run-fn-exec-ms": ""}, -1),
        ({"x-ms-run-fn-exec-ms": "-1"}, -1),
        ({"x-ms-run-fn-exec-ms": "nan"}, -1),
        ({"x-ms-run-fn-exec-ms": "inf"}, -1),
        ({"x-ms-run-fn-exec-ms": "1e9"}, -1),
        ({"server-timing": "db;dur=9, app;dur=12.5"}, 12_500_000),
        ({"server-timing": 'cache;desc="hit" , Total ; DUR = "3"; desc=x, app;dur=12'}, 3_000_000),
        ({"server-timing": "miss, db;desc=slow"}, -1),
        ({"server-timing": "db;dur=?"}, -1),
    ],
)
def test_the_servers_own_time_is_read_where_it_says_it(headers: dict[str, str], ns: int) -> None:
    assert ns == server_ns(headers)


@given(st.sampled_from(["x-ms-run-fn-exec-ms", "server-timing"]), st.text())
def test_a_servers_time_fits_its_column_whatever_it_says(name: str, text: str) -> None:
    assert -1 <= server_ns({name: text}) <= 10**15
