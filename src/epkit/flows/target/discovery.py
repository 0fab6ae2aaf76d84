"""Finds the contract of a target if the user does not name it: tries the paths where servers publish theirs.

The genuine server publishes it next to the scoring path (though not in every version), FastAPI and LitServe at
`/openapi.json`, and BentoML at `/docs.json`; a server of the Open Inference Protocol describes its model. A contract
from another place must contain the operation of the target, because one origin may host many programs.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from epkit.core.contract import documents, operations
from epkit.core.contract.oip import is_model_contract, model_path
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.core.replies import judging
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure, explain
from epkit.endpoint.target import contract_url
from epkit.errors import EndpointError, UsageError
from epkit.flows.target.client import SingleRequest
from epkit.flows.target.target import NoContractError, Target, UnreachableError

PUBLISHED: Final = ("openapi.json", "docs.json")
"""Names under which servers other than the genuine one publish their contracts."""

_AT_ONCE: Final = (401, 407, 408, 429, 502, 503, 504)
"""Statuses after which other places are not tried: the key is wrong, or the server does not reply now."""

_VERSIONS: Final = re.compile(r"Supported swagger versions: \[([0-9., ]{1,40})\]")
"""Message of the genuine server, if a script's sample has no contract in the default version."""

Fetch = Callable[[Url], Awaitable[SingleRequest]]


async def discover(target: Target, fetch: Fetch, *, named: str | None = None) -> tuple[Any, str]:
    """Find the contract of a target.

    Args:
        fetch: fetches a URL.
        named: the path of the scoring operation, if the user named it: then every document is accepted.

    Returns:
        The decoded document, and its name.

    Raises:
        UnreachableError: there is no connection to the target.
        NoContractError: no place has a contract; the message lists the places and their replies.
        EndpointError: the target does not give its contract now, or not for this key.
    """
    tried: list[str] = []
    pending = list(_places(target.uri))
    first = pending[0]
    while pending:
        place = pending.pop(0)
        try:
            reply = await fetch(place)
        except EndpointError as error:
            if place is first or isinstance(error, UnreachableError):
                raise
            tried.append(f"{place.shown}: redirects to another origin")
            continue
        if reply.failure or reply.status in _AT_ONCE or (place is first and reply.status == 403):
            body_of(reply, place.shown, target.secrets)  # raises
        if reply.status != 200:
            tried.append(f"{place.shown}: status {reply.status}")
            pending[:0] = _other_version(place, reply)
            continue
        body = body_of(reply, place.shown, target.secrets)
        try:
            document = documents.decode(body, name=place.shown)
        except UsageError:
            if place is first and body.lstrip()[:1] == b"{":
                raise  # the target's own contract is broken
            tried.append(f"{place.shown}: status 200, but no contract")
            continue
        own = contract_url(target.uri).path == place.path
        why = _unfit(document, target.uri.path, own=own or named is not None)
        if why is None:
            return document, place.shown
        tried.append(f"{place.shown}: {why}")
    raise NoContractError(f"no contract is found: {', '.join(tried)}")


def body_of(reply: SingleRequest, name: str, secrets: Iterable[Secret]) -> bytes:
    """Return the text of a contract from a reply.

    Args:
        name: the name of the source.
        secrets: masked in messages.

    Raises:
        UnreachableError: there is no connection to the source.
        EndpointError: the reply is not a contract.
    """
    if reply.failure:
        kind = UnreachableError if reply.failure in (Failure.CONNECT, Failure.TLS) else EndpointError
        raise kind(f"{name}: {advise_failure(reply.failure, reply.detail, secrets)}")
    if reply.status in (401, 403):
        raise EndpointError(f"{name}: status {reply.status}: the contract needs a key, or the key sent is wrong")
    if reply.status == 407:
        raise EndpointError(f"{name}: status 407: {explain(407, {}, '', key_sent=False)}")
    if reply.status != 200:
        raise EndpointError(f"{name}: status {reply.status} instead of a contract")
    try:
        return judging.unpack(reply.headers.get("content-encoding", ""), reply.body, whole=True)
    except ValueError as error:
        raise EndpointError(f"{name}: {error}") from None


def _places(uri: Url) -> Iterator[Url]:
    """Yield the URLs to try, the most likely first: next to the target's path, then at the origin's root."""
    if (model := model_path(uri.path)) is not None:
        yield replace(uri, path=model, query=None)
    own = contract_url(uri)
    siblings = (own, *(uri.sibling(name) for name in PUBLISHED))
    root = (replace(uri, path=f"/{name}", query=None) for name in (own.path.rpartition("/")[2], *PUBLISHED))
    yield from dict.fromkeys((*(siblings if model is None else ()), *root))


def _other_version(place: Url, reply: SingleRequest) -> Iterator[Url]:
    """Yield the URL of a contract in a version that the genuine server supports, if its reply lists versions."""
    found = _VERSIONS.search(reply.text) if reply.status == 404 and place.query is None else None
    if found is not None:
        versions = found[1].replace(" ", "").split(",")
        yield replace(place, query=Secret(f"version={'3' if '3' in versions else versions[-1]}"))


def _unfit(document: object, path: str, *, own: bool) -> str | None:
    """Return why a document is not the contract of a target; None if it is.

    Args:
        path: the target's path.
        own: whether the document is certainly the target's; then its paths do not matter.
    """
    if not isinstance(document, Mapping) or not {"swagger", "openapi"} & document.keys():
        return "status 200, but no contract"
    if own or is_model_contract(document):
        return None
    listed = document.get("paths")
    items = listed.items() if isinstance(listed, Mapping) else ()
    posts = [name for name, item in items if isinstance(item, Mapping) and {"post", "$ref"} & item.keys()]
    if operations.find(posts, path, operations.bases_of(document)):
        return None
    return f"status 200, but a contract without POST {path}"
