"""The docs server as an ASGI application: the page, its assets, the contract, and a route to the target.

Theory of operation. Every request first passes the gate (`epkit.core.docs.doors`). All that is served is in memory: the
page of this package, Swagger UI of another package, and the rewritten contract. A request for a path below `/_target`
goes to `forward` if the contract has the path; `forward` adds the key. So the browser never has the key. It never
contacts another origin: the content security policy ensures this.
"""

import html
import importlib.util
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epkit.core.docs.doors import Doors, refusal
from epkit.core.docs.page_contract import PREFIX, Routes, rewrite
from epkit.core.docs.relay import Relayed
from epkit.errors import UsageError

MOST_REQUEST_BYTES: Final = 4 << 20

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_RELAYED_CSP: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
_ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_OF_THE_PAGE: Final = {
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_OF_SWAGGER_UI: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_OF_THIS_PACKAGE: Final = {"page.css": "text/css", "page.js": "text/javascript"}

Forward = Callable[[str, str, bytes, str | None], Awaitable[Relayed]]
"""Sends method, path and query, body and Accept to the target; on a failure, returns its own reply with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The content of the page.

    Args:
        title: name of the target or the file, without credentials.
        document: the contract, decoded.
        routes: the requests that may be forwarded; None if there is no target.
        key_note: a sentence for the page about the use of the key.
    """

    title: str
    document: Mapping[str, Any] = field(repr=False)
    routes: Routes | None
    key_note: str


def make_app(page: Page, doors: Doors, forward: Forward) -> ASGIApp:
    """Make the application.

    Raises:
        UsageError: Swagger UI's files are missing.
    """
    routes = [Route("/", _fixed(_html(page), "text/html", _OF_THE_PAGE), methods=["GET"])]
    for name, (content, kind) in _assets().items():
        routes.append(Route(f"/{name}", _fixed(content, kind), methods=["GET"]))
    contract = json.dumps(rewrite(page.document), ensure_ascii=True).encode()
    routes.append(Route("/contract.json", _fixed(contract, "application/json"), methods=["GET"]))
    methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
    routes.append(Route(PREFIX + "{path:path}", _relaying(page, forward), methods=methods))
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return _gated(app, doors)


def _gated(app: ASGIApp, doors: Doors) -> ASGIApp:
    """Refuse requests that must not pass, and add the protecting headers to every answer."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", CSP)
            await send(message)

        refused = refusal(scope["method"], scope["headers"], doors)
        answering = app if refused is None else _says(*refused)
        await answering(scope, receive, protected)

    return gate


def _fixed(
    content: bytes, kind: str, headers: Mapping[str, str] | None = None
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind, headers=headers)

    return answer


def _says(status: int, why: str) -> Response:
    return Response(json.dumps({"error": why}), status, media_type="application/json")


def _relaying(page: Page, forward: Forward) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if page.routes is None:
            return _says(503, "no target is named: end epkit docs and start it again with --target URL")
        path = request.scope["raw_path"].decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        # The decoded path selected the route; here the path is needed as it was sent.
        below = path.removeprefix(PREFIX)
        wanted = page.routes.find(request.method, below, query) if below != path else None
        if wanted is None:
            return _says(404, f"the contract has no {request.method} {below}: nothing else is forwarded")
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_REQUEST_BYTES:
                    return _says(413, f"the body is over {MOST_REQUEST_BYTES:,} bytes: use epkit score")
        except ClientDisconnect:
            return _says(400, "the request was not finished")
        relayed = await forward(request.method, wanted, bytes(body), request.headers.get("accept"))
        # A reply to HEAD, or with some statuses, has no body, and must not get one.
        reply = Response(relayed.body, relayed.status, dict(relayed.headers))
        reply.headers["content-security-policy"] = _RELAYED_CSP
        return reply

    return answer


def _assets() -> dict[str, tuple[bytes, str]]:
    # The package is located but not imported: its import loads Flask.
    found = importlib.util.find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise UsageError('Swagger UI is missing: pip install "epkit[docs]"')
    directory = Path(found.origin).parent / "dist"
    try:
        assets = {name: ((directory / name).read_bytes(), kind) for name, kind in _OF_SWAGGER_UI.items()}
    except OSError as error:
        raise UsageError(
            f"{directory}: Swagger UI cannot be read: {error.strerror}: reinstall flask-swagger-ui"
        ) from None
    own = files("epkit.web")
    return assets | {name: ((own / name).read_bytes(), kind) for name, kind in _OF_THIS_PACKAGE.items()}


def _html(page: Page) -> bytes:
    template = (files("epkit.web") / "page.html").read_text(encoding="utf-8")
    executable = page.routes is not None
    return (
        template.replace("{title}", html.escape(page.title))
        .replace("{note}", html.escape(page.key_note))
        .replace("{executable}", "true" if executable else "false")
        .encode()
    )
