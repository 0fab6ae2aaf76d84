"""The limits of a reply, and the replies that are refused although a parser accepts them.

Every engine uses this module, so a reply is judged alike whatever engine read it. llhttp refuses its own cases first;
the table in docs/targets.md lists both.
"""

import re
from typing import Final

from epkit.core.http.headers import INTERIM_REPLIES, final_block, header_end

HEADER_BYTES: Final = 64 * 1024
"""The largest header block that is accepted, including interim replies (1xx) before it."""

HEADER_LINES: Final = 1000
"""Greatest number of header lines. Servers send about ten; the work for a hundred thousand lines would add up."""

SHORT_HEADER_BYTES: Final = 4 * HEADER_LINES
"""A shorter header block cannot have too many lines: a line has at least four bytes."""

BODY_BYTES: Final = 16 * 1024 * 1024
"""The largest reply body that is accepted. Without a limit, a faulty server could fill the memory."""

REPLIES_BYTES: Final = 16 * BODY_BYTES
"""Greatest number of bytes in the unfinished replies of all connections of an engine together."""

TOO_MANY_BYTES: Final = f"unfinished replies hold over {REPLIES_BYTES // 2**20} MiB together: use a smaller -c?"
"""Reason for the reply that exceeds `REPLIES_BYTES`."""

NOT_CHUNKED: Final = "not an HTTP reply: its Transfer-Encoding is not chunked"

VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
"""The beginning of a status line."""


USUAL: Final = b"HTTP/1.1 200 OK\r\n"
"""The beginning of nearly every reply."""

STATUS_LINE: Final = re.compile(rb"[^\r\n]{9}\d{3}(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r|\Z)")
"""A status line. llhttp accepts any byte in its reason phrase (RFC 9112 § 4 does not)."""

BLANK_LINE: Final = b"\r\n\r\n"


def look_at(head: bytes) -> tuple[str, int]:
    """Check the header block of a reply, as far as it is read.

    Args:
        head: the bytes that a parser has accepted, from the first byte of the reply; they may include a part of the
            body.

    Returns:
        The reason for a refusal, or ""; and where the body begins, or -1 if the header block is not complete.

    Source: RFC 9112 § 2.3 (a version other than 1.x is another protocol), § 6.1 (Transfer-Encoding in HTTP/1.0 is
    faulty framing), § 6.3 (a transfer coding that cannot be decoded; only chunked is requested); RFC 9110 § 15 (status
    codes begin at 100), § 15.2.2 (101 answers an Upgrade, which is not offered).
    """
    # Nearly every reply is of this kind. This check costs a sixth of the complete one.
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
    """Tell whether there is no transfer coding but chunked. `fields` would take ten times as long."""
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
