"""The output of `epkit deploy` and `epkit logs` as text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epkit.core.hosting.deployments import Deployment, Endpoint, Keys, LoggedRequest
from epkit.core.http.masking import clean

WORDS = {True: "on", False: "off", None: "?"}


def render_endpoint(endpoint: Endpoint, more: Mapping[str, str | None] | None = None) -> str:
    """Write an endpoint, one fact per line, then its deployments.

    Args:
        more: further lines, by the word at their beginning; a line with None is left out.
    """
    facts: dict[str, str | None] = {
        "state": endpoint.state + (f": {clean(endpoint.error)}" if endpoint.error else ""),
        "backend": endpoint.backend + (f", {endpoint.compute}" if endpoint.compute else ""),
        "workspace": endpoint.workspace,
        "score": endpoint.scoring_uri,
        "contract": endpoint.swagger_uri,
        "auth": endpoint.auth,
        "insights": WORDS[endpoint.app_insights],
        "created": endpoint.created_at,
    }
    lines = [endpoint.name, *(f"  {word:<10}{fact}" for word, fact in {**facts, **(more or {})}.items() if fact)]
    if endpoint.deployments:
        rows = [
            (
                *(each.name, f"{each.traffic} %", each.state, each.instance_type or "", WORDS[each.app_insights]),
                " from ".join(part for part in (_copy(each), each.model) if part),
            )
            for each in endpoint.deployments
        ]
        head = ("deployment", "traffic", "state", "instance", "insights", "model")
        lines += [f"  {line}" for line in _table(head, rows)]
    return _text(lines)


def render_endpoints(backend: str, endpoints: Sequence[Endpoint]) -> str:
    """Write all endpoints of a backend, one per line."""
    if not endpoints:
        return f"no endpoints ({backend})\n"
    rows = [
        (
            *(each.name, each.state, WORDS[each.app_insights], each.scoring_uri or ""),
            ", ".join(filter(None, map(_copy, each.deployments))),
        )
        for each in endpoints
    ]
    return _text(_table(("name", "state", "insights", "score", "model"), rows))


def render_plan(backend: str, steps: Sequence[Mapping[str, Any]]) -> str:
    """Write the requests that would be sent, one step per paragraph."""
    lines = [f"nothing is sent; {backend} would:"]
    for number, step in enumerate(steps, 1):
        lines.append(f"{number}. {step['step']}")
        for key, value in step.items():
            if key != "step":
                lines.append(f"   {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return _text(lines)


def render_keys(key_file: str | None, keys: Keys | None) -> str:
    """Write where the key is; the keys themselves only if they are given, because the user requested them."""
    lines = [] if key_file is None else [f"the primary key is in {key_file}"]
    if keys is not None:
        lines += [f"primary    {keys.primary.reveal()}", f"secondary  {keys.secondary.reveal()}"]
    return _text(lines)


def render_requests(requests: Sequence[LoggedRequest]) -> str:
    """Write requests, one per line: time, status, duration."""
    rows = [(each.time, str(each.status), f"{each.duration_ms:g} ms", each.name, each.request_id) for each in requests]
    return _text(_table(("time", "status", "duration", "path", "request id"), rows))


def render_found(requests: Sequence[LoggedRequest], lines: Sequence[str]) -> str:
    """Write what the records contain about a request, then the lines of the log that name it."""
    return "\n".join(part for part in (render_requests(requests) if requests else "", _text(lines)) if part)


def _copy(deployment: Deployment) -> str:
    """Name the copy of a model that is served: the first digits of its hash, and the time when it was made."""
    return " ".join(part for part in ((deployment.model_sha256 or "")[:12], deployment.model_at) if part)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    every = [tuple(head), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
