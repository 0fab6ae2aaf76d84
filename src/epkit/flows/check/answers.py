"""The steps of a check that judge replies: key, contract, a scored row, its reply, the clock, headers.

Requests that are sent anyway show whether the key is accepted: the contract and the scored row. An endpoint has no
request for the key only. So these two requests are sent before the verdict on the key.
"""

import json
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract
from epkit.core.contract.oip import is_model_contract
from epkit.core.http.masking import clean
from epkit.core.http.payload import Payload
from epkit.core.http.url import Url
from epkit.core.replies.decoding import decode
from epkit.core.replies.finding import ReplyPlace
from epkit.core.replies.judging import judge_reply, judge_status
from epkit.core.samples.rows import Failure
from epkit.core.shapes.bodies import count_rows
from epkit.core.validate.checked import in_words
from epkit.core.validate.examples import sample_body
from epkit.core.validate.reply_validation import ReplyValidator
from epkit.core.validate.validation import Validator
from epkit.endpoint.advice import advise_failure, refuses_key
from epkit.errors import EpkitError, UsageError
from epkit.files import contracts
from epkit.flows.check.session import Found, Session, Unwell
from epkit.flows.target.client import SingleRequest
from epkit.flows.target.discovery import body_of, discover
from epkit.flows.target.requests import reply_place
from epkit.flows.target.target import UnreachableError

SKEW_S: Final = 60.0
"""Greatest difference of clocks; beyond it, servers may take tokens for expired or not yet valid."""

_MEND: Final = "correct the contract at that place, or name another with --schema FILE|URL"
_NAME: Final = "name the contract with --schema FILE|URL, or with swagger in epkit.toml"
_INFORMATIVE: Final = (
    *("server", "x-ms-server-version", "azureml-model-deployment", "azureml-model-group"),
    *("x-ms-run-fn-exec-ms", "ms-azureml-model-time", "x-ms-run-function-failed"),
)


class Answers:
    """Judges the replies of an endpoint."""

    def __init__(
        self, session: Session, source: Path | Url | None, document: Any, payload: Payload | None, path: str | None
    ) -> None:
        """Prepare the steps.

        Args:
            source: the place of the contract; None if it has to be found.
            document: the decoded contract, if it is a file.
            payload: a body to score instead of the contract's example.
            path: the path of the contract's scoring operation.
        """
        self._session = session
        self._source, self._document, self._path = source, document, path
        self._given = payload is not None
        self._payload = payload
        self._fetched: SingleRequest | None = None
        self._scored: SingleRequest | None = None
        self._contract: ParsedContract | EpkitError | None = None
        self._validator: Validator | None = None
        self._fetch_ms = 0.0

    async def key(self) -> Found:
        """Judge whether the key is accepted."""
        await self._fetch()
        await self._score()
        asked = (self._scored, self._fetched, self._session.health)
        answer = next((once for once in asked if once is not None and not once.failure), None)
        ms = None if answer is None else answer.took_ns / 1e6
        if answer is not None and refuses_key(answer.status, answer.text):
            raise Unwell(f"{answer.status} {self._session.words(answer)}", self._session.advice(answer))
        if not self._session.sends_key:
            return Found("none is sent, and none was asked for", ms=ms)
        source = self._session.target.key.source or "the embedded endpoint itself"
        if self._scored is None or self._scored.failure:
            return Found(f"from {source}: not refused so far", ms=ms)
        return Found(f"accepted, from {source}", ms=ms)

    async def _fetch(self) -> None:
        """Fetch the contract, or keep the reason why there is none."""
        began = time.perf_counter()
        target = self._session.target
        try:
            if self._source is None:
                document, name = await discover(target, self._ask, named=self._path)
            elif isinstance(self._source, Url):
                name = self._source.shown
                body = body_of(await self._ask(self._source), name, target.secrets)
                document = documents.decode(body, name=name)
            else:
                document, name = self._document, str(self._source)
            self._contract = contracts.parsed(document, name, path=self._path, at=target.uri.path)
        except EpkitError as error:
            self._contract = error
        self._fetch_ms = (time.perf_counter() - began) * 1e3

    async def _ask(self, source: Url) -> SingleRequest:
        """Fetch a URL. The first reply is kept for the verdict on the key; a failure or a status 200 replaces it."""
        reply = await self._session.fetch(source)
        if self._fetched is None or reply.failure or reply.status == 200:
            self._fetched = reply
        if reply.failure:
            raise UnreachableError(f"{source.shown}: {reply.detail}")  # the step adds the advice
        return reply

    async def _score(self) -> None:
        """Send a row, if there is a row to send."""
        if self._payload is None and isinstance(self._contract, ParsedContract):
            try:
                self._payload = _example(self._contract)
            except UsageError:
                return
        if self._payload is not None:
            self._scored = await self._session.send("POST", self._session.target.uri.request_path, self._payload.body)

    async def contract(self) -> Found:
        """Judge whether there is a contract, and whether it is valid."""
        if isinstance(self._contract, EpkitError):
            raise Unwell(str(self._contract), self._without_contract(self._contract))
        assert self._contract is not None  # the step before has set it
        contract = self._contract
        try:
            self._validator = Validator(contract)
        except UsageError as error:
            raise Unwell(str(error), _MEND) from None
        said = f"{_kind(contract)}, {contract.method} {contract.path}"
        if contract.request is None:
            said += ", which says nothing about the body" if contract.media is None else f", {contract.media}"
            return Found(said, None if self._given else "a row to score cannot be made: give one with -p FILE")
        if contract.example is None:
            warning = "the contract has no example: a row made from its schema is scored instead"
            return Found(said, None if self._given else warning, ms=self._fetch_ms)
        rows = count_rows(contract.example)
        said += ", with an example" + (f" of {rows} row{'' if rows == 1 else 's'}" if rows else "")
        verdict = self._validator.check_value(contract.example, limit=1)
        faulty = None if verdict.valid else f"its own example breaks it: {in_words(verdict.violations[0])}"
        return Found(said, faulty, ms=self._fetch_ms)

    def _without_contract(self, error: EpkitError) -> str:
        """Return the advice for a contract that cannot be fetched or used."""
        if isinstance(error, UsageError):
            return _MEND
        once = self._fetched
        if once is not None and once.failure:
            return advise_failure(once.failure, once.detail, quote=False)
        if once is not None and (300 <= once.status < 400 or once.status in (408, 429) or once.status >= 500):
            return self._session.advice(once)
        return _NAME

    async def example(self) -> Found:
        """Judge whether a row was scored."""
        if self._scored is None or self._payload is None:
            raise Unwell("the contract says too little to make a row from", "give one with -p FILE")
        once = self._scored
        rows = _rows(self._payload)
        failure, words = once.failure, once.detail
        if not failure:
            failure, words = judge_status(once.status), ""
        if not failure:
            failure, words = judge_reply(once.head, once.body, rows, place=self._place)
        if failure is Failure.STATUS:
            raise Unwell(f"{once.status} {self._session.words(once)}", self._session.advice(once) + self._suspect())
        if failure:
            raise Unwell(words, advise_failure(failure, words, quote=False) + self._suspect())
        sent = f"{rows} row{'' if rows == 1 else 's'} of {self._payload.file}" if rows else self._payload.file
        return Found(f"{once.status} for {sent}: {clean(once.text, 80)}", ms=once.took_ns / 1e6)

    @property
    def _place(self) -> ReplyPlace | None:
        """Where the predictions are in a reply, if the user or the contract names the place."""
        contract = self._contract if isinstance(self._contract, ParsedContract) else None
        return reply_place(self._session.client.options, self._session.target, contract)

    def _suspect(self) -> str:
        """Describe how the body that was not scored breaks the contract."""
        if self._validator is None or self._payload is None:
            return ""
        verdict = self._validator.check(self._payload.body, limit=1)
        return "" if verdict.valid else f"; the body breaks the contract: {in_words(verdict.violations[0])}"

    async def reply(self) -> Found:
        """Judge whether the reply matches the contract."""
        assert isinstance(self._contract, ParsedContract)
        assert self._scored is not None
        assert self._payload is not None
        try:
            validator = ReplyValidator(self._contract, place=self._place)
        except UsageError as error:
            raise Unwell(str(error), _MEND) from None
        text = self._scored.text.encode()
        if self._contract.reply is None and not _is_json(text):
            return Found("the contract declares none")  # lines, or CSV: the step before has counted them
        verdict = validator.check(text, rows=_rows(self._payload), limit=1)
        if not verdict.violations:
            return Found("as the contract declares it" if self._contract.reply else "the contract declares none")
        first = in_words(verdict.violations[0])
        if verdict.valid:
            return Found("it can be read, but is not as declared", first)
        raise Unwell(first, "the scoring script returns something else than its contract says: see epkit validate")

    async def clock(self) -> Found:
        """Compare the server's clock with this machine's."""
        assert self._session.last is not None  # there was a reply to the health request
        once, received = self._session.last
        date = once.headers.get("date")
        if date is None:
            return Found("the server does not send its time")
        try:
            moment = parsedate_to_datetime(date)
        except (ValueError, TypeError):
            return Found(f"the server's Date is not a date: {date}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        skew_s = moment.timestamp() + 0.5 - received  # Date is truncated to whole seconds
        if abs(skew_s) <= 1.5:
            return Found("the server's is the same as this machine's, to a second")
        client = "ahead of" if skew_s > 0 else "behind"
        said = f"the server's is {abs(skew_s):,.0f} s {client} this machine's"
        advice = (
            "the validity of a token depends on the time: set the clock that is wrong" if abs(skew_s) > SKEW_S else None
        )
        return Found(said, advice)

    async def headers(self) -> Found:
        """Judge the reply's headers about server and deployment."""
        assert self._session.last is not None
        headers = self._session.last[0].headers
        said = (
            ", ".join(f"{name}: {headers[name]}" for name in _INFORMATIVE if headers.get(name))
            or "none that say anything"
        )
        wanted = self._session.deployment
        answered = headers.get("azureml-model-deployment")
        if wanted and answered and answered != wanted:
            advice = f'deployment "{wanted}" was asked for, "{answered}" answered: check its name and that it is up'
            raise Unwell(said, advice)
        return Found(said)


def _kind(contract: ParsedContract) -> str:
    """Return the kind of a contract, and its version."""
    if is_model_contract(contract.document):
        return "Open Inference Protocol"
    return f"{'Swagger' if contract.version == '2.0' else 'OpenAPI'} {contract.version}"


def _example(contract: ParsedContract) -> Payload:
    """Return the contract's example, or a row that is generated from its schema.

    Raises:
        UsageError: the contract contains too little for that.
    """
    if contract.example is not None:
        return Payload.of("the example", json.dumps(contract.example).encode())
    return Payload.of("made from the contract", sample_body(contract, rows=1, seed=0))


def _is_json(text: bytes) -> bool:
    try:
        decode(text)
    except ValueError:
        return False
    return True


def _rows(payload: Payload) -> int | None:
    try:
        return count_rows(payload.parse())
    except UsageError:
        return None
