"""Makes the requests of a run from the options: payloads, rows, headers, the bytes to send."""

import contextlib
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from epkit.core.http import request
from epkit.core.http.destination import Destination
from epkit.core.http.masking import mask_url
from epkit.core.http.payload import Payload
from epkit.core.http.request import Request
from epkit.core.http.request_ids import unnumbered
from epkit.core.replies.declared import declared_place
from epkit.core.replies.finding import ReplyPlace, place_of
from epkit.core.shapes.bodies import count_rows
from epkit.core.shapes.envelopes import from_wrap
from epkit.engines.base import Engine
from epkit.errors import ContractError, EpkitError, UsageError
from epkit.files.dialects import is_tabular
from epkit.files.payloads import read_payloads
from epkit.flows.context import Note
from epkit.flows.target.request_options import RequestOptions, compose_headers
from epkit.flows.target.target import NoContractError, Target, UnreachableError

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

JSON: Final = "application/json"
TABLES: Final = (".csv", ".tsv", ".tab", ".parquet")

BODILESS: Final = ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE")
"""Methods for which the contract's example is not sent."""

_METHOD: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests of a run, one for each payload.

    Args:
        rows: the number of rows in each request; None if it is not known.
        place: where the predictions are in a reply, if the user named the place.
        strict: whether a contract defines what a row is.
    """

    payloads: tuple[Payload, ...]
    requests: tuple[Request, ...]
    rows: tuple[int | None, ...]
    place: ReplyPlace | None = None
    strict: bool = False

    def part(self, rows: int) -> tuple[int, ...]:
        """Return the indices of the requests with that number of rows."""
        return tuple(index for index, held in enumerate(self.rows) if held == rows)

    def of_part(self, part: Sequence[int]) -> "Requests":
        """Return the requests with these indices as a load of its own."""
        return replace(
            self,
            payloads=tuple(self.payloads[index] for index in part),
            requests=tuple(self.requests[index] for index in part),
            rows=tuple(self.rows[index] for index in part),
        )


def make_load(
    options: RequestOptions,
    target: Target,
    destination: Destination,
    *,
    stdin: BinaryIO,
    note: Note,
    find_contract: "Callable[[], ParsedContract]",
    seed: int = 0,
    id_header: str | None = None,
) -> Requests:
    """Read the payloads, or use the contract's example, and build the requests.

    Args:
        destination: the destination of the requests.
        find_contract: called at most once, and only if the contract is needed.
        seed: the seed for generated rows.
        id_header: the header for an id; the requests have no ids yet (`epkit.core.http.request_ids`).

    Raises:
        UsageError: a payload cannot be read or is not JSON, a header cannot be sent.
        ContractError: a payload breaks the contract.
        EndpointError: the contract that the user named cannot be fetched.
    """
    if options.method is not None and not _METHOD.fullmatch(options.method):
        raise UsageError(f"-m {options.method}: a method is one word, such as POST")
    known = KnownContract(options.schema, note, find_contract)
    if options.batch_rows < 1:
        raise UsageError(f"--batch-rows {options.batch_rows}: must be 1 row or more")
    wrapping = None if options.wrap is None else from_wrap(options.wrap)
    named = options.content_type or _given(options.headers, "content-type")
    if named is None and wrapping is not None:
        named = wrapping.content_type
    content_type = named or JSON
    tables = wrapping is not None or "json" in content_type.lower()
    payloads = _payloads(options, target, stdin, seed, known, tables=tables)
    if named is None and options.validate and not all(map(_may_be_json, payloads)):
        # Bytes that are not JSON are correct if the contract requires bytes.
        of = known.contract("the payload is not checked")
        content_type = JSON if of is None or of.media is None else of.media
    if options.shuffle:
        order = list(payloads)
        random.Random(seed).shuffle(order)  # noqa: S311 - nothing here is a secret
        payloads = tuple(order)
    rows = tuple(_rows(payload, content_type, strict=options.validate) for payload in payloads)
    if options.validate and (options.payloads or options.put) and "json" in content_type.lower():
        bodies = [payload for payload in payloads if not payload.checked]
        _check(bodies, known.contract("the payload is not checked") if bodies else None)
    if options.schema is not None and not known.looked and not options.validate:
        note("--schema is not used: with --no-validate a contract is used only for the rows of a table")
    method = options.method or ("HEAD" if options.head else "PUT" if options.put else "POST" if payloads else "GET")
    headers = compose_headers(options, target, content_type if payloads else None)
    if id_header is not None:
        headers = _with_id(id_header, headers)
    path = target.uri.request_path

    def build(body: bytes) -> Request:
        try:
            return request.build_for(destination, method, path, headers, body)
        except (ValueError, UnicodeEncodeError):
            raise UsageError(
                "the request cannot be built: a header, a cookie or the credentials hold a line break, or a "
                "character that HTTP cannot write (outside Latin-1)"
            ) from None

    place = reply_place(options, target, known.found)
    if not payloads:
        return Requests(payloads=(), requests=(build(b""),), rows=(None,), place=place)
    built = tuple(build(payload.body) for payload in payloads)
    return Requests(payloads=payloads, requests=built, rows=rows, place=place, strict=known.found is not None)


def _with_id(name: str, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Add the header for ids.

    Raises:
        UsageError: the requests have this header already.
    """
    if _given(headers, name.lower()) is not None:
        raise UsageError(f"--request-ids={name}: this header is sent already, and an id would be a second value of it")
    return [*headers, unnumbered(name)]


def reply_place(options: RequestOptions, target: Target, contract: "ParsedContract | None") -> ReplyPlace | None:
    """Return where the predictions are in a reply: the user's place, otherwise the contract's, if it names one.

    Raises:
        UsageError: the user's place is not a JSON pointer.
    """
    if options.predictions_at is not None:
        return place_of(options.predictions_at)
    if target.spec.predictions_at is not None:
        return place_of(target.spec.predictions_at, where=f"{target.spec.place}.predictions_at")
    return None if contract is None else declared_place(contract)


def _payloads(
    options: RequestOptions, target: Target, stdin: BinaryIO, seed: int, known: "KnownContract", *, tables: bool
) -> tuple[Payload, ...]:
    """Read or make the bodies.

    Args:
        tables: whether the rows of a table are wrapped; otherwise its bytes are the body, as with any other file.
    """
    if options.sizes:
        return _sized(options, target, seed, known)
    files = (options.put,) if options.put else options.payloads
    if files:
        return tuple(
            payload
            for file in files
            for payload in _read(file, options, stdin, seed, known, target=target.uri.request_path if tables else None)
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
    return (Payload.of(f"the example in {mask_url(contract.source)}", body),)


def _sized(options: RequestOptions, target: Target, seed: int, known: "KnownContract") -> tuple[Payload, ...]:
    """Make the bodies of a sweep of batch sizes."""
    from epkit.flows.rows.sized import sized_payloads

    file = options.payloads[0] if options.payloads else None
    if file is not None and (file == "-" or file.startswith("gen:")):
        raise UsageError(f"-p {file}: --sweep rows= takes rows from a file, or makes them of the contract without -p")
    without = None if file is None else "rows are sent unchecked"
    return tuple(
        sized_payloads(
            file,
            known.contract(without, quiet=not options.validate),
            options.sizes,
            target=target.uri.request_path,
            note=known.note,
            options=options.table,
            validate=options.validate,
            wrap=options.wrap,
            seed=seed,
        )
    )


def _read(
    file: str, options: RequestOptions, stdin: BinaryIO, seed: int, known: "KnownContract", *, target: str | None
) -> tuple[Payload, ...]:
    """Read the bodies from a file, or make them from a table's rows or from `gen:rows=K`.

    Args:
        target: the target's path, for the rows of a table; None if a table's bytes are the body.
    """
    if target is not None and _is_table(file, options):
        from epkit.flows.rows.payloads import table_payloads

        of = known.contract("rows are sent unchecked", quiet=not options.validate)
        return tuple(
            table_payloads(
                file,
                of,
                batch_rows=options.batch_rows,
                target=target,
                note=known.note,
                options=options.table,
                validate=options.validate,
                wrap=options.wrap,
            )
        )
    if not file.startswith("gen:"):
        if options.wrap is not None:
            raise UsageError(f"--wrap: {file} has no rows to wrap: a table has, or gen:rows=K")
        return read_payloads(file, stdin)
    count = re.fullmatch(r"gen:rows=([1-9][0-9]{0,6})", file)
    if count is None:
        raise UsageError(f"-p {file}: must be gen:rows=K, K from 1 to 9999999")
    from epkit.core.validate.examples import sample_body

    contract = known.contract(None)
    assert contract is not None  # a missing contract raises an error
    rows = int(count[1])
    body = sample_body(contract, rows=rows, seed=seed, wrap=options.wrap)
    return (Payload.of(file, body, checked=options.wrap is not None, rows=rows),)


def _is_table(file: str, options: RequestOptions) -> bool:
    """Return whether the rows of a file are sent: its name is that of a table, or it is a `.txt` with rows."""
    name = file.lower().removesuffix(".gz")
    if not name.endswith(".txt"):
        return name.endswith(TABLES)
    with contextlib.suppress(OSError):
        if options.content_type in (None, JSON) and name == file.lower():
            return is_tabular(Path(file))
    return False


def contract_finder(
    options: RequestOptions, target: Target, destination: Destination, make_engine: Callable[..., Engine]
) -> "Callable[[], ParsedContract]":
    """Make a function that finds the contract over the same route as the load. It keeps the result."""

    @cache
    def find() -> "ParsedContract":
        from epkit.flows.target import contract  # late: not every run needs a contract
        from epkit.flows.target.client import Client

        client = Client(target=target, destination=destination, make_engine=make_engine, options=options)
        return contract.find(options.schema, client, path=options.operation)

    return find


class KnownContract:
    """The contract of a run. It is fetched at most once, and only when it is needed."""

    def __init__(self, schema: str | None, note: Note, find: "Callable[[], ParsedContract]") -> None:
        self.note = note
        self._named = schema is not None
        self._find = find
        self.looked = False
        self._contract: ParsedContract | None = None

    @property
    def found(self) -> "ParsedContract | None":
        """The contract, if it was needed and found."""
        return self._contract

    def contract(self, without: str | None, *, quiet: bool = False) -> "ParsedContract | None":
        """Return the contract, or None if the target's own is missing or unusable.

        Args:
            without: note for the user if there is no contract; None: a contract is required.
            quiet: whether the note is left out, because the user accepts a missing contract.

        Raises:
            EpkitError: the contract is missing, and the user named it or it is required.
        """
        if self.looked and self._contract is None and without is not None:
            return None
        try:
            if self._contract is None:
                self.looked = True
                self._contract = self._find()
        except UnreachableError:
            # The load fails in the same way in a moment, and reports it.
            if self._named or without is None:
                raise
        except NoContractError as error:
            if without is None:
                raise
            if not quiet:
                self.note(f"{error}: {without}")
        except EpkitError as error:
            if self._named or without is None:
                raise
            if not quiet:
                self.note(f"no contract ({error}): {without}")
        return self._contract


def _check(payloads: Sequence[Payload], contract: "ParsedContract | None") -> None:
    """Refuse a payload that the server would refuse, or would score wrongly without an error.

    Raises:
        ContractError: the message has the first violation and the number of violations.
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
        raise ContractError(f"{place}: {in_words(first)}{more} (--no-validate sends it anyway)")


def _may_be_json(payload: Payload) -> bool:
    """Return whether a body may be JSON, or is meant to be, judging by its first character."""
    first = payload.body.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
    return first == b"" or first in b"{[\"'-0123456789tfnNTFI</"


def _given(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _rows(payload: Payload, content_type: str, *, strict: bool) -> int | None:
    """Count the rows of a payload. A body that should be JSON and is not is refused, unless validation is off."""
    if payload.rows is not None:
        return payload.rows
    if "json" not in content_type.lower():
        return None
    try:
        return count_rows(payload.parse())
    except UsageError:
        if strict:
            raise
        return None
