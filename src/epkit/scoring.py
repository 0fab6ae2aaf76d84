"""`epkit score` in Python: takes rows of any kind, and returns predictions one by one or all at once."""

import asyncio
import io
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals
from typing import Any, Final

from epkit.core import quantities
from epkit.core.display import Displayed
from epkit.core.http.destination import Tls
from epkit.core.load.cluster import ClusterAddress
from epkit.core.replies.predictions import Failed, Layout
from epkit.core.score.pieces import Piece
from epkit.core.score.scored import JobProgress, ScoreResult
from epkit.errors import EndpointError
from epkit.files.dialects import TableOptions, names_of
from epkit.files.predicted import FilelessWriter, Writer
from epkit.flows.rows.input import rows_from_python
from epkit.flows.score.options import ScoreOptions
from epkit.flows.score.score import score as run
from epkit.flows.target.request_options import RequestOptions
from epkit.notebook import CellProgress, Look, at_work, awake, end_early, look, masked
from epkit.process import Interrupts
from epkit.reporters import score_text

_log = logging.getLogger("epkit")

AHEAD: Final = 64
"""Pieces of predictions that may wait for a slow reader before the job waits too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRow:
    """A row without a prediction.

    Args:
        row: its number, from 0.
        reason: as in `OUT.failed.jsonl`: `status`, `timeout`, `application`, `mismatch`, `contract`, …
        status: the status of the reply; None if there was no reply.
        detail: the words of the endpoint, credentials masked.
    """

    row: int
    reason: str
    status: int | None
    detail: str


class Predictions(Displayed, list[Any]):
    """The predictions of rows in their order; None for a row without a prediction.

    `failures` has the reasons, and `summary` describes the job. If `partial` is true, the job was interrupted, and the
    list has the first rows only.
    """

    def __init__(self, predictions: Sequence[Any], failures: Sequence[FailedRow], summary: ScoreResult) -> None:
        super().__init__(predictions)
        self.failures = tuple(failures)
        self.summary = summary

    @property
    def partial(self) -> bool:
        """Whether the job was interrupted, so that there are predictions of the first rows only."""
        return self.summary.stopped_by is not None


@look.register
def _(predictions: Predictions) -> Look:
    from epkit.reporters.notebook import sheets

    first, summary = masked(predictions[: sheets.SHOWN_ROWS]), masked(predictions.summary)
    lost = [(failed.row, failed.reason, failed.detail) for failed in masked(predictions.failures)]
    return Look(
        sheet=lambda: sheets.of_predictions(first, len(predictions), lost, summary),
        text=lambda: sheets.predictions_text(first, len(predictions), summary),
    )


class Scoring:
    """Predictions as they arrive, in the order of the rows: `async for prediction in epkit.score(target, rows)`.

    A row without a prediction gives None. `failures` has the reasons for the rows so far. After the iteration,
    `summary` describes the job. Leaving the iteration ends the job. A cancellation while the iteration waits for a
    prediction, such as a notebook's stop button, ends the job early: the iteration ends after the requests in flight.
    """

    def __init__(self, options: ScoreOptions) -> None:
        self._options = options
        self._kept: list[tuple[int, Failed]] = []
        self.summary: ScoreResult | None = None
        self._over = ""

    @property
    def failures(self) -> tuple[FailedRow, ...]:
        """The rows without a prediction."""
        return tuple(
            FailedRow(row=row, reason=why.reason, status=why.status or None, detail=why.detail)
            for row, why in self._kept
        )

    def gather(self) -> Predictions:
        """Run the job here and now, and return all predictions; after an interruption, those so far.

        Raises:
            UsageError, ContractError, EndpointError: as for `score`.
        """
        gathered = _Gathered()
        summary = self._run(gathered)
        return Predictions(gathered.predictions, self.failures, summary)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Run the job in a thread of its own, which has its own loop."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Sequence[Any] | None] = asyncio.Queue()
        hand = _Hand(loop, queue)
        interrupts = Interrupts()
        job = asyncio.create_task(asyncio.to_thread(interrupts.over, self._work, hand))
        try:
            async with awake(), aclosing(_taken(queue, interrupts)) as pieces:
                async for piece in pieces:
                    for prediction in piece:
                        yield prediction
                    hand.taken()
            await job
        finally:
            hand.let_go()
            # The thread ends at its next `write`, or by itself.
            await asyncio.gather(job, return_exceptions=True)

    def _work(self, hand: "_Hand") -> None:
        try:
            self._run(hand)
        except _LeftError:
            return
        finally:
            hand.end()

    def _run(self, writer: Writer) -> ScoreResult:
        with at_work() as context, CellProgress(lambda: self._over) as shown:

            def show(now: JobProgress) -> None:
                self._over = score_text.progress(now)
                shown.show(lambda: self._over)

            progress = show if shown.active else None
            result = run(self._options, context, io.BytesIO(), writer, kept=self._kept, progress=progress)
            self._over = score_text.summary(result)[0]
        if result.stopped_by is not None:
            _log.warning("%s: interrupted after %s", result.target, score_text.rows(result))
        if result.hopeless is not None:
            raise EndpointError(f"{result.target}: {result.hopeless}")
        self.summary = result
        return result


async def _taken(
    queue: "asyncio.Queue[Sequence[Any] | None]", interrupts: Interrupts
) -> AsyncGenerator[Sequence[Any], None]:
    """Yield pieces until the end. The first cancellation ends the job, and the second one also ends this generator."""
    ending = False
    while True:
        try:
            piece = await queue.get()
        except asyncio.CancelledError:
            if ending:
                interrupts.send(Signals.SIGINT)
                raise
            end_early(interrupts)
            ending = True
            continue
        if piece is None:
            return
        yield piece


class _LeftError(Exception):
    """Nobody takes the predictions any more."""


class _Hand(FilelessWriter):
    """A writer that passes predictions to another thread's loop, and waits if that thread falls behind."""

    def __init__(self, loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Sequence[Any] | None]") -> None:
        self._loop, self._queue = loop, queue
        self._room = threading.Semaphore(AHEAD)
        self._left = False

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        self._room.acquire()
        if self._left:
            raise _LeftError
        self._loop.call_soon_threadsafe(self._queue.put_nowait, predictions)

    def taken(self) -> None:
        self._room.release()

    def let_go(self) -> None:
        self._left = True
        self._room.release()

    def end(self) -> None:
        if not self._left:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)


class _Gathered(FilelessWriter):
    """A writer that keeps predictions."""

    def __init__(self) -> None:
        self.predictions: list[Any] = []

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:  # noqa: ARG002
        self.predictions += predictions


def score(
    target: str | None = None,
    rows: Any = None,
    *,
    concurrency: int | str = 8,
    batch_rows: int = 100,
    batch_bytes: int = 1_500_000,
    rate: float | str | None = None,
    retries: int = 5,
    timeout_s: float | str | None = None,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    wrap: str | None = None,
    headers: Mapping[str, str] | None = None,
    key_file: str | None = None,
    deployment: str | None = None,
    schema: str | None = None,
    operation: str | None = None,
    predictions_at: str | None = None,
    validate: bool = True,
    skip_invalid: bool = False,
    carry: Sequence[str] = (),
    drop: Sequence[str] = (),
    encoding: str | None = None,
    decimal: str | None = None,
    header: bool = True,
    cacert: str | None = None,
    insecure: bool = False,
    client_cert: str | None = None,
    proxy: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    cluster_ca: str | None = None,
    cluster_cert: str | None = None,
    cluster_key: str | None = None,
    insecure_cluster: bool = False,
) -> Scoring:
    """Score rows from a running event loop, a notebook's too: `async for prediction in epkit.score(target, rows)`.

    Notes go to the logger `epkit`.

    Args:
        target: a URL or a name in `epkit.toml`; None for EPKIT_TARGET, the default, or the embedded endpoint.
        rows: a polars or pandas frame, a list of objects or of lists, the path of a file, or None for the contract's
            example.
        concurrency: most requests in flight. Counts, times and rates may be texts: `10k`, `1m30s`, `100/m`.
        batch_rows, batch_bytes: most rows and bytes of a request.
        rate: most requests a second.
        retries: how often a request is repeated after a temporary failure.
        timeout_s: of one request; None for the target's own.
        method: `predict` or `predict_proba`.
        params: sent with the rows.
        wrap: the place of the rows in the body, if it differs from the contract's.
        headers: sent along; an Authorization among them is the key.
        schema: a contract to use instead of the target's own.
        operation: the contract's scoring path; None for the target's, or the only POST.
        predictions_at: a JSON pointer to the predictions in a reply; None means the place that the contract names, or
            the usual keys.
        validate: False checks no row; a contract still says how rows are written.
        skip_invalid: rows that break the contract fail, and the others are sent.
        carry, drop: names of columns that are not sent.
        encoding: of the text of a file, such as `cp1252`; None for UTF-8.
        decimal: the decimal separator in a CSV file, `.` or `,`; None refuses numbers with a comma.
        header: False where the first line of a CSV file is a row, whose columns are the contract's.
        cacert: a file of authorities to trust (PEM); *insecure* trusts anybody.
        client_cert: a file with the client's certificate and its key (PEM).
        proxy: `HOST:PORT`, or a URL with credentials in it.
        workers: the number of processes of this machine that share the rows, the concurrency and the rate.
        cluster: address of a Dask scheduler (`tls://host:port`) whose workers share them.
        cluster_ca, cluster_cert, cluster_key: files with its authority, and epkit's certificate and key (PEM); None
            means those of Dask's configuration.
        insecure_cluster: connect to a scheduler on another machine without encryption (`tcp://host:port`).

    Raises:
        UsageError: the rows have an unknown type.
        ContractError, EndpointError: while iterating: nothing was sent, or the endpoint ended the job.
    """
    file = str(rows) if isinstance(rows, str | Path) else None
    table = TableOptions(carry=names_of(carry), drop=names_of(drop), encoding=encoding, decimal=decimal, header=header)
    given = None if rows is None or file is not None else replace(rows_from_python(rows), options=table)
    request = RequestOptions(
        headers=tuple((headers or {}).items()),
        deployment=deployment,
        schema=schema,
        operation=operation,
        predictions_at=predictions_at,
        validate=validate,
        proxy=proxy,
    )
    return Scoring(
        ScoreOptions(
            given=given,
            file=file,
            table=table,
            target=target,
            key_file=key_file,
            wrap=wrap,
            concurrency=quantities.given("concurrency", concurrency, quantities.read_count) or 0,
            batch_rows=batch_rows,
            batch_bytes=batch_bytes,
            rate=quantities.given("rate", rate, quantities.read_rate),
            retries=retries,
            timeout_s=quantities.given("timeout_s", timeout_s, quantities.read_seconds),
            method=method,
            params=params or {},
            request=request,
            skip_invalid=skip_invalid,
            tls=Tls(verify=not insecure, cacert=cacert, client_cert=client_cert),
            workers=workers,
            cluster=ClusterAddress.given(
                cluster, ca=cluster_ca, cert=cluster_cert, key=cluster_key, insecure=insecure_cluster
            ),
        )
    )


def run_score(target: str | None = None, rows: Any = None, **options: Any) -> Predictions:
    """Do what `score` does, and return when all is done.

    Args:
        options: those of `score`.

    Raises:
        UsageError, ContractError, EndpointError: as `score`; a failed row is None in the list, and in its `failures`.
    """
    return score(target, rows, **options).gather()
