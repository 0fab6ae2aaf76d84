"""Checks files against a contract."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from epkit.core.contract.contract import ParsedContract
from epkit.core.http import url as urls
from epkit.core.http.url import Url
from epkit.core.validate.checked import CheckedFile, Validation
from epkit.core.validate.reply_validation import ReplyValidator
from epkit.core.validate.validation import LIMIT, Validator
from epkit.core.validate.violations import Verdict
from epkit.endpoint.target import resolve
from epkit.errors import UsageError
from epkit.files import contracts, tables
from epkit.files.payloads import read_body
from epkit.flows.context import Context
from epkit.flows.target.opening import open_target


@contextlib.contextmanager
def find_contract(
    schema: str | None,
    argument: str | None,
    *,
    path: str | None = None,
    key_file: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    context: Context,
) -> Iterator[tuple[ParsedContract, str]]:
    """Find the contract of a command: the one it names, else its target's own.

    Args:
        schema: a file or URL, which needs no target.
        argument: as for `open_target`.
        path: of the scoring operation.

    Yields:
        The contract and its name.

    Raises:
        UsageError: there is none, or it is broken.
        EndpointError: it cannot be fetched.
    """
    if schema is not None and not urls.is_url(schema):
        yield contracts.load(context.cwd / schema, path=path, name=schema), schema
        return
    if schema is not None and resolve(argument, environ=context.environ, cwd=context.cwd).embedded:
        yield contracts.load(schema, path=path, headers=dict(headers)), urls.shown(schema)
        return
    with open_target(argument, key_file=key_file, headers=headers, context=context) as target:
        source = target.contract if schema is None else urls.parse(schema)
        contract = contracts.load(source, path=path, headers=target.contract_headers(source))
        yield contract, source.shown if isinstance(source, Url) else str(source)


def validate(
    files: Sequence[str],
    contract: ParsedContract,
    *,
    schema: str,
    reply: bool = False,
    rows: int | None = None,
    as_declared: bool = False,
    strict: bool = False,
    limit: int = LIMIT,
) -> Validation:
    """Check files; none means the contract's own example.

    Args:
        files: paths, or `-` for standard input; `.csv`, `.parquet` and `.jsonl` are tables.
        schema: the contract's name.
        reply: they are replies.
        rows: how many rows the replies answer, where that is known.
        as_declared: JSON Schema to the letter and nothing more.
        strict: warnings are errors.
        limit: how many violations of each file to tell.

    Raises:
        UsageError: a file cannot be read, or there is nothing to check.
    """
    if reply:
        if not files:
            raise UsageError("--reply: name the file with the reply, or - for stdin")
        replies = ReplyValidator(contract, as_declared=as_declared)
        found = [
            (_name(file), replies.check(read_body(file, sys.stdin.buffer), rows=rows, limit=limit)) for file in files
        ]
    else:
        validator = Validator(contract, as_declared=as_declared)
        found = [(_name(file), _check(file, validator, limit)) for file in files]
        if not files:
            if contract.example is None:
                raise UsageError(f"{schema}: the contract has no example: name the file to check")
            found = [(f"{schema} (example)", validator.check_value(contract.example, limit=limit))]
    checked = tuple(CheckedFile(file=name, verdict=result.strict() if strict else result) for name, result in found)
    return Validation(schema=schema, files=checked)


def _check(file: str, validator: Validator, limit: int) -> Verdict:
    if Path(file).suffix.lower() in tables.SUFFIXES:
        return tables.check_table(Path(file), validator, limit=limit)
    return validator.check(read_body(file, sys.stdin.buffer), limit=limit)


def _name(file: str) -> str:
    return "stdin" if file == "-" else file
