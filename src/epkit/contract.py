"""A contract for Python and notebooks: load it, query it, make bodies from it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from epkit.core.contract import contract as core
from epkit.core.display import Displayed
from epkit.core.http.destination import Tls
from epkit.core.http.url import is_url
from epkit.core.json.writing import dumps_payload
from epkit.core.replies.finding import place_of
from epkit.core.validate.examples import sample
from epkit.core.validate.reply_validation import ReplyValidator
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Verdict
from epkit.errors import UsageError
from epkit.files import contracts, tables
from epkit.files.dialects import TableOptions, names_of
from epkit.flows.rows.opening import given_of
from epkit.notebook import Look, at_work, look, masked


class Contract(Displayed):
    """The contract of an endpoint.

    >>> contract = epkit.Contract.load("swagger/bank.json")
    >>> contract.validate({"data": []}).valid
    False
    """

    def __init__(self, parsed: core.ParsedContract) -> None:
        self.parsed = parsed

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        key_file: str | None = None,
        timeout_s: float = 10.0,
        cacert: str | None = None,
        insecure: bool = False,
        client_cert: str | None = None,
        proxy: str | None = None,
    ) -> "Contract":
        """Read a contract from a file or URL.

        Args:
            path: the path of the scoring operation, if the contract leaves it open.
            headers: sent to the URL's origin only.
            key_file: holds the key of that origin.
            timeout_s: the time limit for the whole reply of a URL.
            cacert: a file of authorities to trust (PEM); *insecure* trusts anybody.
            client_cert: a file with the client's certificate and its key (PEM).
            proxy: `HOST:PORT`, or a URL with credentials in it.

        Raises:
            UsageError: it cannot be read, or is broken.
            EndpointError: the URL cannot be reached.
        """
        if isinstance(source, Path) or not is_url(source):
            return cls(contracts.load(source, path=path))
        # Late: they import the modules that send requests, and most contracts are files.
        from epkit.flows.target.contract import find_at
        from epkit.flows.target.request_options import RequestOptions, TargetOptions

        options = TargetOptions(
            key_file=key_file,
            timeout_s=timeout_s,
            tls=Tls(verify=not insecure, cacert=cacert, client_cert=client_cert),
            request=RequestOptions(headers=tuple((headers or {}).items()), proxy=proxy),
        )
        with at_work() as context:
            return cls(find_at(source, options, context, path=path))

    @property
    def example(self) -> Any:
        """The request body that the contract offers, or None."""
        return self.parsed.example

    def validate(self, payload: object, *, as_declared: bool = False) -> Verdict:
        """Check a request body.

        Args:
            payload: the bytes that would be sent, or the object they are made of (numpy's numbers too).
            as_declared: JSON Schema to the letter and nothing more.

        Raises:
            UsageError: the payload contains a value that JSON cannot express.
        """
        validator = self._as_declared if as_declared else self._as_taken
        return validator.check(bytes(payload) if isinstance(payload, bytes | bytearray) else _encoded(payload))

    def validate_table(
        self,
        file: str | Path,
        *,
        as_declared: bool = False,
        drop: Sequence[str] = (),
        encoding: str | None = None,
        decimal: str | None = None,
        header: bool = True,
    ) -> Verdict:
        """Check the rows of a `.csv`, `.tsv`, `.parquet` or `.jsonl`, or of a `.gz` of one.

        Args:
            drop: columns that are not sent.
            encoding, decimal, header: of a table's text, as for `epkit.score`.

        Raises:
            UsageError: the file cannot be read, or the contract has no rows.
        """
        options = TableOptions(drop=names_of(drop), encoding=encoding, decimal=decimal, header=header)
        validator = self._as_declared if as_declared else self._as_taken
        with ExitStack() as stack:
            given = given_of(Path(file), str(file), stack, options)
            assert given.path is not None
            return tables.check_table(given.path, validator, name=given.name, kind=given.kind, options=options)

    def validate_reply(
        self, reply: bytes, *, rows: int | None = None, predictions_at: str | None = None, as_declared: bool = False
    ) -> Verdict:
        """Check the body of a reply.

        Args:
            rows: the number of rows that were sent, if it is known.
            predictions_at: a JSON pointer to the predictions; None means that epkit finds them.

        Raises:
            UsageError: it is no JSON pointer.
        """
        place = None if predictions_at is None else place_of(predictions_at, where="predictions_at")
        return ReplyValidator(self.parsed, as_declared=as_declared, place=place).check(reply, rows=rows)

    def sample(self, rows: int | None = None, *, seed: int = 0) -> Any:
        """Make a request body; the same seed gives the same one.

        Raises:
            UsageError: the contract says too little.
        """
        return sample(self.parsed, rows=rows, seed=seed)

    @cached_property
    def _as_taken(self) -> Validator:
        return Validator(self.parsed)

    @cached_property
    def _as_declared(self) -> Validator:
        return Validator(self.parsed, as_declared=True)


@look.register
def _(contract: Contract) -> Look:
    from epkit.reporters.notebook import sheets

    found = masked(contract.parsed)
    return Look(sheet=lambda: sheets.of_contract(found), text=lambda: sheets.contract_text(found))


def _encoded(payload: object) -> bytes:
    try:
        return dumps_payload(payload)
    except TypeError as error:
        raise UsageError(f"the payload cannot be written as JSON: {error}") from None
