"""Requests and replies of the emulated cloud, and the routes between them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that was received.

    Args:
        path: the decoded path, without the query.
        headers: headers; the names are in lower case.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @classmethod
    def of(cls, method: str, host: str, target: str, headers: Mapping[str, str], body: bytes) -> "Request":
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method=method, host=host, path=unquote(parts.path), query=query, headers=headers, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply.

    Args:
        body: bytes are sent unchanged, other values as JSON; None for no body.
        drop: close the connection instead of replying.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def refusal(status: int, code: str, message: str, **headers: str) -> Reply:
    """Return an error in ARM's format."""
    return Reply(status=status, body={"error": {"code": code, "message": message}}, headers=headers)


Handler = Callable[..., "Reply | None"]


class Routes:
    """Handlers by method and path; `{name}` in a path is one segment, `{name*}` any number."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def on(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Add a handler; it is called with the request, and the named segments of the path."""
        escaped = re.escape(path).replace(r"\{", "{").replace(r"\}", "}").replace(r"\*", "*")
        pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", escaped)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        compiled = re.compile(pattern, re.IGNORECASE)

        def add(handler: Handler) -> Handler:
            self._routes.append((method, compiled, handler))
            return handler

        return add

    def answer(self, request: Request) -> Reply | None:
        """Return the reply of the first handler that matches, None if none does."""
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if method == request.method and found:
                return handler(request, **found.groupdict())
        return None
