"""The contract of a target: from a file, from another URL, or from the target, over the same route as the load."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract
from epkit.core.http import url as urls
from epkit.core.http.url import Url
from epkit.files import contracts
from epkit.flows.context import Context
from epkit.flows.target.client import Client, open_client, wait_for
from epkit.flows.target.discovery import body_of, discover
from epkit.flows.target.request_options import TargetOptions


def find(schema: str | None, client: Client, *, path: str | None = None) -> ParsedContract:
    """Load the contract that the user named, otherwise the target's own; see `read`.

    Args:
        path: the path of the scoring operation, if the contract leaves it open.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    document, name = read(schema, client, path=path)
    return contracts.parsed(document, name, path=path, at=client.target.uri.path)


def find_at(url: str, options: TargetOptions, context: Context, *, path: str | None = None) -> ParsedContract:
    """Load the contract at a URL without a target: key file, headers and certificates apply to the URL's origin.

    EPKIT_KEY does not, because it is the key of a target.

    Raises:
        UnreachableError, EndpointError, UsageError: as `read`.
    """
    environ = {name: value for name, value in context.environ.items() if name != "EPKIT_KEY"}
    with open_client(replace(options, target=url), replace(context, environ=environ), "the contract") as client:
        return contracts.parsed(*read(url, client), path=path)


def read(schema: str | None, client: Client, *, path: str | None = None) -> tuple[Any, str]:
    """Read the document of a contract: the one that the user named, or the target's own.

    Args:
        path: the path of the scoring operation, if the user named it.

    Returns:
        The decoded document, and the name of its source.

    Raises:
        UnreachableError: there is no connection to the source.
        EndpointError: the source replies, but not with a document.
        UsageError: a file cannot be read, or is neither JSON nor YAML.
    """
    source: str | Path | Url | None = client.target.contract if schema is None else schema
    if source is None:
        return wait_for(discover(client.target, client.fetch, named=path))
    if isinstance(source, str) and urls.is_url(source):
        source = urls.parse(source)
    if not isinstance(source, Url):
        return contracts.read(source)
    body = body_of(wait_for(client.fetch(source)), source.shown, client.target.secrets)
    return documents.decode(body, name=source.shown), source.shown
