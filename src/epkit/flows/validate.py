"""Checks files against a contract."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from epkit.core.contract.contract import ParsedContract
from epkit.core.http import url as urls
from epkit.core.replies.finding import ReplyPlace
from epkit.core.validate.checked import CheckedFile, Validation
from epkit.core.validate.reply_validation import ReplyValidator
from epkit.core.validate.validation import LIMIT, Validator
from epkit.core.validate.violations import Verdict
from epkit.endpoint.target import resolve
from epkit.errors import UsageError
from epkit.files import contracts, tables
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.files.payloads import read_body
from epkit.flows.context import Context

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions


def find_contract(options: "TargetOptions", context: Context, *, path: str | None = None) -> tuple[ParsedContract, str]:
    """Find the contract of a command: the one that the options name, otherwise the contract of the target.

    Args:
        options: with `--schema` (a file or URL), a target is not required.
        path: the path of the scoring operation.

    Returns:
        The contract and its name.

    Raises:
        UsageError: there is no contract, or it is broken.
        EndpointError: it cannot be fetched.
    """
    schema = options.request.schema
    if schema is not None and not urls.is_url(schema):
        uri = None if options.target is None else resolve(options.target, environ=context.environ, cwd=context.cwd).uri
        at = None if uri is None else uri.path
        return contracts.load(context.cwd / schema, path=path, at=at, name=schema), schema
    # Late: they import the modules that send requests, and most contracts are files.
    from epkit.flows.target.client import open_client
    from epkit.flows.target.contract import find, find_at

    if schema is not None and resolve(options.target, environ=context.environ, cwd=context.cwd).embedded:
        return find_at(schema, options, context, path=path), urls.shown(schema)
    with open_client(options, context, "the contract") as client:
        contract = find(schema, client, path=path)
        return contract, contract.source


def validate(
    files: Sequence[str],
    contract: ParsedContract,
    *,
    schema: str,
    reply: bool = False,
    rows: int | None = None,
    place: ReplyPlace | None = None,
    as_declared: bool = False,
    strict: bool = False,
    limit: int = LIMIT,
    table: TableOptions = DEFAULT,
    note: Callable[[str], object] = str,
) -> Validation:
    """Check files. Without files, check the contract's own example.

    Args:
        files: paths, or `-` for standard input; `.csv`, `.tsv`, `.parquet`, `.jsonl` and `.gz` of them are tables.
        schema: the contract's name.
        reply: whether the files are replies.
        rows: the number of rows that each reply answers, if it is known.
        place: where the predictions are in a reply, if the user named the place.
        as_declared: apply JSON Schema literally, and nothing else.
        strict: count warnings as errors.
        limit: the number of violations of each file to report.
        table: the user's options for tables.
        note: receives remarks on how a table is read.

    Raises:
        UsageError: a file cannot be read, or there is nothing to check.
    """
    if reply:
        if not files:
            raise UsageError("--reply: name the file with the reply, or - for stdin")
        replies = ReplyValidator(contract, as_declared=as_declared, place=place)
        found = [
            (_name(file), replies.check(read_body(file, sys.stdin.buffer), rows=rows, limit=limit)) for file in files
        ]
    else:
        validator = Validator(contract, as_declared=as_declared)
        found = [(_name(file), _check(file, validator, limit, table, note)) for file in files]
        if not files:
            if contract.example is None:
                raise UsageError(f"{schema}: the contract has no example: name the file to check")
            found = [(f"{schema} (example)", validator.check_value(contract.example, limit=limit))]
    checked = tuple(CheckedFile(file=name, verdict=result.strict() if strict else result) for name, result in found)
    return Validation(schema=schema, files=checked)


def _check(
    file: str, validator: Validator, limit: int, options: TableOptions, note: Callable[[str], object]
) -> Verdict:
    if tables.may_be_table(file):
        from epkit.flows.rows.opening import given_of  # late: most bodies are JSON

        with ExitStack() as stack:
            given = given_of(Path(file), file, stack, options)
            assert given.path is not None
            if given.kind != ".json":
                return tables.check_table(
                    given.path, validator, limit=limit, name=file, kind=given.kind, options=options, note=note
                )
            return validator.check(read_body(str(given.path), sys.stdin.buffer), limit=limit)
    return validator.check(read_body(file, sys.stdin.buffer), limit=limit)


def _name(file: str) -> str:
    return "stdin" if file == "-" else file
