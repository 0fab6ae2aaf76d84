"""The transport of requests to an endpoint: the engine, and the proxy.

Three functions serve proxies, for every command and every engine. `proxy_of` returns the proxy that the user wants.
`epkit.endpoint.target.to_destination(uri, …, proxy=proxy)` makes it a part of the destination: every engine for this
destination uses the proxy. `epkit.core.http.request.build_for(destination, …)` builds the requests: if the proxy reads
them, they contain the whole URL and the proxy's credentials. `RequestOptions.secrets` yields the values that must be
masked.
"""

from collections.abc import Callable
from typing import Final

from epkit.core.http import url as urls
from epkit.core.http.destination import Proxy
from epkit.core.http.secret import Secret
from epkit.core.near import not_one_of
from epkit.endpoint.keys import basic
from epkit.engines.base import Engine
from epkit.engines.wire.lanes import COMPILED
from epkit.errors import UsageError
from epkit.flows.context import PROXIES, Context
from epkit.flows.target.request_options import RequestOptions

ENGINES: Final = ("wire", "httpx")
REPORTED: Final = (*ENGINES, COMPILED)
"""Names of engines in reports."""


def engine_name(asked: str | None, *, http2: bool = False, wire_only: str | None = None) -> str:
    """Choose an engine.

    Args:
        asked: the name of the engine; None for the wire engine, or for the engine that supports the other options.
        http2: whether the engine must support HTTP/2.
        wire_only: a flag that only the wire engine supports, if the user gave one.

    Raises:
        UsageError: no engine supports all of it.
    """
    name = asked or ("httpx" if http2 else "wire")
    if name not in ENGINES:
        raise not_one_of("--engine", name, ENGINES)
    if name == "wire" and http2:
        raise UsageError("--http2 needs --engine httpx")
    if name == "httpx" and wire_only:
        why = ", which --http2 rules out" if http2 else ""
        raise UsageError(f"{wire_only} needs --engine wire{why}")
    return name


def engine_class(name: str) -> Callable[..., Engine]:
    """Return the engine with this name; the other engine is not imported."""
    if name == "wire":
        from epkit.engines.wire.wire import WireEngine

        return WireEngine
    from epkit.engines.httpx import HttpxEngine

    return HttpxEngine


def proxy_of(request: RequestOptions, context: Context, what: str) -> Proxy | None:
    """Return the proxy that the user asked for, with its credentials.

    Without such a proxy, a note lists the proxies of the environment, because they are not used.

    Args:
        request: the options; only `proxy` and `proxy_basic` are read.
        what: the things that do not use the environment's proxies, for the note.

    Raises:
        UsageError: the proxy is neither `HOST:PORT` nor a URL.
    """
    if request.proxy is None:
        found = [name for name in context.environ if name.lower() in PROXIES and context.environ[name]]
        if found:
            context.note(
                f"the environment's proxies ({', '.join(sorted(found))}) are not used for {what}; -X names one"
            )
        return None
    try:
        url = urls.parse(request.proxy if urls.is_url(request.proxy) else f"http://{request.proxy}")
    except UsageError as error:
        raise UsageError(f"-X: {error}") from None
    if url.unix is not None:
        raise UsageError(f"-X: {url.shown} is a Unix socket: a proxy is HOST:PORT or a URL")
    userinfo = url.userinfo if request.proxy_basic is None else Secret(request.proxy_basic)
    authorization = None if userinfo is None else basic(userinfo).reveal()
    return Proxy(scheme=url.scheme, host=url.host, port=url.port, authorization=authorization)
