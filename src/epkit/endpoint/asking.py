"""Asks an endpoint one thing outside of any load: its contract, a row; the environment's proxies are used."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from epkit.core.http.addresses import is_loopback
from epkit.core.http.masking import clean, mask_url
from epkit.core.http.secret import Secret
from epkit.errors import EndpointError

if TYPE_CHECKING:
    import httpx

PATIENCE_S = 30.0
PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint answered.

    Args:
        head: status line and headers as HTTP/1.1 has them.
        ms: from the request's first byte to the answer's last, connection and all.
    """

    status: int
    head: bytes
    body: bytes = field(repr=False)
    ms: float


def ask(
    url: str,
    *,
    authorization: Secret | None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = PATIENCE_S,
) -> Answer:
    """Send one request: a POST where there is a body, else a GET.

    Args:
        authorization: the header's whole value.

    Raises:
        EndpointError: there is no answer.
    """
    import httpx  # late: it costs 0.2 s

    sent = dict(headers or {})
    if authorization is not None:
        sent["Authorization"] = authorization.reveal()
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    # This machine is never behind a proxy.
    local = is_loopback(httpx.URL(url).host)
    start = time.perf_counter()
    try:
        with httpx.Client(trust_env=not local, timeout=timeout_s, follow_redirects=False) as client:
            reply = client.request("GET" if body is None else "POST", url, headers=sent, content=body)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise EndpointError(f"{mask_url(url)}: {clean(str(error)) or type(error).__name__}") from None
    ms = (time.perf_counter() - start) * 1000
    return Answer(status=reply.status_code, head=_head(reply), body=reply.content, ms=ms)


def _head(reply: "httpx.Response") -> bytes:
    lines = [f"HTTP/1.1 {reply.status_code} {reply.reason_phrase}".encode("latin-1", "replace")]
    # httpx has taken the content coding off.
    lines += [name + b": " + value for name, value in reply.headers.raw if name.lower() != b"content-encoding"]
    return b"\r\n".join([*lines, b"", b""])
