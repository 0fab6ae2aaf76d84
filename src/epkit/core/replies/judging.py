"""Judges a reply: whether it is a success, and if not, why."""

import enum
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from epkit.core.http.headers import fields, final_status
from epkit.core.http.masking import mask_url
from epkit.core.replies import decoding
from epkit.core.replies.faults import first_fault
from epkit.core.replies.finding import FoundPredictions, ReplyPlace, find_predictions, unwrapped
from epkit.core.replies.texts import (
    DONE,
    EVENTS,
    LINES,
    MOST_TITLE,
    content_type,
    events_of,
    is_page,
    title_of,
    values_of_csv,
    values_of_lines,
)
from epkit.core.samples.rows import Failure
from epkit.core.shortening import cut

Verdict = tuple[Failure, str]
"""The failure of a reply and its reason. A tuple is always truthy, so `known or judge(x)` works."""

NOTHING: Final[Verdict] = (Failure.NONE, "")

UNRECOGNISED: Final = "no list of predictions is recognised in the reply"

_RESULTS: Final = ("location", "operation-location", "azure-asyncoperation", "x-amzn-sagemaker-outputlocation")
"""Headers that name the place where the result will be."""

PLAIN_BYTES = 16 * 1024 * 1024
"""The largest body that is decompressed: a compressed reply must not fill the memory."""


CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
"""The content codings that epkit can read. It requests no other, unless the user does (`-H 'Accept-Encoding: br'`)."""


class Depth(enum.IntEnum):
    """How thoroughly each reply is checked; the values of `--check`."""

    STATUS = 0
    REPLY = 1
    CONTRACT = 2
    EXPECT = 3


def judge_status(status: int) -> Failure:
    """Judge a status: only 2xx is a success; a redirect is not."""
    return Failure.NONE if 200 <= status < 300 else Failure.STATUS


class BadReply(NamedTuple):
    """What is wrong with a reply that has a 2xx status.

    Args:
        reason: a sentence.
        streamed: whether it is a stream of events; then their number proves nothing.
    """

    failure: Failure
    reason: str
    streamed: bool = False


def judge_reply(
    head: bytes, body: bytes, rows: int | None, *, place: ReplyPlace | None = None, sent_json: bool = True
) -> Verdict:
    """Judge the body of a reply whose status is 2xx.

    Args:
        head, body, rows, place, sent_json: as for `read_reply`.

    Returns:
        What is wrong with it (NONE if nothing is), and the reason as a sentence.
    """
    found = read_reply(head, body, rows, place=place, sent_json=sent_json)
    if isinstance(found, BadReply):
        return NOTHING if found.streamed and found.failure is Failure.MISMATCH else (found.failure, found.reason)
    if found is None or found.streamed or not sent_json:
        return NOTHING
    if (fault := first_fault(found.values)) is not None:
        return Failure.EMPTY, f"row {fault[0]}: {fault[1]}"
    if rows is not None and len(found.values) != rows:
        return Failure.MISMATCH, _counted(len(found.values), rows)
    return NOTHING


def read_reply(
    head: bytes,
    body: bytes,
    rows: int | None,
    *,
    place: ReplyPlace | None = None,
    sent_json: bool = True,
    mask: Callable[[bytes, list[Any]], list[Any]] | None = None,
) -> FoundPredictions | BadReply | None:
    """Read a reply with a 2xx status.

    Args:
        head: the raw header block; a body may follow.
        body: as received, still compressed if it has a content coding.
        rows: expected number of predictions, None if it is not known. A reply with an index may have another number.
        place: where the predictions are, if it is known.
        sent_json: whether the request had a JSON body. An HTML page is no answer to one.
        mask: removes credentials from predictions; its second argument is the reply. See `KeyGuard`.

    Returns:
        Its predictions, as many as *rows* unless the reply has an index; or what is wrong with it. None if nothing is
        wrong, and it is not known whether it has predictions; this happens only without *rows*.
    """
    block = head[: len(head) - len(body)] if head.endswith(body) else head
    if b"ontent-encoding" in block.lower():
        try:
            body = unpack(fields(head).get("content-encoding", ""), body, whole=True)
        except ValueError as error:
            return BadReply(Failure.TRANSPORT, str(error))
        if not body:
            return _accepted(head, sent_json) or BadReply(Failure.EMPTY, "the reply has no body once it is unpacked")
    if not body:
        return _accepted(head, sent_json) or BadReply(Failure.EMPTY, "the reply has no body")
    try:
        decoded = decoding.decode(body)
    except ValueError:
        return _accepted(head, sent_json) or _read_text(head, body, rows, sent_json)
    if isinstance(decoded, dict) and "error" in decoded and (hidden := decoding.hidden_error(decoded)) is not None:
        # JSON can contain half of a surrogate pair, which no file and no terminal can show.
        return BadReply(Failure.APPLICATION, hidden.encode("utf-8", "replace").decode())
    found = find_predictions(decoded, rows, place)
    if found is None or (rows is not None and found.row_keys is None and len(found.values) != rows):
        return _without(head, body, found, rows, place, sent_json)
    return found if mask is None else FoundPredictions(mask(body, found.values), found.row_keys)


def _without(
    head: bytes,
    body: bytes,
    found: FoundPredictions | None,
    rows: int | None,
    place: ReplyPlace | None,
    sent_json: bool,
) -> FoundPredictions | BadReply | None:
    """Judge a JSON reply that does not have one prediction for each row."""
    if (accepted := _accepted(head, sent_json)) is not None:
        return accepted
    if content_type(fields(head).get("content-type", "")) in LINES:
        return _read_text(head, body, rows, sent_json)  # a single line
    if found is not None:
        assert rows is not None
        return BadReply(Failure.MISMATCH, _counted(len(found.values), rows))
    if place is not None and place.named:
        return BadReply(Failure.CONTRACT, f'no list of predictions is at "{place.pointer}" in the reply')
    return None if rows is None else BadReply(Failure.CONTRACT, UNRECOGNISED)


def _counted(found: int, rows: int) -> str:
    return f"{found} predictions for {rows} rows"


def _accepted(head: bytes, sent_json: bool) -> BadReply | None:
    """Judge a reply that only promises a result: 202, with the place where the result will be.

    Source: RFC 9110 § 15.3.3; `Operation-Location` and `Azure-AsyncOperation` are Azure's, the last is SageMaker's.
    """
    if not sent_json or final_status(head) != 202:
        return None
    headers = fields(head)
    where = next((headers[name] for name in _RESULTS if headers.get(name)), None)
    if where is None:
        return None
    text = f"202, accepted for later: nothing is scored yet; the result is to be at {cut(mask_url(where), 300)}"
    return BadReply(Failure.EMPTY, text)


def _read_text(head: bytes, body: bytes, rows: int | None, sent_json: bool) -> FoundPredictions | BadReply | None:
    """Read a reply that is not a JSON document."""
    kind = content_type(fields(head).get("content-type", ""))
    text = body.decode("utf-8", "replace")
    if kind == EVENTS:
        return _read_events(text, rows)
    if kind in LINES:
        return _read_lines(text, rows)
    if is_page(kind, body):
        return _page(text) if sent_json or "json" in kind else None
    if "json" in kind:
        return BadReply(Failure.CONTRACT, "Content-Type says JSON, the body is not")
    if rows is None:
        return None
    if kind == "text/csv" and (values := values_of_csv(text, rows)):
        return _of_values(values, rows)
    return BadReply(Failure.CONTRACT, "the reply is not JSON")


def _page(text: str) -> BadReply:
    title = title_of(text)
    quoted = "" if title is None else f', "{cut(title, MOST_TITLE)}"'
    return BadReply(Failure.CONTRACT, f"the reply is a page of HTML{quoted}, not JSON")


def _read_events(text: str, rows: int | None) -> FoundPredictions | BadReply | None:
    values: list[Any] = []
    count = 0
    for event in events_of(text):
        count += 1
        if event.data.strip() == DONE:
            continue
        value = unwrapped(event.data)
        hidden = decoding.hidden_error(value)
        if hidden is not None or event.name == "error":
            words = event.data if hidden is None else hidden
            reason = f"event {count}: {words}"
            return BadReply(Failure.APPLICATION, reason.encode("utf-8", "replace").decode(), streamed=True)
        values.append(value)
    if not count:
        return BadReply(Failure.EMPTY, "the stream has no event", streamed=True)
    return _of_values(values, rows, streamed=True)


def _read_lines(text: str, rows: int | None) -> FoundPredictions | BadReply | None:
    try:
        values = values_of_lines(text)
    except ValueError as error:
        return BadReply(Failure.CONTRACT, str(error))
    for number, value in enumerate(values, 1):
        if (hidden := decoding.hidden_error(value)) is not None:
            reason = f"line {number}: {hidden}"
            return BadReply(Failure.APPLICATION, reason.encode("utf-8", "replace").decode())
    if not values:
        return BadReply(Failure.EMPTY, "the reply has no line")
    return _of_values(values, rows)


def _of_values(values: list[Any], rows: int | None, *, streamed: bool = False) -> FoundPredictions | BadReply | None:
    """Use lines or events as the predictions: either each is one, or each contains some; then they are joined."""
    if rows is None:
        return None
    inner = [find_predictions(value, 1) if isinstance(value, dict) else None for value in values]
    flat = [prediction for found in inner if found is not None for prediction in found.values]
    if None not in inner and len(flat) == rows:
        return FoundPredictions(flat, streamed=streamed)
    if len(values) != rows:
        return BadReply(Failure.MISMATCH, _counted(len(values), rows), streamed)
    return FoundPredictions(values, streamed=streamed)


def text_of_reply(head: bytes, body: bytes, most: int) -> str:
    """Return a reply as text, even if it is broken.

    Args:
        head, body: as for `read_reply`.
        most: greatest number of characters.
    """
    with suppress(ValueError):
        body = unpack(fields(head).get("content-encoding", ""), body)
    return cut(body.decode("utf-8", "replace"), most)


def unread_coding(head: bytes) -> str | None:
    """Return the content coding of a reply if epkit cannot read it (br, zstd); otherwise None.

    Args:
        head: the raw header block.
    """
    coding = fields(head).get("content-encoding", "").lower().strip()
    return None if coding in CODINGS else coding


def unpack(coding: str, body: bytes, *, whole: bool = False) -> bytes:
    """Decompress a body.

    Args:
        whole: refuse a body that ends too early; otherwise return the part that there is.

    Raises:
        ValueError: the coding is unknown, the body does not have it, or it unpacks to more than `PLAIN_BYTES`.

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
