"""Tests whether a candidate is the trained model. Only the candidate gets requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.http.masking import clean, mask_text
from epkit.core.http.url import Url
from epkit.core.json.writing import dumps_payload
from epkit.core.pipeline.config import MOST_PROVED, ProveSettings
from epkit.core.pipeline.proving import (
    GoldenRows,
    ProvingPayload,
    asks_probabilities,
    body_of,
    column_fault,
    payloads,
    wrong_answer,
)
from epkit.core.replies import decoding, judging
from epkit.core.replies.declared import declared_place
from epkit.core.replies.finding import find_predictions
from epkit.core.samples.rows import Failure
from epkit.core.shortening import cut
from epkit.core.validate.examples import sample_body
from epkit.core.validate.validation import Validator
from epkit.endpoint.target import contract_url
from epkit.errors import ContractError, EndpointError
from epkit.flows.pipeline.records import CandidateRecord
from epkit.flows.pipeline.sides import Side
from epkit.flows.pipeline.world import StepStopped, World
from epkit.flows.target.client import Client, SingleRequest, wait_for
from epkit.flows.target.discovery import body_of as contract_of


@dataclass(slots=True, kw_only=True)
class Prover:
    """Sends test requests to a candidate.

    Args:
        name: its name in messages.
        most: greatest number of requests.
        go_on: called before each request; raises an error if the user wants to stop.
    """

    name: str
    client: Client
    golden: GoldenRows
    tolerance: float
    most: int
    go_on: Callable[[], None]
    requests: int = 0
    _contract: ParsedContract | None = field(default=None, init=False)
    _validator: Validator | None = field(default=None, init=False)

    def contract(self, columns: list[dict[str, Any]]) -> None:
        """Fetch the contract, and check that it has the columns of the card.

        Raises:
            EndpointError: it cannot be fetched.
            UsageError: it is broken.
            ContractError: it has other columns.
        """
        self._count()
        source = self.client.target.contract or contract_url(self.client.target.uri)
        assert isinstance(source, Url)  # the candidate's own
        body = contract_of(wait_for(self.client.fetch(source)), source.shown, self.client.target.secrets)
        self._contract = parse(documents.decode(body, name=f"{self.name}: the contract"))
        self._validator = Validator(self._contract)
        if fault := column_fault(columns, self._validator.rows):
            raise ContractError(f"{self.name}: {fault}: the script does not belong to this model")

    def sample(self) -> None:
        """Score a body that the contract allows.

        Raises:
            ContractError, EndpointError: the answer does not have one prediction for each row.
        """
        once = self._send(self._sample_body)
        failure, detail = self._judged(once)
        if failure is not Failure.NONE:
            raise ContractError(
                f"{self.name}: a sample of the contract: status {once.status}: {self._said(once, detail)}"
            )

    def answers(self) -> bool:
        """Score the same body again, without counting the request; tell whether it is answered.

        Raises:
            StepStopped: the user stopped it.
        """
        self.go_on()
        try:
            return self._judged(self._post(self._sample_body))[0] is Failure.NONE
        except EndpointError:
            return False

    def rows(self) -> bool:
        """Score the golden rows, and compare the answers with those of the training.

        Returns:
            Whether probabilities were compared too: not for a regression, and not if the contract cannot ask for them.

        Raises:
            ContractError: an answer differs.
            EndpointError: there is no reply.
        """
        if not self.golden.rows:
            return False
        contract, validator = self._known
        assert validator.rows is not None
        path, properties = validator.rows.path, (validator.request or {}).get("properties", {})
        self._compare(body_of(contract.example, path, list(self.golden.rows)), self.golden.answers, "answers")
        asks = asks_probabilities(properties, contract.example)
        if asks is None or self.golden.probabilities is None:
            return False
        body = body_of(contract.example, path, list(self.golden.rows), asks)
        self._compare(body, self.golden.probabilities, "probabilities")
        return True

    def payloads(self, count: int) -> int:
        """Send right and wrong payloads. For each, `validate` and the candidate must agree.

        Args:
            count: greatest number, at most the number of remaining requests.

        Returns:
            How many were sent.

        Raises:
            ContractError: they disagree about a payload.
            EndpointError: there is no reply.
        """
        contract, validator = self._known
        assert validator.rows is not None
        made = payloads(contract.example, validator.rows, self.golden, min(count, self.most - self.requests))
        for payload in made:
            self._judge(payload, validator)
        return len(made)

    def _judge(self, payload: ProvingPayload, validator: Validator) -> None:
        once = self._send(payload.body)
        takes = not judging.judge_status(once.status) and decoding.hidden_error(_decoded(once)) is None
        verdict = validator.check(payload.body, limit=1)
        if takes == verdict.valid:
            return
        if takes:
            raise ContractError(
                f"{self.name}: {payload.name}: it is scored, and the contract forbids it "
                f"({verdict.violations[0].message}): the script or its contract is wrong"
            )
        raise ContractError(
            f"{self.name}: {payload.name}: status {once.status}, and the contract allows it: {self._said(once, '')}"
        )

    def _compare(self, body: Any, expected: tuple[Any, ...], what: str) -> None:
        once = self._send(dumps_payload(body))
        if judging.judge_status(once.status):
            raise ContractError(f"{self.name}: golden rows: status {once.status}: {self._said(once, '')}")
        found = find_predictions(_decoded(once), len(expected), declared_place(self._known[0]))
        values = None if found is None else found.values
        if fault := wrong_answer(expected, values, self.tolerance):
            raise ContractError(
                f"{self.name}: golden rows: {what}: {fault}: it does not give the predictions of the training"
            )

    def _judged(self, once: SingleRequest) -> tuple[Failure, str]:
        """Judge the reply to one row."""
        failure = judging.judge_status(once.status)
        if failure:
            return failure, ""
        return judging.judge_reply(once.head, once.body, 1, place=declared_place(self._known[0]))

    @property
    def _known(self) -> tuple[ParsedContract, Validator]:
        assert self._contract is not None  # the contract comes first
        assert self._validator is not None
        return self._contract, self._validator

    @property
    def _sample_body(self) -> bytes:
        return sample_body(self._known[0], rows=1, seed=0)

    def _send(self, body: bytes) -> SingleRequest:
        """Send a body to the candidate, and count the request.

        Raises:
            EndpointError: there is no reply.
        """
        self._count()
        return self._post(body)

    def _post(self, body: bytes) -> SingleRequest:
        client = self.client
        request = client.request("POST", client.target.uri.request_path, body, content_type="application/json")
        once = wait_for(client.send(request))
        if once.failure:
            raise EndpointError(f"{self.name}: {once.advice(client.target)}")
        return once

    def _count(self) -> None:
        self.go_on()
        self.requests += 1
        assert self.requests <= self.most

    def _said(self, once: SingleRequest, detail: str) -> str:
        return detail or clean(mask_text(cut(once.text, 500), self.client.target.secrets)) or "no reply"


def _decoded(once: SingleRequest) -> Any:
    try:
        return decoding.decode(once.text.encode())
    except ValueError:
        return None


def prover_of(side: Side, record: CandidateRecord, golden: GoldenRows, world: World) -> Prover:
    """Return a prover for a candidate, limited to the requests of one step.

    Raises:
        BackendError: the backend does not have the candidate.
    """

    def go_on() -> None:
        if (signal := world.stopped()) is not None:
            raise StepStopped(signal)

    return Prover(
        name=side.candidate(record).name,
        client=side.client(record),
        golden=golden,
        tolerance=(world.config.prove or ProveSettings()).tolerance,
        most=MOST_PROVED,
        go_on=go_on,
    )
