"""Replies that are refused although a parser accepts them, and their size limits."""

import pytest

from epkit.core.http.headers import INTERIM_REPLIES, header_end
from epkit.core.replies.framing import HEADER_BYTES, HEADER_LINES, REPLIES_BYTES, TOO_MANY_BYTES, look_at

OK = "HTTP/1.1 200 OK\r\n"
NOT_HTTP = "not an HTTP reply: "
EARLY = "HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (OK + "Content-Length: 5\r\n\r\n", ""),
        (OK + "\r\n", ""),
        ("HTTP/1.0 200 OK\r\n\r\n", ""),
        ("HTTP/1.1 200\r\n\r\n", ""),
        ("HTTP/1.1 999 Odd\r\n\r\n", ""),
        ("", ""),
        (OK, ""),
        (EARLY, ""),
        (OK + "Transfer-Encoding: chunked\r\n\r\n", ""),
        (OK + "transfer-ENCODING:\tChunked \r\n\r\n", ""),
        (OK + "\r\nTransfer-Encoding: gzip\r\n\r\n", ""),  # in the body
        (OK + "X-Transfer-Encoding: gzip\r\n\r\n", ""),
        (OK + "Transfer-Encoding: gzip\r\n\r\n", NOT_HTTP + "its Transfer-Encoding is not chunked"),
        (OK + "Transfer-Encoding: gzip, chunked\r\n\r\n", NOT_HTTP + "its Transfer-Encoding is not chunked"),
        (OK + "Transfer-Encoding:\r\n\r\n", NOT_HTTP + "its Transfer-Encoding is not chunked"),
        (OK + "Transfer-Encoding: chunked\r\n" * 2 + "\r\n", NOT_HTTP + "its Transfer-Encoding is not chunked"),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NOT_HTTP + "Transfer-Encoding in HTTP/1.0"),
        ("HTTP/2.0 200 OK\r\n\r\n", NOT_HTTP + "it does not begin with HTTP/1.1 or HTTP/1.0"),
        ("HTTP/0.9 200 OK\r\n\r\n", NOT_HTTP + "it does not begin with HTTP/1.1 or HTTP/1.0"),
        ("\r\n" + OK + "\r\n", NOT_HTTP + "it does not begin with HTTP/1.1 or HTTP/1.0"),
        (EARLY + "\r\n" + OK + "\r\n", NOT_HTTP + "it does not begin with HTTP/1.1 or HTTP/1.0"),
        ("HTTP/1.1 099 Odd\r\n\r\n", NOT_HTTP + "status 099"),
        ("HTTP/1.1 101 Odd\r\n\r\n", NOT_HTTP + "status 101 to a request that offers no other protocol"),
        (EARLY * INTERIM_REPLIES + OK + "\r\n", ""),
        (EARLY * (INTERIM_REPLIES + 1), "over 16 interim replies"),
        (EARLY * (INTERIM_REPLIES + 1) + OK + "\r\n", "over 16 interim replies"),
        (OK + "a:\r\n" * HEADER_LINES + "\r\n", ""),
        (OK + "a:\r\n" * (HEADER_LINES + 1) + "\r\n", "header block over 1000 lines"),
        (OK + "a: " + "x" * HEADER_BYTES, "header block over 65536 bytes"),
        (OK + "a: " + "x" * HEADER_BYTES + "\r\n\r\n", "header block over 65536 bytes"),
        (OK + "\r\n" + "x" * HEADER_BYTES, ""),
    ],
)
def test_a_reply_is_refused_with_the_reason(head: str, reason: str) -> None:
    refused, end = look_at(head.encode())

    assert reason == refused
    assert refused or end == header_end(head.encode())


def test_the_bound_of_all_replies_is_named_in_what_is_said_of_it() -> None:
    assert f"over {REPLIES_BYTES >> 20} MiB together" in TOO_MANY_BYTES
