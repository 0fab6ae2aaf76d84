"""Payloads from a table: its rows, so many a body, wrapped as the contract wants them, checked before they are sent."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.checked import in_words
from epkit.core.envelopes import Envelope, columns_text, from_wrap
from epkit.core.payload import Payload
from epkit.core.validation import Validator
from epkit.errors import ContractError, UsageError
from epkit.files.row_texts import names_of, row_texts
from epkit.files.tables import check_table
from epkit.flows.aim import Note

if TYPE_CHECKING:
    from epkit.core.contract import Contract
    from epkit.core.rows import Rows

MOST_BYTES: Final = 512 * 1024 * 1024
"""All bodies are made before the run begins: none is made while it is timed."""


def table_payloads(file: str, contract: "Contract | None", *, batch_rows: int, note: Note) -> Iterator[Payload]:
    """Make the bodies of a table.

    Args:
        contract: says how rows are wrapped and is what they are checked against; None where nothing is checked.
        batch_rows: rows of a body, ≥ 1; the last has what is left.

    Raises:
        UsageError: the file cannot be read, holds no rows, or too many.
        ContractError: a row breaks the contract.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{file}: {'is a directory, not a file' if path.is_dir() else 'no such file'}")
    validator = None if contract is None or contract.request is None else Validator(contract)
    spec = None if validator is None else validator.rows
    if validator is not None and spec is not None:
        _check(file, path, validator)
    envelope = _envelope(contract, spec, note)
    if envelope.wants_lists:
        envelope = replace(envelope, names=names_of(path))
    before, after = envelope.around()
    batch: list[bytes] = []
    first = size = 0

    def body() -> Payload:
        joined = b",".join(batch)
        inside = columns_text(envelope.names or (), joined) if envelope.shape == "columns" else joined
        name = f"{file} rows {first}-{first + len(batch) - 1}"
        return Payload.of(name, before + inside + after, checked=True)

    for text in row_texts(path, spec, lists=envelope.wants_lists):
        batch.append(text)
        size += len(text)
        if size > MOST_BYTES:
            raise UsageError(
                f"{file}: more than {MOST_BYTES >> 20} MB of bodies: take a part of it (epkit score takes all)"
            )
        if len(batch) == batch_rows:
            yield body()
            first += len(batch)
            batch = []
    if batch:
        yield body()
    elif not first:
        raise UsageError(f"{file}: there are no rows in it")


def _check(file: str, path: Path, validator: Validator) -> None:
    verdict = check_table(path, validator, limit=1)
    if verdict.valid:
        return
    found = next(violation for violation in verdict.violations if violation.severity == "error")
    place = file if found.line is None else f"{file}:{found.line}:{found.column}"
    more = f"; {verdict.errors} errors in all, epkit validate shows them" if verdict.errors > 1 else ""
    raise ContractError(f"{place}: {in_words(found)}{more} (--no-validate sends it all the same)")


def _envelope(contract: "Contract | None", spec: "Rows | None", note: Note) -> Envelope:
    if spec is None:
        envelope = from_wrap("data")
        note(f"no contract says how rows are wrapped: they are sent as {envelope.shown}")
        return envelope
    example = contract.example if contract is not None else None
    template = example if isinstance(example, dict) else None
    return Envelope(path=spec.path, shape="lists" if spec.shape == "matrix" else "records", template=template)
