"""The contract of a target: from a file, from elsewhere, or asked for the way the load itself will go."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.http import url
from epkit.core.http.destination import Destination
from epkit.core.http.headers import fields
from epkit.core.http.request import build_for
from epkit.core.http.url import Url
from epkit.core.replies import judging
from epkit.core.samples.rows import Failure
from epkit.engines.base import Engine
from epkit.engines.wire.tls import make_context
from epkit.errors import EndpointError, UsageError
from epkit.files import contracts
from epkit.flows.target.client import SingleRequest
from epkit.flows.target.target import Target
from epkit.flows.target.unreachable import UnreachableError

PATIENCE_S: Final = 10.0


def find(
    schema: str | None,
    target: Target,
    destination: Destination,
    make_engine: Callable[..., Engine],
    agent: str,
    *,
    path: str | None = None,
) -> ParsedContract:
    """Load the contract that the user named, or the target's own, as `read` does.

    Args:
        path: of the scoring operation, where the contract alone does not tell.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    document, name = read(schema, target, destination, make_engine, agent)
    try:
        return parse(document, path=path)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def read(
    schema: str | None, target: Target, destination: Destination, make_engine: Callable[..., Engine], agent: str
) -> tuple[Any, str]:
    """Read the document of a contract: the one that the user named, or the target's own.

    What lies on the target's own origin is asked for as the load is sent: through the same proxy, socket and
    certificates, with the key. Anything else gets no key, and no client's certificate.

    Args:
        agent: of the User-Agent header.

    Returns:
        What it decodes to, and the name of its source.

    Raises:
        UnreachableError: there is no connection to the target's origin.
        EndpointError: it answers, but not with a document.
        UsageError: a file cannot be read, or is neither JSON nor YAML.
    """
    source: str | Path | Url = target.contract if schema is None else schema
    if isinstance(source, str) and url.is_url(source):
        source = url.parse(source)
    patience_s = min(PATIENCE_S, target.spec.timeout_s)
    if not isinstance(source, Url):
        return contracts.read(source)
    if not url.same_origin(source, target.uri):
        tls = replace(destination.tls, client_cert=None, server_name=source.host)
        return contracts.read(source.reveal(), timeout_s=patience_s, verify=make_context(tls))
    headers = [("User-Agent", agent), ("Accept", "*/*"), *target.contract_headers(source).items()]
    once = SingleRequest(build_for(destination, "GET", source.request_path, headers, b""))
    engine = make_engine(destination, timeout_ns=round(patience_s * 1e9), keepalive=False)
    try:
        asyncio.run(engine.run(once, 1))
    except EndpointError as error:  # the host has no address
        raise UnreachableError(str(error)) from None
    return document_in(once, source.shown), source.shown


def document_in(reply: SingleRequest, name: str) -> Any:
    """Take the document of a contract out of a reply.

    Args:
        name: of its source.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    if reply.failure in (Failure.CONNECT, Failure.TLS):
        raise UnreachableError(f"{name}: {reply.detail}")
    if reply.failure:
        raise EndpointError(f"{name}: {reply.detail}")
    if reply.status in (401, 403):
        raise EndpointError(f"{name}: status {reply.status}: the contract asks for a key, or this one is not it")
    if reply.status != 200:
        raise EndpointError(f"{name}: status {reply.status} instead of a contract")
    try:
        body = judging.unpack(fields(reply.head).get("content-encoding", ""), reply.body)
    except ValueError as error:
        raise EndpointError(f"{name}: {error}") from None
    return documents.decode(body, name=name)
