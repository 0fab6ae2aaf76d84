"""The contract of a target: from a file, from elsewhere, or asked for the way the load itself will go."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract
from epkit.core.http import url as urls
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.core.replies import judging
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure, explain
from epkit.errors import EndpointError
from epkit.files import contracts
from epkit.flows.context import Context
from epkit.flows.target.client import Client, SingleRequest, open_client, wait_for
from epkit.flows.target.request_options import TargetOptions
from epkit.flows.target.target import UnreachableError


def find(schema: str | None, client: Client, *, path: str | None = None) -> ParsedContract:
    """Load the contract that the user named, or the target's own, as `read` does.

    Args:
        path: of the scoring operation, where the contract alone does not tell.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    return contracts.parsed(*read(schema, client), path=path)


def find_at(url: str, options: TargetOptions, context: Context, *, path: str | None = None) -> ParsedContract:
    """Load the contract at a URL where there is no target: key file, headers and certificates are for that origin.

    EPKIT_KEY is not, which is the key of a target.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    environ = {name: value for name, value in context.environ.items() if name != "EPKIT_KEY"}
    with open_client(replace(options, target=url), replace(context, environ=environ), "the contract") as client:
        return find(url, client, path=path)


def read(schema: str | None, client: Client) -> tuple[Any, str]:
    """Read the document of a contract: the one that the user named, or the target's own.

    Returns:
        What it decodes to, and the name of its source.

    Raises:
        UnreachableError: there is no connection to where it lies.
        EndpointError: it answers, but not with a document.
        UsageError: a file cannot be read, or is neither JSON nor YAML.
    """
    source: str | Path | Url = client.target.contract if schema is None else schema
    if isinstance(source, str) and urls.is_url(source):
        source = urls.parse(source)
    if not isinstance(source, Url):
        return contracts.read(source)
    body = body_of(wait_for(client.fetch(source)), source.shown, client.target.secrets)
    return documents.decode(body, name=source.shown), source.shown


def body_of(reply: SingleRequest, name: str, secrets: Iterable[Secret]) -> bytes:
    """Take the text of a contract out of a reply.

    Args:
        name: of its source.
        secrets: not shown, whatever the reply says.

    Raises:
        UnreachableError, EndpointError: as `read`.
    """
    if reply.failure:
        kind = UnreachableError if reply.failure in (Failure.CONNECT, Failure.TLS) else EndpointError
        raise kind(f"{name}: {advise_failure(reply.failure, reply.detail, secrets)}")
    if reply.status in (401, 403):
        raise EndpointError(f"{name}: status {reply.status}: the contract asks for a key, or this one is not it")
    if reply.status == 407:
        raise EndpointError(f"{name}: status 407: {explain(407, {}, '', key_sent=False)}")
    if reply.status != 200:
        raise EndpointError(f"{name}: status {reply.status} instead of a contract")
    try:
        return judging.unpack(reply.headers.get("content-encoding", ""), reply.body, whole=True)
    except ValueError as error:
        raise EndpointError(f"{name}: {error}") from None
