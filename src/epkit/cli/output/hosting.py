"""The output of `deploy` and `logs` in the requested format."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from epkit.cli import terminal
from epkit.core.hosting.deployments import Endpoint, LoggedRequest, plain
from epkit.core.http.masking import clean
from epkit.flows.hosting.backends import Place
from epkit.flows.hosting.deploy import Created, KeysWritten
from epkit.flows.hosting.logs import FoundRequest
from epkit.reporters.hosting import json as as_json
from epkit.reporters.hosting import text as as_text


def endpoint(shown: Endpoint, format_: str) -> str:
    """Render an endpoint."""
    shown = terminal.masked(shown)
    return as_json.render_endpoint(shown) if format_ == "json" else as_text.render_endpoint(shown)


def endpoints(backend: str, shown: Sequence[Endpoint], format_: str) -> str:
    """Render the endpoints of a backend."""
    render = as_json.render_endpoints if format_ == "json" else as_text.render_endpoints
    return render(backend, terminal.masked(shown))


def plan(backend: str, steps: Sequence[Mapping[str, Any]], format_: str) -> str:
    """Render the steps that would be sent."""
    return (as_json.render_plan if format_ == "json" else as_text.render_plan)(backend, terminal.masked(steps))


def created(made: Created, format_: str) -> str:
    """Render the endpoint that `create` made."""
    made = terminal.masked(made)
    files = {"config": str(made.config), "swagger": _path(made.swagger), "key_file": _path(made.key_file)}
    if format_ == "json":
        return as_json.render_endpoint(made.endpoint, **files, scored=plain(made.scored))
    scored = None
    if made.scored is not None:
        scored = f"a row in {made.scored.ms:.1f} ms: {clean(json.dumps(made.scored.reply, ensure_ascii=False))}"
    return as_text.render_endpoint(made.endpoint, {**files, "scored": scored})


def keys(written: KeysWritten, format_: str) -> str:
    """Render the place of the key, or the keys."""
    file = _path(written.key_file)
    if format_ == "json":
        return as_json.render_keys(written.endpoint, written.backend, file, written.keys)
    return as_text.render_keys(file, written.keys)


def done(place: Place, text: str, format_: str, **more: Any) -> str:
    """Render the confirmation of a change."""
    return as_json.render_done(place.service, place.backend.name, **more) if format_ == "json" else f"{text}\n"


def logs(place: Place, lines: Sequence[str], format_: str) -> str:
    """Render the lines of a log."""
    lines = terminal.masked(lines)
    if format_ == "json":
        return as_json.render_logs(place.service, place.backend.name, lines)
    return "".join(f"{line}\n" for line in lines)


def requests(place: Place, found: Sequence[LoggedRequest], format_: str) -> str:
    """Render the requests in Application Insights."""
    found = terminal.masked(found)
    if format_ == "json":
        return as_json.render_requests(place.service, place.backend.name, found)
    return as_text.render_requests(found)


def found_request(place: Place, found: FoundRequest, format_: str) -> str:
    """Render the records of a request."""
    requests, lines = terminal.masked(found.requests), terminal.masked(found.lines)
    if format_ == "json":
        return as_json.render_found(place.service, place.backend.name, found.id, requests, lines)
    return as_text.render_found(requests, lines)


def _path(path: object) -> str | None:
    return None if path is None else str(path)
