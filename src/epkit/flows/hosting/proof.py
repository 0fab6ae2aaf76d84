"""The proof that an endpoint works: its contract, and one scored row."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.hosting.deployments import Endpoint
from epkit.core.http import url as urls
from epkit.core.http.destination import Proxy
from epkit.core.http.masking import clean, mask_text
from epkit.core.http.secret import Secret
from epkit.core.replies import decoding, judging
from epkit.core.replies.declared import declared_place
from epkit.core.replies.finding import ReplyPlace
from epkit.core.samples.rows import Failure
from epkit.core.shapes.bodies import count_rows
from epkit.core.shortening import cut
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.keys import Key
from epkit.engines.wire.tls import make_context
from epkit.errors import EndpointError, UsageError
from epkit.flows.context import Context
from epkit.flows.target.client import Client, SingleRequest, check_options, client_for, wait_for
from epkit.flows.target.discovery import body_of
from epkit.flows.target.request_options import TargetOptions
from epkit.flows.target.target import Target
from epkit.flows.target.transport import proxy_of
from epkit.flows.target.unlocking import unlocked

REFUSING: Final = frozenset({401, 403, 407})
"""Statuses of servers that refuse a request; other statuses below 500 are replies of the endpoint."""


class UnansweredError(EndpointError):
    """An endpoint does not reply to a request for its contract, or replies with a failure or a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The row that was scored as a test.

    Args:
        rows: the number of rows; None if the body leaves it open.
        reply: the decoded reply.
    """

    status: int
    rows: int | None
    ms: float
    reply: Any


def check_flags(reach: TargetOptions, context: Context, *, local: bool) -> Proxy | None:
    """Refuse flags that cannot be used, before anything is deployed.

    Args:
        reach: trust, proxy and timeout.
        local: whether the endpoint runs on this machine; then the environment's proxies do not matter.

    Returns:
        The proxy.

    Raises:
        UsageError: the timeout or the proxy is invalid; a certificate file is missing or unusable.
    """
    context.know(reach.request.secrets())
    check_options(reach)
    make_context(unlocked(reach.tls, context))
    return proxy_of(reach.request, replace(context, environ={}) if local else context, "the endpoint")


def client_to(
    endpoint: Endpoint,
    authorization: Secret | None,
    context: Context,
    *,
    reach: TargetOptions,
    proxy: Proxy | None,
    deployment: str | None = None,
) -> Client:
    """Make the client of an endpoint.

    Args:
        authorization: the whole value of the header.
        reach, proxy: the argument of `check_flags`, and its result.
        deployment: the deployment that gets the requests, if there are several; None means any.

    Raises:
        EndpointError: the backend gives no address.
    """
    address = endpoint.scoring_uri or endpoint.swagger_uri
    if address is None:
        raise EndpointError(f"{endpoint.name}: the backend names no address")
    uri = urls.parse(address)
    # A new deployment has no traffic yet, so requests name it if there are several.
    many = endpoint.backend == "azureml" and len(endpoint.deployments) > 1
    target = Target(
        spec=TargetSpec(uri=uri, deployment=deployment if many else None),
        uri=uri,
        key=Key(authorization=authorization, source="the backend"),
        contract=uri.sibling("swagger.json") if endpoint.swagger_uri is None else urls.parse(endpoint.swagger_uri),
        secrets=context.secrets,
    )
    return client_for(target, replace(reach, tls=unlocked(reach.tls, context)), proxy=proxy)


def fetch_contract(endpoint: Endpoint, client: Client) -> tuple[bytes, ParsedContract]:
    """Fetch an endpoint's contract.

    Returns:
        The document as it was received, and the parsed contract.

    Raises:
        UnansweredError: there is no reply, or a server or proxy fails or refuses.
        EndpointError: the endpoint has no contract.
        UsageError: the contract is broken.
    """
    if endpoint.swagger_uri is None:
        raise EndpointError(f"{endpoint.name}: the backend names no contract")
    source = urls.parse(endpoint.swagger_uri)
    reply = wait_for(client.fetch(source))
    try:
        body = body_of(reply, source.shown, client.target.secrets)
    except EndpointError as error:
        if reply.failure or reply.status >= 500 or reply.status in REFUSING:
            raise UnansweredError(str(error)) from None
        raise
    return body, parse(documents.decode(body, name=source.shown))


def score_row(endpoint: Endpoint, contract: ParsedContract, client: Client, context: Context) -> Scored | None:
    """Score one row.

    Raises:
        EndpointError: the reply is a failure, or not valid.
    """
    from epkit.core.validate.examples import sample_body

    if contract.example is None:
        context.note("the contract has no example: no row is scored")
        return None
    try:
        body = sample_body(contract, rows=1, seed=0)
    except UsageError as error:
        context.note(f"no row is scored: {error}")
        return None
    request = client.request("POST", client.target.uri.request_path, body, content_type="application/json")
    once = wait_for(client.send(request))
    rows = count_rows(documents.decode(body, name="the row"))
    _judge(endpoint, once, rows, client, declared_place(contract))
    reply: object = once.text
    with contextlib.suppress(ValueError):  # not every model replies in JSON
        reply = decoding.decode(once.text.encode())
    return Scored(status=once.status, rows=rows, ms=round(once.took_ns / 1e6, 3), reply=reply)


def _judge(endpoint: Endpoint, once: SingleRequest, rows: int | None, client: Client, place: ReplyPlace | None) -> None:
    unscored = f"{endpoint.name}: it is deployed, but a row is not scored"
    if once.failure:
        raise EndpointError(f"{unscored}: {once.advice(client.target)}")
    failure, detail = judging.judge_status(once.status), ""
    if not failure:
        failure, detail = judging.judge_reply(once.head, once.body, rows, place=place)
    if failure is not Failure.NONE:
        said = detail or clean(mask_text(cut(once.text, 2000), client.target.secrets))
        raise EndpointError(f"{unscored}: status {once.status}: {said}; epkit logs show {endpoint.name}")
