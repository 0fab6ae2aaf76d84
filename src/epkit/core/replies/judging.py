"""What a reply is worth: whether it counts as a success, and if not, why."""

import enum
import zlib

from epkit.core.http.headers import fields
from epkit.core.replies import decoding
from epkit.core.samples.rows import Failure

PLAIN_BYTES = 16 * 1024 * 1024
"""The largest body that is unpacked: a compressed reply must not fill the memory."""


CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
"""The content codings that are read. No other is ever asked for, unless by hand (`-H 'Accept-Encoding: br'`)."""


class Depth(enum.IntEnum):
    """How deep each reply is looked at; the words of `--check`."""

    STATUS = 0
    REPLY = 1
    CONTRACT = 2
    EXPECT = 3


def judge_status(status: int) -> Failure:
    """Judge a status: 2xx is a success, and nothing else is, redirects included."""
    return Failure.NONE if 200 <= status < 300 else Failure.STATUS


def judge_reply(head: bytes, body: bytes, rows: int | None) -> tuple[Failure, str]:
    """Judge the body of a reply whose status is 2xx.

    Args:
        head: the raw header block.
        body: as it came, a content coding not yet taken off.
        rows: how many predictions there should be, None where that is not known.

    Returns:
        What is wrong with it (NONE if nothing) and the reason in words.
    """
    headers = fields(head)
    if not body:
        return Failure.EMPTY, "the reply has no body"
    try:
        plain = unpack(headers.get("content-encoding", ""), body, whole=True)
    except ValueError as error:
        return Failure.TRANSPORT, str(error)
    if not plain:
        return Failure.EMPTY, "the reply has no body once it is unpacked"
    try:
        decoded = decoding.decode(plain)
    except ValueError:
        if "json" in headers.get("content-type", "").lower():
            return Failure.CONTRACT, "Content-Type says JSON, the body is not"
        return Failure.NONE, ""
    hidden = decoding.hidden_error(decoded)
    if hidden is not None:
        # JSON can name half a surrogate pair, which no file and no terminal can be written with.
        return Failure.APPLICATION, hidden.encode("utf-8", "replace").decode()
    found = decoding.predictions(decoded)
    if rows is not None and found is not None and len(found) != rows:
        return Failure.MISMATCH, f"{len(found)} predictions for {rows} rows"
    return Failure.NONE, ""


def unread_coding(head: bytes) -> str | None:
    """Return the content coding of a reply, if it is one that is not read (br, zstd); None where the body can be.

    Args:
        head: the raw header block.
    """
    coding = fields(head).get("content-encoding", "").lower().strip()
    return None if coding in CODINGS else coding


def unpack(coding: str, body: bytes, *, whole: bool = False) -> bytes:
    """Take a content coding off a body.

    Args:
        whole: refuse a body that ends too early; without it, what there is of one is unpacked.

    Raises:
        ValueError: it is not what the header says, unknown, or unpacks to more than `PLAIN_BYTES`.

    Source: RFC 9110 § 8.4.1; deflate also without the zlib wrapper, as some servers send it.
    """
    match coding.lower().strip():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            windows = [31]
        case "deflate":
            windows = [15, -15]
        case other:
            raise ValueError(f"Content-Encoding {other} cannot be read")
    for bits in windows:
        unpacker = zlib.decompressobj(bits)
        try:
            plain = unpacker.decompress(body, PLAIN_BYTES + 1)
        except zlib.error:
            continue
        if len(plain) > PLAIN_BYTES:
            raise ValueError(f"the unpacked reply is over {PLAIN_BYTES // 2**20} MiB")
        if whole and not unpacker.eof:
            raise ValueError(f"the body ends before its Content-Encoding, {coding}, is over")
        return plain
    raise ValueError(f"Content-Encoding says {coding}, the body is not")
