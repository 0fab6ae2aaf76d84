"""Payloads from a table: a fixed number of rows in each body, wrapped and checked before the run as in `score`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.http.payload import Payload
from epkit.errors import UsageError
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.flows.context import Note
from epkit.flows.rows.input import Input, prepare
from epkit.flows.rows.opening import given_of

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

MOST_BYTES: Final = 512 * 1024 * 1024
"""Most bytes of all bodies. They are made before the run, so that the measured time contains none of this work."""


def table_payloads(
    file: str,
    contract: "ParsedContract | None",
    *,
    batch_rows: int,
    target: str,
    note: Note,
    options: TableOptions = DEFAULT,
    validate: bool = True,
    wrap: str | None = None,
) -> Iterator[Payload]:
    """Make the bodies of a table.

    Args:
        file: its name ends in `.csv`, `.tsv`, `.tab` or `.parquet`, perhaps followed by `.gz`.
        contract: defines the wrapping, and is used to check the rows; None if there is no contract.
        batch_rows: the number of rows in a body, ≥ 1; the last body has the remaining rows.
        target: the target's path, which decides the wrapping if there is no contract.
        options: the user's options for the table.
        validate: whether a row that breaks the contract is refused.
        wrap: the user's wrapping; None if it follows from the contract or the path.

    Raises:
        UsageError: the file cannot be read, has no rows, or has too many.
        ContractError: a row breaks the contract.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{file}: {'is a directory, not a file' if path.is_dir() else 'no such file'}")
    with contextlib.ExitStack() as stack:
        given = given_of(path, file, stack, options)
        rows = prepare(
            given,
            contract,
            wrap=wrap,
            parameters={},
            skip_invalid=False,
            path=target,
            note=note,
            validate=validate,
            scoring=False,
        )
        yield from _bodies(file, rows, batch_rows)


def _bodies(file: str, rows: Input, batch_rows: int) -> Iterator[Payload]:
    before, after = rows.envelope.around()
    writer = rows.envelope.writer
    batch_rows = rows.envelope.most_rows or batch_rows
    batch: list[bytes] = []
    first = size = 0

    def body() -> Payload:
        name = f"{file} rows {first}-{first + len(batch) - 1}"
        return Payload.of(name, before + writer.write(batch) + after, checked=True, rows=len(batch))

    for text in (text for chunk in rows.chunks(0, batch_rows) for text in chunk.rows):
        batch.append(text)
        size += len(text)
        if size > MOST_BYTES:
            raise UsageError(
                f"{file}: more than {MOST_BYTES >> 20} MB of bodies: use a part of it (epkit score sends all of it)"
            )
        if len(batch) == batch_rows:
            yield body()
            first += len(batch)
            batch = []
    if batch:
        yield body()
    elif not first:
        raise UsageError(f"{file}: there are no rows in it")
