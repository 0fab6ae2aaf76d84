"""What bounds a reply, and which replies are refused although a parser takes them.

Every engine judges by this module, so that a reply is worth the same whatever read it. What llhttp refuses is refused
first; the table in docs/targets.md has both.
"""

from typing import Final

from epkit.core.http.headers import INTERIM_REPLIES, final_block

HEADER_BYTES: Final = 64 * 1024
"""The largest header block that is accepted, interim replies (1xx) before it included."""

HEADER_LINES: Final = 1000
"""The most lines of a header block. Servers write some ten; what is done for each of a hundred thousand adds up."""

SHORT_HEADER_BYTES: Final = 4 * HEADER_LINES
"""A header block that is shorter cannot have too many lines: one is four bytes at least."""

BODY_BYTES: Final = 16 * 1024 * 1024
"""The largest reply body that is accepted; more would let a runaway server fill the memory."""

REPLIES_BYTES: Final = 16 * BODY_BYTES
"""The most bytes that unfinished replies may hold, those of all connections of an engine together."""

TOO_MANY_BYTES: Final = f"unfinished replies hold over {REPLIES_BYTES // 2**20} MiB together: use a smaller -c?"
"""What is said of the reply that goes over `REPLIES_BYTES`."""

VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
"""What a status line begins with."""


def refusal(head: bytes) -> str:
    """Say why a reply is refused.

    Args:
        head: a header block that a parser has accepted so far, from the first byte of the reply on; a body may follow.

    Returns:
        The reason in words; empty for a reply that is good, or whose header is not complete.

    Source: RFC 9112 § 2.3 (a version that is not 1.x is another protocol), § 6.1 (Transfer-Encoding in HTTP/1.0 is
    faulty framing), § 6.3 (a transfer coding that cannot be taken off; none but chunked is asked for); RFC 9110 § 15
    (status codes begin at 100), § 15.2.2 (101 answers an Upgrade, which is not offered).
    """
    block = final_block(head[:HEADER_BYTES])
    if block is None:
        if head.count(b"\r\n\r\n", 0, HEADER_BYTES) > INTERIM_REPLIES:
            return f"over {INTERIM_REPLIES} interim replies"
        return f"header block over {HEADER_BYTES} bytes" if len(head) > HEADER_BYTES else ""
    if len(block) > SHORT_HEADER_BYTES and block.count(b"\r\n") > HEADER_LINES:
        return f"header block over {HEADER_LINES} lines"
    wrong = _not_http(head, block)
    return wrong and f"not an HTTP reply: {wrong}"


def _not_http(head: bytes, block: bytes) -> str:
    if not (head.startswith(VERSIONS) and block.startswith(VERSIONS)):
        return "it does not begin with HTTP/1.1 or HTTP/1.0"
    status = block[9:12]
    if status < b"100":
        return f"status {status.decode('latin-1')}"
    if status == b"101":
        return "status 101 to a request that offers no other protocol"
    _, *codings = block.lower().split(b"\r\ntransfer-encoding:")  # not `fields`, which costs ten times as much
    if not codings:
        return ""
    if len(codings) > 1 or codings[0].partition(b"\r\n")[0].strip() != b"chunked":
        return "its Transfer-Encoding is not chunked"
    return "Transfer-Encoding in HTTP/1.0" if block.startswith(VERSIONS[1]) else ""
