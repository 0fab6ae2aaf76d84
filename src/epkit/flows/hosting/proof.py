"""The proof that an endpoint answers: its contract, and one row scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.hosting.deployments import Endpoint, Order
from epkit.core.http.masking import clean, mask_text
from epkit.core.http.secret import Secret
from epkit.core.replies import decoding, judging
from epkit.core.samples.rows import Failure
from epkit.core.wrapping import count_rows
from epkit.endpoint.asking import Answer, ask
from epkit.errors import EndpointError, UsageError
from epkit.flows.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The row that was scored to see that all is well.

    Args:
        rows: how many, None where the body does not say.
        reply: decoded.
    """

    status: int
    rows: int | None
    ms: float
    reply: Any


def fetch_contract(
    endpoint: Endpoint, deployment: str | None, authorization: Secret | None
) -> tuple[bytes, ParsedContract]:
    """Fetch an endpoint's contract.

    Args:
        deployment: whose contract, where there are several; None for whichever answers.

    Returns:
        The document as it came, and what it says.

    Raises:
        EndpointError: there is none to be had.
        UsageError: it is broken.
    """
    if endpoint.swagger_uri is None:
        raise EndpointError(f"{endpoint.name}: the backend names no contract")
    answer = ask(endpoint.swagger_uri, authorization=authorization, headers=_pinned(endpoint, deployment))
    if answer.status != 200:
        raise EndpointError(f"{endpoint.swagger_uri}: status {answer.status} instead of a contract")
    return answer.body, parse(documents.decode(answer.body, name=endpoint.swagger_uri))


def _pinned(endpoint: Endpoint, deployment: str | None) -> Mapping[str, str]:
    """Name the deployment where there are several: a new one has no traffic yet."""
    many = endpoint.backend == "azureml" and len(endpoint.deployments) > 1
    return {"azureml-model-deployment": deployment} if many and deployment is not None else {}


def score_row(
    endpoint: Endpoint, order: Order, contract: ParsedContract, authorization: Secret | None, context: Context
) -> Scored | None:
    """Score one row.

    Raises:
        EndpointError: it is not answered as it should be.
    """
    from epkit.flows.rows.sample import sample_body

    if contract.example is None:
        context.note("the contract has no example: no row is scored")
        return None
    try:
        body = sample_body(contract, rows=1, seed=0)
    except UsageError as error:
        context.note(f"no row is scored: {error}")
        return None
    assert endpoint.scoring_uri is not None
    answer = ask(
        endpoint.scoring_uri, authorization=authorization, headers=_pinned(endpoint, order.deployment), body=body
    )
    rows = count_rows(documents.decode(body, name="the row"))
    _judge(endpoint, answer, rows, context)
    return Scored(status=answer.status, rows=rows, ms=round(answer.ms, 3), reply=decoding.decode(answer.body))


def _judge(endpoint: Endpoint, answer: Answer, rows: int | None, context: Context) -> None:
    failure, detail = judging.judge_status(answer.status), ""
    if not failure:
        failure, detail = judging.judge_reply(answer.head, answer.body, rows)
    if failure is not Failure.NONE:
        said = detail or clean(mask_text(answer.body[:2000].decode("utf-8", "replace"), context.secrets))
        raise EndpointError(
            f"{endpoint.name}: it is deployed, but a row is not scored: status {answer.status}: {said}; "
            f"epkit logs show {endpoint.name}"
        )
