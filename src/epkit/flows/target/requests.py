"""From options to the requests of a run: payloads, rows, headers, the bytes that go out."""

import base64
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from epkit.core.http import request
from epkit.core.http.masking import is_sensitive, mask_url
from epkit.core.http.payload import Payload
from epkit.core.http.request import Request
from epkit.core.http.secret import Secret
from epkit.core.http.url import Url
from epkit.core.wrapping import count_rows
from epkit.errors import ContractError, EpkitError, UsageError
from epkit.files.payloads import parse_payload, read_payloads
from epkit.flows.target.aim import Aim, Note

if TYPE_CHECKING:
    from epkit.core.contract.contract import Contract

JSON: Final = "application/json"

BODILESS: Final = ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE")
"""Methods that are not given the contract's example to send."""

_METHOD: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """What is sent.

    Args:
        payloads: files for a POST; `put` is a file for a PUT.
        method: overrides what the payload implies; `head` is HEAD.
        content_type: of the body; None for JSON.
        headers: the user's own, in order; they replace those that epkit would write.
        cookies: `name=value`.
        basic: `user:password` for Basic authorization.
        proxy: where the requests go through, if not directly; may hold `user:password@`.
        proxy_basic: `user:password` for the proxy; as in ab it goes to the server where there is none.
        schema: a contract to use instead of the target's own.
        validate: whether a contract is asked for at all.
        shuffle: whether payloads are sent in an order of the seed's, not in theirs.
        batch_rows: rows of a body that is made of a table.
    """

    payloads: tuple[str, ...] = ()
    put: str | None = None
    head: bool = False
    method: str | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    basic: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    proxy_basic: str | None = field(default=None, repr=False)
    deployment: str | None = None
    schema: str | None = None
    validate: bool = True
    keepalive: bool = True
    shuffle: bool = False
    batch_rows: int = 100

    def secrets(self) -> Iterator[Secret]:
        """Give everything in here that must not be shown."""
        yield from (Secret(value) for name, value in self.headers if is_sensitive(name))
        cookies = [*self.cookies, *(value for name, value in self.headers if name.lower() == "cookie")]
        yield from (Secret(pair.partition("=")[2]) for cookie in cookies for pair in cookie.split(";"))
        userinfo = (self.proxy or "").rpartition("@")[0].rpartition("//")[2]
        yield from (Secret(text) for text in (self.basic, self.proxy_basic, userinfo) if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The requests of a run, one a payload.

    Args:
        rows: how many rows each holds, None where that is not known.
    """

    payloads: tuple[Payload, ...]
    requests: tuple[Request, ...]
    rows: tuple[int | None, ...]


def make_load(
    options: RequestOptions,
    aim: Aim,
    authority: str,
    agent: str,
    *,
    stdin: BinaryIO,
    note: Note,
    find_contract: "Callable[[], Contract]",
    seed: int = 0,
) -> Load:
    """Read the payloads, or take the contract's example, and build the requests.

    Args:
        authority: of the Host header.
        agent: of the User-Agent header.
        find_contract: called at most once, and only where the contract is needed.
        seed: of rows that are made.

    Raises:
        UsageError: a payload cannot be read or is not JSON, a header cannot be sent.
        ContractError: a payload breaks the contract.
        EndpointError: the contract that the user named cannot be fetched.
    """
    if options.method is not None and not _METHOD.fullmatch(options.method):
        raise UsageError(f"-m {options.method}: a method is one word, such as POST")
    known = KnownContract(options.schema, note, find_contract)
    if options.batch_rows < 1:
        raise UsageError(f"--batch-rows {options.batch_rows}: a body has 1 row or more")
    content_type = options.content_type or _given(options.headers, "content-type") or JSON
    payloads = _payloads(options, aim, stdin, seed, known, tables="json" in content_type.lower())
    if options.shuffle:
        order = list(payloads)
        random.Random(seed).shuffle(order)  # noqa: S311 - nothing here is a secret
        payloads = tuple(order)
    rows = tuple(_rows(payload, content_type, strict=options.validate) for payload in payloads)
    if options.validate and (options.payloads or options.put) and "json" in content_type.lower():
        bodies = [payload for payload in payloads if not payload.checked]
        _check(bodies, known.contract("the payload is not checked") if bodies else None)
    method = options.method or ("HEAD" if options.head else "PUT" if options.put else "POST" if payloads else "GET")
    headers = compose_headers(options, aim, agent, content_type if payloads else None)
    path = aim.uri.request_path

    def build(body: bytes) -> Request:
        try:
            return request.build(method, path, authority, headers, body)
        except (ValueError, UnicodeEncodeError):
            raise UsageError(
                "the request cannot be built: a header, a cookie or the credentials hold a line break, or a "
                "character that HTTP cannot write (outside Latin-1)"
            ) from None

    if not payloads:
        return Load(payloads=(), requests=(build(b""),), rows=(None,))
    return Load(payloads=payloads, requests=tuple(build(payload.body) for payload in payloads), rows=rows)


def _payloads(
    options: RequestOptions, aim: Aim, stdin: BinaryIO, seed: int, known: "KnownContract", *, tables: bool
) -> tuple[Payload, ...]:
    """Read or make the bodies.

    Args:
        tables: whether the rows of a table are wrapped; else its bytes are the body, as those of any file are.
    """
    files = (options.put,) if options.put else options.payloads
    if files:
        return tuple(
            payload
            for file in files
            for payload in _read(file, options, stdin, seed, known, target=aim.uri.request_path if tables else None)
        )
    if options.head or (options.method or "").upper() in BODILESS or not options.validate:
        return ()
    contract = known.contract("sending without a body, as no payload is given (-p FILE)")
    if contract is None:
        return ()
    if contract.example is None:
        known.note("no payload (-p FILE) and no example in the contract: sending without a body")
        return ()
    body = json.dumps(contract.example).encode()
    return (Payload.of(f"the example in {_shown(options.schema or aim.contract)}", body),)


def _read(
    file: str, options: RequestOptions, stdin: BinaryIO, seed: int, known: "KnownContract", *, target: str | None
) -> tuple[Payload, ...]:
    """Read the bodies of a file, or make them: of a table's rows, or `gen:rows=K`.

    Args:
        target: the target's path, for the rows of a table; None where a table's bytes are the body.
    """
    if target is not None and file.lower().endswith((".csv", ".parquet")):
        from epkit.flows.rows.payloads import table_payloads

        of = known.contract("rows are sent unchecked") if options.validate else None
        return tuple(table_payloads(file, of, batch_rows=options.batch_rows, target=target, note=known.note))
    if not file.startswith("gen:"):
        return read_payloads(file, stdin)
    count = re.fullmatch(r"gen:rows=([1-9][0-9]{0,6})", file)
    if count is None:
        raise UsageError(f"-p {file}: rows to make are written gen:rows=K, K from 1 to 9999999")
    from epkit.flows.rows.sample import sample_body

    contract = known.contract(None)
    assert contract is not None  # without one there is an error
    return (Payload.of(file, sample_body(contract, rows=int(count[1]), seed=seed)),)


class KnownContract:
    """The contract of a run, looked for at most once, and only when it is needed."""

    def __init__(self, schema: str | None, note: Note, find: "Callable[[], Contract]") -> None:
        self.note = note
        self._named = schema is not None
        self._find = find
        self._looked = False
        self._contract: Contract | None = None

    def contract(self, without: str | None) -> "Contract | None":
        """Return the contract, or None where the target's own is missing or unusable.

        Args:
            without: what that means for the user, who is told; None where there is no going on.

        Raises:
            EpkitError: it is missing, and the user named it or it cannot be done without.
        """
        from epkit.flows.target.contract import UnreachableError

        if self._looked and self._contract is None and without is not None:
            return None
        try:
            if self._contract is None:
                self._looked = True
                self._contract = self._find()
        except UnreachableError:
            # The load meets the same in a moment, and says so.
            if self._named or without is None:
                raise
        except EpkitError as error:
            if self._named or without is None:
                raise
            self.note(f"no contract ({error}): {without}")
        return self._contract


def _check(payloads: Sequence[Payload], contract: "Contract | None") -> None:
    """Refuse a payload that the server would refuse, or score wrong without a word.

    Raises:
        ContractError: the first violation, and how many there are.
    """
    if contract is None or contract.request is None:
        return
    from epkit.core.validate.checked import in_words
    from epkit.core.validate.validation import Validator

    validator = Validator(contract)
    for payload in payloads:
        verdict = validator.check(payload.body, limit=1)
        if verdict.valid:
            continue
        first = verdict.violations[0]
        line = None if first.line is None else first.line + (payload.line or 1) - 1
        place = payload.file if line is None else f"{payload.file}:{line}:{first.column}"
        more = f"; {verdict.errors} errors in all, epkit validate shows them" if verdict.errors > 1 else ""
        raise ContractError(f"{place}: {in_words(first)}{more} (--no-validate sends it all the same)")


def _shown(source: str | Path | Url) -> str:
    return source.shown if isinstance(source, Url) else mask_url(str(source))


def _given(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _rows(payload: Payload, content_type: str, *, strict: bool) -> int | None:
    """Count the rows of a payload; a JSON payload that is none is refused, unless nothing is to be checked."""
    if "json" not in content_type.lower():
        return None
    try:
        return count_rows(parse_payload(payload))
    except UsageError:
        if strict:
            raise
        return None


def compose_headers(options: RequestOptions, aim: Aim, agent: str, content_type: str | None) -> list[tuple[str, str]]:
    """Put the headers together: epkit's own, then the endpoint's, then the user's, of which the last wins."""
    headers = [("User-Agent", agent), ("Accept", "*/*")]
    if not options.keepalive:
        headers.append(("Connection", "close"))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    if options.cookies:
        headers.append(("Cookie", "; ".join(options.cookies)))
    deployment = options.deployment or aim.target.deployment
    if deployment:
        headers.append(("azureml-model-deployment", deployment))
    if options.proxy_basic is not None and options.proxy is None:
        headers.append(("Proxy-Authorization", _basic(options.proxy_basic)))
    headers += aim.target.headers
    if options.basic is not None:
        headers.append(("Authorization", _basic(options.basic)))
    else:
        headers = list(aim.key.added_to(headers))
    replaced = {name.lower() for name, _ in options.headers}
    return [*((name, value) for name, value in headers if name.lower() not in replaced), *options.headers]


def _basic(userinfo: str) -> str:
    return "Basic " + base64.b64encode(userinfo.encode("utf-8", "surrogateescape")).decode()
