"""Reads a raw HTTP/1.1 header block, to learn more about a reply than its end."""

import re
from collections.abc import Mapping
from typing import Final, Literal

_BLANK: Final = re.compile(rb"\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")

INTERIM_REPLIES: Final = 16
"""Greatest number of interim replies (1xx) before the final one; usual servers send one or two."""


def final_block(head: bytes) -> bytes | None:
    """Return the header block of the final reply, without interim ones (1xx) and without its blank line.

    Args:
        head: what was read from the socket, from the first byte of the reply on; a body may follow.

    Returns:
        Status line and fields; None if the block is not complete, or more than `INTERIM_REPLIES` precede it.
    """
    start, end = _final(head)
    return None if end < 0 else head[start:end]


def header_end(head: bytes) -> int:
    """Return where the body of the final reply begins, after the blank line; -1 if the header is not complete."""
    end = _final(head)[1]
    return end if end < 0 else end + 4


def _final(head: bytes) -> tuple[int, int]:
    """Return start and end of the final reply's header block; the end is -1 if it is not read yet.

    Source: RFC 9110 § 15.2: 1xx is interim, except 101, which is the last HTTP reply of a connection.
    """
    start = 0
    for _ in range(INTERIM_REPLIES + 1):
        end = head.find(b"\r\n\r\n", start)
        interim = head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1"), start) and not head.startswith(b"101", start + 9)
        if end < 0 or not interim:
            return start, end
        start = end + 4
    return start, -1


def final_status(head: bytes) -> int:
    """Return the status of the final reply, 0 if there is none.

    Args:
        head: as for `final_block`.
    """
    start, _ = _final(head)
    digits = head[start + 9 : start + 12]
    return int(digits) if digits.isdigit() else 0


def with_crlf(head: bytes) -> bytes | None:
    """Return a reply with all header lines ending in CRLF, if some of them end in LF only.

    Args:
        head: what was read, from the first byte of the reply on; a body may follow, and is not changed.

    Returns:
        None if no line ends in LF only. An incomplete header is converted as far as it was read.

    Source: RFC 9112 § 2.2: a recipient may take a single LF for the end of a line, and ignore a CR before it.
    """
    pieces: list[bytes] = []
    start = 0
    for _ in range(INTERIM_REPLIES + 1):
        found = _BLANK.search(head, start)
        end = len(head) if found is None else found.end()
        block = head[start:end]
        pieces.append(_LINE_END.sub(b"\r\n", block))
        start = end
        if found is None or not block.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")) or block[9:12] == b"101":
            break
    mended = b"".join(pieces)
    return None if len(mended) == start else mended + head[start:]


def fields(head: bytes) -> dict[str, str]:
    """Return the fields of the final reply, names in lower case, repeated ones joined by a comma.

    Args:
        head: as for `final_block`; for an incomplete block, its complete fields are returned.

    Source: RFC 9110 § 5.2 (joining), RFC 9112 § 5 (Latin-1, optional white space).
    """
    start, end = _final(head)
    if end < 0:
        end = max(start, head.rfind(b"\r\n", start))
    found: dict[str, str] = {}
    for line in head[start:end].split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            key = name.decode("latin-1").strip().lower()
            text = value.decode("latin-1").strip()
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def framing(head: bytes) -> Literal["", "length", "chunked", "close"]:
    """Return how the end of the final reply's body is marked; empty if the header is not complete.

    Source: RFC 9112 § 6.3.
    """
    if final_block(head) is None:
        return ""
    found = fields(head)
    if "transfer-encoding" in found:
        return "chunked" if found["transfer-encoding"].lower().endswith("chunked") else "close"
    return "length" if "content-length" in found else "close"


def server_ns(headers: Mapping[str, str]) -> int:
    """Return the time that the server reports for the request, in ns; -1 if it reports none.

    Args:
        headers: names in lower case.

    Source: `x-ms-run-fn-exec-ms` (Azure ML's inference server: the time inside `run()`), `ms-azureml-model-time`
    (managed online endpoints), both in ms; `Server-Timing` (W3C): its `total`, otherwise its longest metric.
    """
    for name in ("x-ms-run-fn-exec-ms", "ms-azureml-model-time"):
        if name in headers:
            return _ms(headers[name])
    durations: dict[str, int] = {}
    for metric in headers.get("server-timing", "").split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "dur":
                durations[name.lower()] = _ms(value.strip().strip('"'))
    return durations.get("total", max(durations.values(), default=-1))


def _ms(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        return -1
    return round(value * 1e6) if 0 <= value < 1e9 else -1
