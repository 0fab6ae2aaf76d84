"""Writes every sample of a run as a row of a table, with the payload that it sent, so that outliers can be examined."""

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from epkit.core.report.report import Run
from epkit.core.samples.rows import SAMPLE, Failure
from epkit.errors import unwritable
from epkit.files.outputs import check_table
from epkit.files.writing import replacing

if TYPE_CHECKING:
    import polars

KINDS: Final = tuple("" if kind is Failure.NONE else kind.name.lower() for kind in Failure)


def write(
    path: str,
    blocks: Iterable[np.ndarray],
    run: Run,
    rows: Sequence[int | None],
    deployments: Sequence[str],
) -> None:
    """Write the table: one row per request, in order of completion; times in ms.

    If requests have ids, `request_id` is the id of each request that was sent.

    Args:
        blocks: blocks of samples. CSV is written block by block; Parquet is written at the end, in one piece.
        run: the payloads by index; the column `payload` has their names, `FILE:LINE` for a line of a `.jsonl`.
        rows: number of rows in each payload, None if not known.
        deployments: names of the deployments by index.

    Raises:
        UsageError: the file cannot be written; the old contents stay.
    """
    check_table(path)
    frames = _frames(blocks, run, rows, deployments)
    try:
        with replacing(path) as file:
            if path.lower().endswith(".csv"):
                for number, frame in enumerate(frames):
                    file.write(frame.write_csv(include_header=number == 0).encode())
            else:
                import polars

                # In memory first: if the disk is full, polars raises its own kind of error.
                data = io.BytesIO()
                polars.concat(list(frames)).write_parquet(data)
                file.write(data.getbuffer())
    except OSError as error:
        raise unwritable(f"--samples {path}", error) from None


def _frames(
    blocks: Iterable[np.ndarray],
    run: Run,
    rows: Sequence[int | None],
    deployments: Sequence[str],
) -> "Iterator[polars.DataFrame]":
    count = 0
    for block in itertools.chain(blocks, [np.empty(0, dtype=SAMPLE)]):  # an empty table has a header too
        if len(block) or not count:
            yield _frame(block, count, run, rows, deployments)
        count += len(block)


def _frame(
    block: np.ndarray, count: int, run: Run, rows: Sequence[int | None], deployments: Sequence[str]
) -> "polars.DataFrame":
    import polars as pl

    def ms(until: str, since: str) -> np.ndarray:
        return np.asarray(np.maximum(block[until] - block[since], 0) / 1e6)

    def named(column: str, known: Sequence[str | int | None], kind: "type[polars.DataType]") -> "polars.Series":
        return pl.Series(known, dtype=kind).gather(np.minimum(block[column], len(known) - 1).astype(np.uint32))

    names = [payload.name for payload in run.payloads] or [""]
    server = np.where(block["server"] < 0, np.nan, block["server"] / 1e6)
    return pl.DataFrame(
        {
            "request": np.arange(count, count + len(block)),
            **({} if run.request_ids is None else {"request_id": pl.Series(_ids(block, run), dtype=pl.String)}),
            "payload": named("payload", names, pl.String),
            "payload_index": block["payload"].astype(np.int64),
            "rows": named("payload", list(rows) or [None], pl.Int64),
            "failure": named("failure", KINDS, pl.String),
            "status": block["status"].astype(np.int64),
            "deployment": named("deployment", list(deployments) or [""], pl.String),
            "due_ms": block["due"] / 1e6,
            "start_ms": block["start"] / 1e6,
            "service_ms": ms("end", "start"),
            "response_ms": ms("end", "due"),
            "connect_ms": ms("tcp", "start"),
            "tls_ms": ms("connected", "tcp"),
            "waiting_ms": ms("first", "sent"),
            "transfer_ms": ms("end", "first"),
            "server_ms": pl.Series(server).fill_nan(None),
            "received_bytes": block["received"].astype(np.int64),
            "body_bytes": block["body"].astype(np.int64),
        }
    )


def _ids(block: np.ndarray, run: Run) -> list[str | None]:
    """Return the ids of requests; None for those that were not sent."""
    sent = block["sent"] > block["connected"]
    return [
        run.request_id(start) if went else None
        for start, went in zip(block["start"].tolist(), sent.tolist(), strict=True)
    ]
