"""Explains answers and failures of a scoring endpoint: one line with the meaning and what to do."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from epkit.core.http.masking import clean, mask_text, mask_url
from epkit.core.http.secret import Secret
from epkit.core.replies.texts import title_of
from epkit.core.samples.rows import Failure
from epkit.core.shortening import cut

DETAIL_LIMIT: Final = 200
"""Greatest length of the server's own text in a message."""

# Longer replies are not error documents; a page's title is at its beginning.
_PARSE_LIMIT = 1_000_000
_PAGE_LIMIT = 10_000

# No engine's text needs more; a proxy may send a longer status line.
_HEARD = 2000

_WHERE_KEYS_GO = "give it with --key-file, EPKIT_KEY, or key_env in epkit.toml"

# Keys of error replies, the most useful first; compared in lower case.
_FIELDS = ("error", "message", "detail", "msg", "error_description", "title", "reason", "error_code", "code")

_WRONG_KEY = f"the key is wrong, expired, or belongs to another endpoint: {_WHERE_KEYS_GO}"
_PROXY_KEY = "the proxy requires a user and a password, or refuses those given: give -P USER:PASSWORD"
_STATUSES: Final[Mapping[int, str]] = {
    400: "the endpoint does not accept the request: check the body against the contract with epkit validate",
    401: _WRONG_KEY,
    403: _WRONG_KEY,
    404: "nothing is at this path, or no deployment has traffic: check both; a scoring URI ends with /score",
    405: "the path does not take this method: rows are sent with POST, to a URI that ends with /score",
    407: _PROXY_KEY,
    408: (
        "the endpoint gave up waiting for the model (5 s on managed endpoints unless set, 60 s on v1): "
        "send fewer rows a request, or raise the deployment's request_timeout_ms"
    ),
    413: "the body is too large (older services take 1.5 MB): send fewer rows a request",
    415: "the Content-Type is not application/json: send -T application/json",
    424: "the model itself failed; the deployment's log says why",
    429: (
        "over the rate limit, or more in flight than 2 × max_concurrent_requests_per_instance × instances: "
        "lower the concurrency or the rate"
    ),
    431: "the request's headers are too large: send fewer or shorter ones",
    500: "the scoring script raised an exception: check the body with epkit validate, then see the log",
    502: "the scoring script raised an exception, or its process died: the deployment's log says why",
    503: (
        "the scoring script raised an exception (v1), or every replica is full: see the deployment's log, "
        "lower the concurrency"
    ),
    504: "the gateway gave up waiting for the model: send fewer rows a request, or raise the timeout",
}

_MODEL_ERROR: Final = (
    ("ms-azureml-model-error-statuscode", "the model's own status"),
    ("ms-azureml-model-error-reason", "its reason"),
)
"""Headers in which Azure gives the reason for a failure of the model (status 424)."""

_TLS_PORT = re.compile(r"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server", re.IGNORECASE)

_CONNECT, _TLS, _TRANSPORT = Failure.CONNECT, Failure.TLS, Failure.TRANSPORT

# The texts come from the operating system, OpenSSL and asyncio. The first entry that matches is used.
_FAILURES: Final[tuple[tuple[tuple[Failure, ...], str, str], ...]] = (
    ((_CONNECT,), r"^proxy: 407\b", _PROXY_KEY),
    (
        (_CONNECT,),
        r"^proxy: \d{3}( |$)",
        "the proxy refuses the connection to the endpoint: check its rules, and the URL",
    ),
    ((_CONNECT,), "^proxy: ", "the proxy cannot be reached: check -X"),
    ((_TLS,), "^proxy: ", "TLS with the proxy itself failed: check -X; --cacert names who signs its certificate"),
    (
        (Failure.TIMEOUT,),
        "through the proxy|^proxy: ",
        "the proxy does not answer, or does not reach the endpoint: check -X; -s allows more time",
    ),
    (
        (_CONNECT, _TLS),
        (
            "(name or service|host)( is)? not known|nodename nor servname|name resolution|getaddrinfo|"
            "no address|name does not resolve|unknown host"
        ),
        "the host name cannot be resolved: check its spelling, and whether the endpoint still exists",
    ),
    (
        (_CONNECT,),
        r"refused|errno (111|61)\b|connect call failed",
        "nothing listens there: check that the server runs, and the port",
    ),
    (
        (_CONNECT,),
        "unreachable|no route",
        "no route to the host: check the network, a VPN, or the address",
    ),
    (
        (_CONNECT, _TRANSPORT),
        r"too many open files|errno 24\b",
        "this machine allows no more open connections: raise ulimit -n, or lower the concurrency",
    ),
    (
        (_CONNECT,),
        r"cannot assign requested address|address already in use|errno 99\b",
        "this machine has no local port left: keep connections alive, or lower the rate",
    ),
    ((_CONNECT,), "no such file", "there is no such Unix socket: check its path, and that the server runs"),
    ((_CONNECT,), "permission denied", "this user may not open the socket: check its permissions"),
    (
        (_CONNECT, Failure.TIMEOUT),
        r"connect.* timed? ?out|timed out.*connect|errno 110\b",
        "the host does not answer: check the address and a firewall; -s allows more time",
    ),
    (
        (_TLS,),
        "certificate has expired",
        "the server's certificate has expired: renew it, or trust it all the same with --insecure",
    ),
    (
        (_TLS,),
        "not yet valid",
        "the server's certificate is not valid yet: check this machine's clock, or use --insecure",
    ),
    (
        (_TLS,),
        "mismatch|not valid for|doesn't match",
        "the server's certificate is for another name: check the URL's host, or use --insecure",
    ),
    (
        (_TLS,),
        "self.signed|unable to get (local )?issuer|unable to verify|verify failed",
        "the server's certificate is signed by an unknown authority: name it with --cacert, or use --insecure",
    ),
    (
        (_TLS, _TRANSPORT),
        "certificate required|bad certificate|handshake failure|no shared cipher",
        "the server requires a client certificate, or has no cipher in common: give -E FILE, or see -Z and -f",
    ),
    (
        (_TRANSPORT,),
        "^content-encoding .* cannot be read",
        "epkit reads gzip and deflate: ask for one of them with -H 'Accept-Encoding: gzip'",
    ),
    ((_TRANSPORT,), r"^(reply body|header block) over", "the reply is larger than epkit accepts: check the URL"),
    ((_TRANSPORT,), "^unfinished replies hold", "too many large replies are in flight at once: lower the concurrency"),
    (
        (_TRANSPORT,),
        r"^not an http reply|^over \d+ interim",
        "the reply breaks HTTP's rules: check the port, which of http:// and https:// it speaks, and any proxy",
    ),
    (
        (Failure.CONTRACT,),
        "^the reply is a page of HTML",
        (
            "the reply breaks the contract: a sign-in page or a gateway answers in place of the endpoint: check the "
            "URL, the key, and any proxy or VPN"
        ),
    ),
    (
        (Failure.CONTRACT,),
        "^no list of predictions ",
        (
            "if the reply has predictions, name their place with --predictions-at POINTER; if it has none, bench "
            "--check status looks at the status alone"
        ),
    ),
    (
        (Failure.EMPTY,),
        "^202, accepted for later",
        "the endpoint scores later, in a job of its own: use the URI of an endpoint that answers at once",
    ),
    (
        (_TLS, _TRANSPORT),
        "wrong version number|record.layer|http.request|unknown protocol|packet length too long",
        "the port does not speak TLS: try http:// in the URL",
    ),
)

_KINDS: Final[Mapping[Failure, str]] = {
    Failure.CONNECT: "no connection: check the host, the port, and that the server runs",
    Failure.TLS: "the TLS handshake failed: check the port, --cacert and -E; or use --insecure",
    Failure.TIMEOUT: "no complete reply in time: allow more with -s, or send fewer rows a request",
    Failure.TRANSPORT: (
        "the connection broke before the reply was complete: check the server's log, "
        "and which of http:// and https:// the port speaks"
    ),
    Failure.STATUS: "the status is not 2xx",
    Failure.EMPTY: "the reply is empty: the scoring script returned nothing",
    Failure.APPLICATION: "the reply is an error, whatever its status: check the body with epkit validate",
    Failure.CONTRACT: "the reply breaks the contract",
    Failure.MISMATCH: "the reply does not have one prediction for each row sent, or not the expected predictions",
}


def advise(
    status: int,
    headers: Mapping[str, str],
    body: str,
    *,
    key_sent: bool,
    secrets: Iterable[Secret] = (),
    quote: bool = True,
) -> str:
    """Return one line that says what a reply that is not a success means, and what to do; it begins with the status.

    Args:
        headers, body, key_sent, secrets: as for `explain`.
        quote: whether the line ends with the server's own text.

    Returns:
        `401: the key is wrong, …: … (the server says: …)`, without control characters.
    """
    secrets = tuple(secrets)
    line = f"{status}: {explain(status, headers, body, key_sent=key_sent, secrets=secrets)}"
    said = detail(body, secrets) if quote else ""
    return f"{line} (the server says: {said})" if said else line


def explain(
    status: int, headers: Mapping[str, str], body: str, *, key_sent: bool, secrets: Iterable[Secret] = ()
) -> str:
    """Return what a reply that is not a success means, and what to do, without the status and the server's text.

    Args:
        headers: of the reply, names in upper or lower case.
        body: of the reply, as text.
        key_sent: whether the request had an Authorization header.
        secrets: the secrets in the request; a reply that echoes them does not bring them into the message.

    Source: Microsoft's pages on the status codes of managed endpoints and ACI; replies of the real inference server.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    line = _meaning(status, lowered, body, key_sent)
    for name, words in _MODEL_ERROR:
        if lowered.get(name):
            line += f"; {words}: {clean(lowered[name])}"
    return mask_text(line, secrets)


def advise_failure(kind: Failure, words: str, secrets: Iterable[Secret] = (), *, quote: bool = True) -> str:
    """Return one line that says why a request got no usable reply, and what to do.

    Args:
        kind: other than NONE.
        words: the text of the engine or the operating system, may be empty.
        secrets: never shown, even if *words* contain them.
        quote: whether the line ends with *words*.
    """
    heard = words[:_HEARD]
    rows = (advice for kinds, pattern, advice in _FAILURES if kind in kinds and re.search(pattern, heard, re.I))
    advice = next(rows, _KINDS[kind])
    said = clean(mask_text(words, secrets), DETAIL_LIMIT)
    return f"{advice} ({said})" if said and quote else advice


def detail(body: str, secrets: Iterable[Secret] = ()) -> str:
    """Extract the server's own text from an error reply.

    Args:
        body: JSON with an error or a message, encoded once or twice; an HTML page; or plain text.
        secrets: masked if the reply echoes them.

    Returns:
        One line of at most `DETAIL_LIMIT` characters, without control characters; empty if there is no text.
    """
    text = body.removeprefix("\ufeff").strip()
    words = None
    if text.startswith(("{", "[", '"')) and len(text) <= _PARSE_LIMIT:
        words = _from_json(text)
    elif text.startswith("<"):
        page = cut(text, _PAGE_LIMIT)
        words = title_of(page) or html.unescape(re.sub(r"<[^<>]*>", " ", page)).strip()
    first_line = cut((text if words is None else words).strip().partition("\n")[0], 20 * DETAIL_LIMIT)
    return clean(mask_text(first_line, secrets), DETAIL_LIMIT)


def said(headers: Mapping[str, str], body: str, secrets: Iterable[Secret] = ()) -> str:
    """Extract the server's own text from an error reply, and the model's error from its headers.

    Args:
        headers: of the reply, names in lower case.
        body, secrets: as for `detail`.
    """
    model = [clean(mask_text(f"{words} {headers[name]}", secrets)) for name, words in _MODEL_ERROR if headers.get(name)]
    return "; ".join([*model, *filter(None, [detail(body, secrets)])])


def _meaning(status: int, headers: Mapping[str, str], body: str, key_sent: bool) -> str:
    if 300 <= status < 400:
        location = headers.get("location")
        use = clean(mask_url(location)) if location else "the address that it leads to"
        return f"a redirect, which is not followed, because the key is sent to this origin only: use {use} as the URI"
    if not key_sent and refuses_key(status, body):
        return f"the endpoint requires a key, and none was sent: {_WHERE_KEYS_GO}"
    if _malformed(status, body) or "key_auth_bad_header" in body:
        return f"the key was not understood: Authorization has to be 'Bearer KEY'; {_WHERE_KEYS_GO}"
    if wants_tls(status, body):
        return "the port speaks TLS: use https:// in the URL"
    wait = clean(headers.get("retry-after", ""), 40) if status in (429, 503) else ""
    seconds = " s" if wait.isdigit() else ""
    return _by_status(status) + (f"; it asks to wait {wait}{seconds}" if wait else "")


def refuses_key(status: int, body: str) -> bool:
    """Tell whether a reply is about the key: it is missing, malformed, or wrong."""
    return status in (401, 403) or _malformed(status, body)


def wants_tls(status: int, body: str) -> bool:
    """Tell whether the reply means that the port only speaks TLS."""
    return status == 400 and _TLS_PORT.search(body) is not None


def _malformed(status: int, body: str) -> bool:
    return status == 400 and "authorization" in body.lower()


def _by_status(status: int) -> str:
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return "the endpoint refuses the request"
    if 500 <= status < 600:
        return "the endpoint failed: its log says why"
    return "a scoring endpoint does not answer like this: check the URI"


def _from_json(text: str) -> str | None:
    """Return the text of an error document; None if *text* is not JSON."""
    try:
        value = json.loads(text)
        # AutoML's scripts return JSON in a JSON string.
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            value = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return _words(value, 0) or cut(json.dumps(value, ensure_ascii=False), 2 * DETAIL_LIMIT)


def _words(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and depth < 5:
        return _words(value[0], depth + 1)
    if not isinstance(value, dict) or depth == 5:
        return ""
    fields = {str(name).lower(): below for name, below in value.items()}
    for name in _FIELDS:
        found = _words(fields.get(name), depth + 1)
        if found:
            return found
    return ""
