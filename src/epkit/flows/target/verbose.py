"""The traffic that `-v` shows, in ab's form, but without credentials."""

from collections.abc import Callable, Sequence

from epkit.core.http.headers import final_block
from epkit.core.http.masking import clean, mask_header, mask_text, mask_url
from epkit.core.http.request import Request
from epkit.core.http.secret import Secret
from epkit.core.shortening import ELLIPSIS, cut_bytes
from epkit.engines.base import Exchange

SHOWN_BODY_BYTES = 4096


def show_request(request: Request, secrets: Sequence[Secret], *, body: bool = False) -> str:
    """Return a request as text, as it is sent, credentials masked, without terminal escapes."""
    lines = [f"{request.method} {mask_url(request.path)} HTTP/1.1"]
    lines += [f"{name}: {mask_header(name, value)}" for name, value in request.headers]
    lines.append("")
    if body and request.body:
        lines += cut_bytes(request.body, SHOWN_BODY_BYTES).splitlines()
        if len(request.body) > SHOWN_BODY_BYTES:
            lines.append(f"(and {len(request.body) - SHOWN_BODY_BYTES} bytes more)")
    return mask_text("\n".join(clean(line, 20_000) for line in lines), secrets)


def show_reply(head: bytes, body: str, secrets: Sequence[Secret]) -> str:
    """Return the header and body of a reply as text, credentials masked, without terminal escapes.

    Args:
        head: the raw header block, as far as it was read.
        body: the body without its content coding.
    """
    status, *fields = _lines(final_block(head) or head + ELLIPSIS.encode())
    lines = [status]
    for line in fields:
        name, colon, value = line.partition(":")
        lines.append(f"{name}: {mask_header(name, value.strip())}" if colon else line)
    lines += ["", *body.splitlines()]
    return mask_text("\n".join(clean(line, 20_000) for line in lines), secrets)


def make_log(
    verbosity: int, request: Request, secrets: Sequence[Secret], say: Callable[[str], None]
) -> Callable[[Exchange], None] | None:
    """Make the function that prints traffic for `-v`: failures from 1 on, headers and replies from 2, statuses from 3.

    Returns:
        A function that takes every exchange, or None if nothing is printed.

    Source: ab 2.3, option -v. Level 1 shows failures in epkit only.
    """
    if verbosity < 1:
        return None
    if verbosity >= 2:
        say(f"INFO: {request.method} header == \n---\n{show_request(request, secrets)}\n---")

    def log(exchange: Exchange) -> None:
        if exchange.failure:
            say(f"LOG: {exchange.failure.name.lower()}: {clean(mask_text(exchange.detail, secrets))}")
            return
        if verbosity >= 2:
            body = cut_bytes(exchange.body, SHOWN_BODY_BYTES)
            say(f"LOG: header received:\n{show_reply(exchange.head, body, secrets)}")
        if not 200 <= exchange.status < 300:
            say(f"WARNING: Response code not 2xx ({exchange.status})")
        elif verbosity >= 3:
            say(f"LOG: Response code = {exchange.status}")

    return log


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines() or [""]
