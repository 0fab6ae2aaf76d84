"""Payloads from a table: its rows, so many a body, wrapped and checked as `score` does it, before the run begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.http.payload import Payload
from epkit.errors import UsageError
from epkit.flows.context import Note
from epkit.flows.rows.input import Given, prepare

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

MOST_BYTES: Final = 512 * 1024 * 1024
"""All bodies are made before the run begins: none is made while it is timed."""


def table_payloads(
    file: str, contract: "ParsedContract | None", *, batch_rows: int, target: str, note: Note
) -> Iterator[Payload]:
    """Make the bodies of a table.

    Args:
        file: ends in `.csv` or `.parquet`.
        contract: says how rows are wrapped and is what they are checked against; None where nothing is checked.
        batch_rows: rows of a body, ≥ 1; the last has what is left.
        target: the path of the target, which tells how rows are wrapped where no contract does.

    Raises:
        UsageError: the file cannot be read, holds no rows, or too many.
        ContractError: a row breaks the contract.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{file}: {'is a directory, not a file' if path.is_dir() else 'no such file'}")
    given = Given(name=file, path=path, kind=path.suffix.lower())
    rows = prepare(given, contract, wrap=None, parameters={}, skip_invalid=False, path=target, note=note, scoring=False)
    before, after = rows.envelope.around()
    writer = rows.envelope.writer
    batch_rows = rows.envelope.most_rows or batch_rows
    batch: list[bytes] = []
    first = size = 0

    def body() -> Payload:
        name = f"{file} rows {first}-{first + len(batch) - 1}"
        return Payload.of(name, before + writer.write(batch) + after, checked=True)

    for text in (text for chunk in rows.chunks(0, batch_rows) for text in chunk.rows):
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
