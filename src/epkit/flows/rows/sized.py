"""Bodies of several sizes for a sweep of batch sizes: from a table's rows in turn, or from generated rows."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.http.payload import Payload
from epkit.errors import UsageError
from epkit.files.dialects import TableOptions
from epkit.flows.context import Note
from epkit.flows.rows.input import prepare
from epkit.flows.rows.opening import Given, given_of
from epkit.flows.rows.payloads import MOST_BYTES

if TYPE_CHECKING:
    from epkit.core.contract.contract import ParsedContract

MOST_ROWS: Final = 100_000
"""Most rows that are read from a table; later rows are not sent."""

MADE_ROWS: Final = 1_000
"""Rows that are generated from a contract; larger bodies repeat them."""

MOST_BODIES: Final = 1_000
"""Most bodies of one size."""


def sized_payloads(
    file: str | None,
    contract: "ParsedContract | None",
    sizes: Sequence[int],
    *,
    target: str,
    note: Note,
    options: TableOptions,
    validate: bool = True,
    wrap: str | None = None,
    seed: int = 0,
) -> Iterator[Payload]:
    """Make bodies of each size, with exactly that number of rows, before a run begins.

    Args:
        file: a table, JSON lines, or a request body with the rows; None for rows that are generated from the contract.
        contract: as in `table_payloads`; None if there is no contract.
        sizes: the numbers of rows in a body, ascending.
        target: the target's path, which decides the wrapping if there is no contract.
        options: the user's options for the table.
        validate, wrap: as in `table_payloads`.
        seed: the seed for generated rows.

    Raises:
        UsageError: there are no rows, or a body cannot hold that number of rows.
        ContractError: a row breaks the contract.
    """
    with contextlib.ExitStack() as stack:
        given = _made(contract, sizes[-1], seed) if file is None else given_of(Path(file), file, stack, options)
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
        most = rows.envelope.most_rows
        if most is not None and sizes[-1] > most:
            raise UsageError(f"--sweep rows={sizes[-1]}: a body holds one row ({rows.envelope.shown})")
        texts = (text for chunk in rows.chunks(0, MOST_ROWS) for text in chunk.rows)
        found = list(itertools.islice(texts, MOST_ROWS))
    if not found:
        raise UsageError(f"{given.name}: there are no rows in it")
    before, after = rows.envelope.around()
    for size in sizes:
        in_turn, left = itertools.cycle(found), MOST_BYTES // len(sizes)
        for number in range(min(MOST_BODIES, -(-len(found) // size))):
            body = before + rows.envelope.writer.write(list(itertools.islice(in_turn, size))) + after
            left -= len(body)
            if left < 0 and not number:
                most_mb = MOST_BYTES // len(sizes) >> 20
                raise UsageError(f"--sweep rows={size}: a body of that size has more than {most_mb} MB")
            if left < 0:
                break
            yield Payload.of(f"{given.name}, {size} rows, body {number}", body, checked=True, rows=size)


def _made(contract: "ParsedContract | None", most: int, seed: int) -> Given:
    """Generate rows from a contract: those of its example, then varied ones."""
    from epkit.core.validate.examples import Sampler  # late: a table does not need it

    if contract is None:
        raise UsageError("--sweep rows=: there is no contract to make rows of: name a file with rows (-p rows.csv)")
    sampler = Sampler(contract, seed=seed)
    if sampler.rows is None:
        raise UsageError(
            "--sweep rows=: the contract does not say what a row is: name a file with rows (-p rows.csv), and how they "
            "are wrapped (--wrap)"
        )
    return Given(name="rows made of the contract", values=sampler.make_rows(min(most, MADE_ROWS)))
