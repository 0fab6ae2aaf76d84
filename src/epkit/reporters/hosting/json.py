"""The output of `epkit deploy` and `epkit logs` as JSON: one document each."""

from collections.abc import Mapping, Sequence
from typing import Any

from epkit.core.hosting.deployments import Endpoint, Keys, LoggedRequest, plain
from epkit.core.json import writing


def render_endpoint(endpoint: Endpoint, **more: Any) -> str:
    """Write an endpoint, and further values."""
    return _document("epkit.endpoint/1", endpoint=plain(endpoint), **more)


def render_endpoints(backend: str, endpoints: Sequence[Endpoint]) -> str:
    """Write all endpoints of a backend."""
    return _document("epkit.endpoints/1", backend=backend, endpoints=plain(endpoints))


def render_plan(backend: str, steps: Sequence[Mapping[str, Any]]) -> str:
    """Write the requests that would be sent."""
    return _document("epkit.plan/1", backend=backend, steps=plain(steps))


def render_keys(endpoint: str, backend: str, key_file: str | None, keys: Keys | None) -> str:
    """Write where the key is; the keys themselves only if they are given, because the user requested them."""
    shown = None if keys is None else {"primary": keys.primary.reveal(), "secondary": keys.secondary.reveal()}
    return _document("epkit.keys/1", endpoint=endpoint, backend=backend, key_file=key_file, keys=shown)


def render_done(endpoint: str, backend: str, **more: Any) -> str:
    """Write that an action is done."""
    return _document("epkit.done/1", endpoint=endpoint, backend=backend, **more)


def render_logs(endpoint: str, backend: str, lines: Sequence[str]) -> str:
    """Write the lines of a log."""
    return _document("epkit.logs/1", endpoint=endpoint, backend=backend, lines=list(lines))


def render_requests(endpoint: str, backend: str, requests: Sequence[LoggedRequest]) -> str:
    """Write the requests in Application Insights."""
    return _document("epkit.requests/1", endpoint=endpoint, backend=backend, requests=plain(requests))


def render_found(
    endpoint: str, backend: str, request_id: str, requests: Sequence[LoggedRequest], lines: Sequence[str]
) -> str:
    """Write what the records contain about a request."""
    return _document(
        "epkit.request/1",
        endpoint=endpoint,
        backend=backend,
        id=request_id,
        requests=plain(requests),
        lines=list(lines),
    )


def _document(format_: str, **content: Any) -> str:
    return writing.document({"format": format_, **content}, allow_nan=True)
