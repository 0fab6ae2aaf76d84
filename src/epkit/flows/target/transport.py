"""What carries requests to an endpoint: the engine, and the proxy that they go through."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from epkit.core.http import url as urls
from epkit.engines.base import Engine
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.context import Context
    from epkit.flows.target.request_options import RequestOptions

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")


def engine_name(asked: str | None, *, proxy: bool = False, http2: bool = False, wire_only: str | None = None) -> str:
    """Choose an engine.

    Args:
        asked: its name; None for the wire engine, or the one that can do what is wanted.
        proxy, http2: what is wanted of it.
        wire_only: a flag that only the wire engine knows, where it was given.

    Raises:
        UsageError: there is none that can do all of it.
    """
    needs_httpx = "-X" if proxy else "--http2" if http2 else None
    name = asked or ("httpx" if needs_httpx else "wire")
    if name not in ("wire", "httpx"):
        raise UsageError(f"--engine {name}: not one of wire, httpx")
    if name == "wire" and needs_httpx:
        raise UsageError(f"{needs_httpx} needs --engine httpx")
    if name == "httpx" and wire_only:
        why = f", which {needs_httpx} rules out" if needs_httpx else ""
        raise UsageError(f"{wire_only} needs --engine wire{why}")
    return name


def engine_class(name: str) -> Callable[..., Engine]:
    """Return the engine of a name; only that one is imported."""
    if name == "wire":
        from epkit.engines.wire.wire import WireEngine

        return WireEngine
    from epkit.engines.httpx import HttpxEngine

    return HttpxEngine


def proxy_of(request: "RequestOptions", context: "Context", what: str) -> str | None:
    """Return the URL of the proxy that was asked for as an engine wants it, credentials in it.

    Where none was, and the environment names some, a note says that these are not used.

    Args:
        what: does not go through the environment's proxies.

    Raises:
        UsageError: it is neither `HOST:PORT` nor a URL.
    """
    if request.proxy is None:
        found = [name for name in context.environ if name.lower() in PROXIES and context.environ[name]]
        if found:
            context.note(
                f"the environment's proxies ({', '.join(sorted(found))}) are not used for {what}; -X names one"
            )
        return None
    try:
        url = urls.parse(request.proxy if "://" in request.proxy else f"http://{request.proxy}")
    except UsageError as error:
        raise UsageError(f"-X: {error}") from None
    userinfo = request.proxy_basic
    if userinfo is None and url.userinfo:
        userinfo = url.userinfo.reveal()
    if userinfo is None:
        return url.origin
    user, _, password = userinfo.partition(":")
    scheme, _, authority = url.origin.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{authority}"
