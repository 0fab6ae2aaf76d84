"""The contract for the docs page, and the requests that the page may send to the target through this server.

Swagger UI sends requests to the server that the contract names. Here every request must go to this server, which has
the key. So the names of servers are replaced, and the parts that would ask the reader for a key are left out.
"""

import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from epkit.core.contract import operations
from epkit.core.contract.schemas import Resolver
from epkit.core.http.url import Url
from epkit.errors import UsageError

PREFIX: Final = "/_target"
"""The target's paths are served below this path: the target's own `/` would collide with the page."""

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_FORWARDED: Final = frozenset({"get", "put", "post", "delete", "head", "patch"})

_OF_DOCUMENT: Final = ("host", "schemes", "basePath", "servers", "security", "securityDefinitions", "webhooks")
_OF_OPERATION: Final = ("servers", "security", "schemes", "callbacks")

MAX_TEMPLATES: Final = 2000
"""Greatest number of a contract's paths that can be tried out: each request is compared with all of them."""
MAX_TEMPLATE_CHARACTERS: Final = 2000

# Texts that a server may decode to a slash or a dot, after a gateway has checked the path. Some servers take the text
# after `;` for a parameter of the segment, so `..;` means `..`.
_TRICKS: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)|%2e|%2f|%5c|\\|%25|//|;|%3b", re.IGNORECASE)


def rewrite(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Swagger 2.0 or OpenAPI 3 document in which every operation leads to this server and needs no key."""
    page = {key: value for key, value in document.items() if key not in _OF_DOCUMENT}
    if "swagger" in document:
        page["basePath"] = PREFIX
    else:
        page["servers"] = [{"url": PREFIX}]
    components = page.get("components")
    if isinstance(components, Mapping):
        components = {key: value for key, value in components.items() if key != "securitySchemes"}
        if "pathItems" in components:
            components["pathItems"] = _items(components["pathItems"])
        page["components"] = components
    if "paths" in page:
        page["paths"] = _items(page["paths"])
    return page


def _items(items: Any) -> Any:
    return {name: _item(item) for name, item in items.items()} if isinstance(items, Mapping) else items


def _item(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    kept = {key: value for key, value in item.items() if key not in _OF_OPERATION}
    for method in METHODS:
        if isinstance(kept.get(method), Mapping):
            kept[method] = {key: value for key, value in kept[method].items() if key not in _OF_OPERATION}
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path of the contract, and its place on the target.

    Args:
        segments: segments of the path that a browser sends; each is the texts between its parameters.
        methods: HTTP methods in capitals.
        base: the part before the path.
        uri: the path to request instead; None for base and path.
    """

    segments: tuple[tuple[str, ...], ...]
    methods: frozenset[str]
    base: str
    uri: str | None


class Routes:
    """The pairs of method and path in a contract: only these are forwarded."""

    def __init__(self, document: Mapping[str, Any], uri: Url) -> None:
        """Map a contract's paths to those of the target.

        Args:
            document: a document as for `rewrite`.
            uri: where rows are scored. The operation that scores is there, and the others are next to it. The hosts and
                base paths in the contract are ignored: it is written where the model is built, and is often wrong.
        """
        paths = document.get("paths")
        listed = paths.items() if isinstance(paths, Mapping) else ()
        short = ((name, item) for name, item in listed if len(name) <= MAX_TEMPLATE_CHARACTERS)
        found = {name: _methods(document, item) for name, item in itertools.islice(short, MAX_TEMPLATES)}
        scoring = _scoring(found, uri.path, operations.bases_of(document))
        base = None if scoring is None else operations.base_of(scoring, uri.path)
        base = uri.path.rpartition("/")[0] if base is None else base
        # The target's own query (a signature) is sent only with its own path.
        self._query = None if uri.query is None else uri.query.reveal()
        self._routes = [
            Route(
                segments=_segments(name),
                methods=methods,
                base=base,
                # If the path has a parameter, the page sends its value.
                uri=uri.path if name == scoring and "{" not in name else None,
            )
            for name, methods in found.items()
        ]

    def find(self, method: str, path: str, query: str) -> str | None:
        """Return the path and query to request from the target; None if the contract has no such operation.

        Args:
            method: HTTP method in capitals.
            path: percent-encoded, without `PREFIX`.
            query: percent-encoded, "" for none.
        """
        if _is_tricky(path) or any(c <= " " or c == "\x7f" for c in path + query):
            return None
        segments = path.split("/")
        for route in self._routes:
            if method in route.methods and _matches(route.segments, segments):
                wanted = route.base + path if route.uri is None else route.uri
                asked = [part for part in (self._query if route.uri else None, query) if part]
                return wanted + ("?" + "&".join(asked) if asked else "")
        return None


def _methods(document: Mapping[str, Any], item: object) -> frozenset[str]:
    try:
        resolved, _ = Resolver(document).target(item, "/paths")
    except UsageError:  # the page shows the fault
        return frozenset()
    return frozenset(method.upper() for method in resolved if method in _FORWARDED)


def _scoring(found: Mapping[str, frozenset[str]], path: str, bases: Sequence[str]) -> str | None:
    """Return the contract's path for the target: the one that fits the end of its URI, otherwise the scoring path."""
    posts = [name for name, methods in found.items() if "POST" in methods and name.startswith("/")]
    if ends := operations.find(posts, path, bases):
        return ends[0]
    if "/score" in posts:
        return "/score"
    return posts[0] if len(posts) == 1 else None


def _is_tricky(path: str) -> bool:
    """Tell whether some server may read this path as another one."""
    if not path.isascii() or _TRICKS.search(path):
        return True
    try:
        read = unicodedata.normalize("NFKC", unquote_to_bytes(path).decode())
    except UnicodeDecodeError:  # such as an overlong form of a dot
        return True
    return bool(_TRICKS.search(read)) or read.count("/") != path.count("/") or any(map(_is_control, read))


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char < "\xa0"


def _segments(name: str) -> tuple[tuple[str, ...], ...]:
    return tuple(map(operations.segment, name.split("/")))


def _matches(template: Sequence[tuple[str, ...]], segments: Sequence[str]) -> bool:
    return len(template) == len(segments) and all(map(operations.fits, template, segments))
