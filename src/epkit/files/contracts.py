"""Contracts from files and URLs."""

import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.http import url as urls
from epkit.core.http.masking import clean
from epkit.core.http.url import Url
from epkit.errors import EndpointError, UsageError

if TYPE_CHECKING:
    import httpx

MAX_BYTES: Final = 64 << 20
MAX_REDIRECTS: Final = 5


def load(
    source: str | Path | Url,
    *,
    path: str | None = None,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
    verify: bool | ssl.SSLContext = True,
) -> ParsedContract:
    """Read a contract.

    Args:
        source: a file, or a URL (http, https).
        name: what messages call it; by default the source, without credentials.
        path: of the scoring operation, where the contract alone does not tell.
        headers: sent to the URL's origin and to no other; a redirect to another origin is not followed.
        timeout_s: for the whole answer of a URL.
        verify: whether the certificate is checked, or the TLS context to use.

    Raises:
        UsageError: the source cannot be read, or the contract is broken.
        EndpointError: the URL cannot be reached, or answers anything but a document.
    """
    document, name = read(source, name=name, headers=headers, timeout_s=timeout_s, verify=verify)
    try:
        return parse(document, path=path)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def read(
    source: str | Path | Url,
    *,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
    verify: bool | ssl.SSLContext = True,
) -> tuple[Any, str]:
    """Read the document of a contract, and leave open what it says.

    Args:
        source, name, headers, timeout_s, verify: as `load` has them.

    Returns:
        What it decodes to, and its name.

    Raises:
        UsageError: the source cannot be read, or is neither JSON nor YAML.
        EndpointError: as `load`.
    """
    if isinstance(source, str) and urls.is_url(source):
        source = urls.parse(source)
    if isinstance(source, Url):
        name = name or source.shown
        data = _fetch(source, name, headers or {}, timeout_s, verify)
    else:
        name = name or str(source)
        data = _read(Path(source), name)
    return documents.decode(data, name=name), name


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name}: the contract cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise _too_long(name)
    return data


def _fetch(url: Url, name: str, headers: Mapping[str, str], timeout_s: float, verify: bool | ssl.SSLContext) -> bytes:
    """Get a URL's body, following redirects inside its origin."""
    import httpx  # late: it costs 0.2 s, and most contracts are files

    deadline = time.monotonic() + timeout_s
    transport = None if url.unix is None else httpx.HTTPTransport(uds=url.unix)
    try:
        with httpx.Client(trust_env=False, verify=verify, timeout=timeout_s, transport=transport) as client:
            for _ in range(MAX_REDIRECTS + 1):
                wanted = url.reveal() if url.unix is None else f"http://{url.host}{url.request_path}"
                with client.stream("GET", wanted, headers=dict(headers)) as reply:
                    if reply.next_request is None:
                        return _body(reply, name, deadline)
                    url = _redirected(str(reply.next_request.url), url, name)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = clean(str(error)) or type(error).__name__
        raise EndpointError(f"{name}: the contract cannot be fetched: {reason}") from None
    raise EndpointError(f"{name}: more than {MAX_REDIRECTS} redirects")


def _body(reply: "httpx.Response", name: str, deadline: float) -> bytes:
    if reply.status_code in (401, 403):
        raise EndpointError(f"{name}: status {reply.status_code}: the contract asks for a key, or this one is not it")
    if reply.status_code != 200:
        raise EndpointError(f"{name}: status {reply.status_code} instead of a contract")
    data = bytearray()
    for chunk in reply.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise _too_long(name)
        if time.monotonic() > deadline:
            raise EndpointError(f"{name}: the contract did not arrive in time")
    return bytes(data)


def _redirected(location: str, url: Url, name: str) -> Url:
    target = urls.parse(location)
    if url.unix is not None or not urls.same_origin(target, url):
        raise EndpointError(f"{name}: redirects to another origin, {target.shown}: name that one if it is meant")
    return target


def _too_long(name: str) -> UsageError:
    return UsageError(f"{name}: longer than {MAX_BYTES >> 20} MB: not a contract")
