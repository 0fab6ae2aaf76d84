"""What bounds a reply, and which replies are refused although a parser takes them.

Every engine judges by this module, so that a reply is worth the same whatever read it. What llhttp refuses is refused
first; the table in docs/targets.md has both.
"""

import re
from typing import Final

from epkit.core.http.headers import INTERIM_REPLIES, final_block, header_end

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

NOT_CHUNKED: Final = "not an HTTP reply: its Transfer-Encoding is not chunked"

VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
"""What a status line begins with."""


USUAL: Final = b"HTTP/1.1 200 OK\r\n"
"""How nearly every reply begins."""

STATUS_LINE: Final = re.compile(rb"[^\r\n]{9}\d{3}(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r|\Z)")
"""A status line; llhttp takes any byte for a part of its reason (RFC 9112 § 4 does not)."""

BLANK_LINE: Final = b"\r\n\r\n"


def look_at(head: bytes) -> tuple[str, int]:
    """Look at the header block of a reply, as far as it was read.

    Args:
        head: what a parser has accepted so far, from the first byte of the reply on; a body may follow.

    Returns:
        Why the reply is refused, empty where it is not; and where its body begins, -1 where the header is not complete.

    Source: RFC 9112 § 2.3 (a version that is not 1.x is another protocol), § 6.1 (Transfer-Encoding in HTTP/1.0 is
    faulty framing), § 6.3 (a transfer coding that cannot be taken off; none but chunked is asked for); RFC 9110 § 15
    (status codes begin at 100), § 15.2.2 (101 answers an Upgrade, which is not offered).
    """
    # Nearly every reply is of this kind, and what is looked at then costs a sixth.
    end = head.find(BLANK_LINE, 0, SHORT_HEADER_BYTES)
    if end >= 0 and head.startswith(USUAL):
        return ("" if _is_plain(head[: end + 2]) else NOT_CHUNKED), end + 4
    block = final_block(head[:HEADER_BYTES])
    if block is None:
        if head.count(BLANK_LINE, 0, HEADER_BYTES) > INTERIM_REPLIES:
            return f"over {INTERIM_REPLIES} interim replies", -1
        return (f"header block over {HEADER_BYTES} bytes" if len(head) > HEADER_BYTES else ""), -1
    wrong = _not_http(head, block)
    if not wrong and block.count(b"\r\n") > HEADER_LINES:
        wrong = f"header block over {HEADER_LINES} lines"
    return wrong, header_end(head)


def _is_plain(lines: bytes) -> bool:
    """Tell whether no transfer coding is named, or chunked alone; not by `fields`, which costs ten times as much."""
    lines = lines.lower()
    codings = lines.count(b"\r\ntransfer-encoding:")
    if not codings:
        return True
    return codings == 1 and lines.split(b"\r\ntransfer-encoding:")[1].partition(b"\r\n")[0].strip() == b"chunked"


def _not_http(head: bytes, block: bytes) -> str:
    if not (head.startswith(VERSIONS) and block.startswith(VERSIONS)):
        return "not an HTTP reply: it does not begin with HTTP/1.1 or HTTP/1.0"
    if STATUS_LINE.match(block) is None:
        return "not an HTTP reply: a control character in its status line"
    status = block[9:12]
    if status < b"100":
        return f"not an HTTP reply: status {status.decode('latin-1')}"
    if status == b"101":
        return "not an HTTP reply: status 101 to a request that offers no other protocol"
    if not _is_plain(block + b"\r\n"):
        return NOT_CHUNKED
    if block.startswith(VERSIONS[1]) and b"\r\ntransfer-encoding:" in block.lower():
        return "not an HTTP reply: Transfer-Encoding in HTTP/1.0"
    return ""
