"""The driver that sends every row of an input to an endpoint, whatever failures occur.

Theory of operation. Chunks of rows are taken from a supply while the window of open chunks has room. Batches are cut
from them and sent. A successful batch settles its rows. A batch that fails for a temporary reason waits and is sent
again. It keeps its place among the requests in flight while it waits, so an endpoint that asks for less gets less. A
batch that fails permanently is cut in halves, down to the rows that cause the failure. If no row causes it, because the
first requests all fail alike, the run ends (`epkit.core.score.doubt`). Rows are passed on in input order, as soon as
all rows before them are settled (`epkit.core.score.conveyor`). Reading and writing wait until the pending replies are
handled.

A refusal (429, or 503 with a time to wait) means that the endpoint is full, not that it fails. A kept connection that
breaks before the first byte of a reply was probably closed by the server. Neither counts as a try while others succeed.
"""

import heapq
import random
from array import array
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from epkit.core.http.headers import fields
from epkit.core.http.request import Request
from epkit.core.http.request_ids import REQUEST_ID, request_id
from epkit.core.replies.finding import FoundPredictions, ReplyPlace
from epkit.core.replies.joining import JoinError, in_order, join
from epkit.core.replies.judging import BadReply, read_reply, text_of_reply
from epkit.core.replies.predictions import Failed
from epkit.core.samples.rows import Failure
from epkit.core.score.adaptive import ConcurrencyWindow
from epkit.core.score.batching import FIRST, Batch, Packer
from epkit.core.score.conveyor import Conveyor, Policy
from epkit.core.score.doubt import ENOUGH, Doubt
from epkit.core.score.retrying import REFUSED, RetryWait, Waits, is_transient, retry_after
from epkit.core.stats.histogram import Histogram
from epkit.engines.base import FOREVER, INTERRUPTED, Arrival, Exchange

PATIENT_REFUSALS: Final = 10
"""How often a batch may be refused while others succeed, as a multiple of the retries."""

PATIENT_STALES: Final = 2
"""The same for kept connections that the endpoint closes."""

FLUSH_NS: Final = 1_000_000_000
"""Longest time for which settled rows wait to be passed on."""

CATCH_UP_NS: Final = 20_000_000
"""How much of a delay is made up for by a higher rate: the resolution of timers, but no burst."""

HOPELESS: Final = frozenset({401, 403, 404, 405, 407, 415, 431})
"""Statuses that every other request would get too."""

KEPT_CHARACTERS: Final = 64 * 1024
"""Greatest size of an unusable reply that is kept."""


class Outcome(NamedTuple):
    """The result of a batch without predictions.

    An exchange is reused for the connection's next request, so its values are copied. `stale`: a kept connection broke
    before the first byte of the reply; most likely the server had closed it already. `shared`: the first requests all
    had this result, also those with a single row.
    """

    failure: Failure
    status: int
    head: bytes
    body: bytes
    detail: str
    start: int
    end: int
    stale: bool = False
    shared: bool = False


class BatchDriver:
    """Sends the rows of a supply in batches, and passes them on with their results."""

    def __init__(
        self,
        rows: Conveyor,
        packer: Packer,
        make: Callable[[bytes, str], Request],
        *,
        policy: Policy,
        explain: Callable[[Outcome], str],
        dice: random.Random,
        later: Callable[[Callable[[], None]], object],
        wake: Callable[[], None],
        mask: Callable[[bytes, list[Any]], list[Any]] | None = None,
        place: ReplyPlace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        waiting: Callable[[RetryWait], None] = lambda _: None,
    ) -> None:
        """Prepare a run.

        Public attributes: `requests`, `retries`, `rows`, `failed_rows`, `in_flight` (counters), `service` (service
        times of the successful requests), `waits` (requested by the endpoint), `hopeless` (why the run ended early, or
        None).

        Args:
            rows: cuts the batches, with the same packer and policy.
            make: builds a request from a body and an id.
            explain: describes the result of a failed request, without credentials.
            dice: random numbers for jitter.
            later: calls a function when the pending replies are handled.
            wake: wakes the parked slots.
            mask: removes credentials from predictions, as for `read_reply`.
            place: where a reply has its predictions, if it is known.
            now: the wall clock.
            waiting: called at the start of a wait that the endpoint asks for.
        """
        self._rows, self._packer, self._make = rows, packer, make
        self._policy, self._explain, self._dice, self._now, self._mask = policy, explain, dice, now, mask
        self._place = place
        self._doubt: Doubt[Outcome] = Doubt(proved=policy.proved)
        self._window = ConcurrencyWindow(policy.concurrency)
        self._later, self._wake = later, wake
        self._tidying = False
        self._ended_at = 0
        self._stopped = False
        self._waiting: list[tuple[int, int, Batch]] = []
        self._flying: dict[int, tuple[Batch, int]] = {}
        self._number = 0
        self._not_before = self._due = 0
        self._flush_at = 0
        self._wins = 0
        self._run_id = f"{dice.getrandbits(48):012x}"
        self._parked = False
        self._times = array("q")
        self.requests = self.retries = 0
        self.hopeless: Outcome | None = None
        self.waits = Waits(waiting)
        self.service = Histogram()

    @property
    def rows(self) -> int:
        """Number of rows that were passed on."""
        return self._rows.rows

    @property
    def failed_rows(self) -> int:
        """Number of rows that were given up."""
        return self._rows.failed_rows

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return len(self._flying)

    # Called by the engine.

    def begin(self) -> None:
        """Do nothing: no time is measured before the first request."""

    def next(self, now: int) -> Arrival | None:
        """Return the next batch, if one may be sent now."""
        policy = self._policy
        if self._stopped or now < self._not_before or now < self._due or len(self._flying) >= self._window.size:
            return None
        if self._waiting and self._waiting[0][0] <= now:
            batch = heapq.heappop(self._waiting)[2]
            body, stop = self._packer.pack(batch.chunk, batch.start, batch.stop)
            if stop < batch.stop:
                # The limit of a body has shrunk since it was cut: the rest becomes a batch of its own.
                self._push(Batch(batch.chunk, stop, batch.stop, batch.patience), now)
                batch.stop = stop
        else:
            if len(self._flying) + len(self._waiting) >= self._window.size:
                return None
            cut = self._pick(now)
            if cut is None:
                return None
            batch, body = cut
        if policy.interval_ns:
            self._due = max(self._due, now - CATCH_UP_NS) + policy.interval_ns
        self._number += 1
        batch.id = request_id(self._run_id, self._number)
        if batch.began == FIRST:
            batch.began = batch.wins = self._wins
        self._flying[self._number] = batch, len(body)
        return now, self._number, self._make(body, batch.id)

    def rest(self, now: int) -> int | None:
        """Return until when a slot rests; None if nothing is left to do."""
        if self._stopped or self.is_over:
            return None
        self._parked = True
        if len(self._flying) >= self._window.size:
            return FOREVER
        soon = max(self._not_before, self._due, now)
        times = [max(soon, ready) for ready, _, _ in self._waiting[:1]]
        free = len(self._flying) + len(self._waiting) < self._window.size
        if free and self._rows.may_cut and self._may_cut:
            times.append(soon)
        if self._doubt.held and not (self._flying or self._waiting):
            times.append(soon)
        return min(times, default=FOREVER)

    def done(self, exchange: Exchange) -> None:
        """Handle the result of a batch."""
        x = exchange
        batch, size = self._flying.pop(x.payload)
        self.requests += 1
        failure, detail = x.failure, x.detail
        if not failure:
            if 200 <= x.status < 300:
                found = read_reply(x.head, x.body, len(batch), place=self._place, mask=self._mask)
                assert found is not None  # the number of rows is known
                if isinstance(found, FoundPredictions) and _is_foreign(x.head, x.body, batch.id):
                    found = BadReply(Failure.TRANSPORT, "the reply names the id of another request")
                if isinstance(found, BadReply):
                    failure, detail, _ = found
                else:
                    try:
                        self._succeed(batch, found, x)
                    except JoinError as error:
                        failure, detail = Failure.MISMATCH, str(error)
                    else:
                        self._go_on(x.end)
                        return
            else:
                failure = Failure.STATUS
        stale = failure is Failure.TRANSPORT and not x.head and x.connected == x.start
        self._fail(batch, size, Outcome(Failure(failure), x.status, x.head, x.body, detail, x.start, x.end, stale))
        self._go_on(x.end)

    # Called by the flow.

    @property
    def is_over(self) -> bool:
        """Whether every row has been settled."""
        return self._rows.is_cut_up and not (self._flying or self._waiting) and not self._doubt.held

    def finish(self) -> None:
        """Pass on the settled rows and record the times: at the end, or when they are needed."""
        self._rows.drain()
        self._rows.flush()
        self._note_times()

    # How results are handled.

    def _succeed(self, batch: Batch, found: FoundPredictions, x: Exchange) -> None:
        """Settle the rows of a batch with the predictions of its reply.

        Raises:
            JoinError: the reply does not say which rows the predictions belong to.
        """
        values = found.values
        if found.row_keys is not None or isinstance(values[0], dict):
            self._join(batch, found, x.status)
        else:
            batch.chunk.succeed(batch.start, values)
        self._wins += 1
        self._window.succeeded()
        if self._doubt.is_open:
            self._release(x.end)
        self._times.append(x.end - x.start)
        if len(self._times) >= 4096:
            self._note_times()

    def _join(self, batch: Batch, found: FoundPredictions, status: int) -> None:
        """Settle rows with a reply that has an index.

        Raises:
            JoinError: no row matches the index.
        """

        def rows() -> list[dict[str, Any]]:
            return self._packer.decoded(batch.chunk, batch.start, batch.stop)

        if found.row_keys is None:
            first = self._packer.decoded(batch.chunk, batch.start, batch.start + 1)
            values = in_order(found.values, rows, first[0]) if first else found.values
            batch.chunk.succeed(batch.start, values)
            return
        joined = join(found, len(batch), rows)
        batch.chunk.succeed(batch.start, joined.values)
        for place, words in joined.faults.items():
            why = Failed(reason=Failure.MISMATCH.name.lower(), status=status, detail=words)
            self._rows.miss(batch.chunk, batch.start + place, why)

    def _fail(self, batch: Batch, size: int, x: Outcome) -> None:
        if x.detail == INTERRUPTED:
            self._push(batch, x.end)  # its rows stay open, and are sent when the job is resumed
            return
        if self._is_hopeless(batch, x):
            self._end(batch, x)
        elif x.failure is Failure.STATUS and x.status == 413 and len(batch) > 1:
            self._packer.most_bytes = min(self._packer.most_bytes, size // 2)
            self._divide(batch, x, batch.patience)
        elif not is_transient(x.failure, x.status):
            self._blame(batch, x)
        elif self._may_go_again(batch, x):
            self.retries += 1
        else:
            self._divide(batch, x, self._patience(batch))

    def _patience(self, batch: Batch) -> int:
        """Return the number of tries for the halves of a batch.

        If nothing else succeeds either, the endpoint may be the cause: then the halves get as many tries as the whole.
        """
        return min(1, self._policy.retries) if self._wins > batch.began else self._policy.retries

    def _blame(self, batch: Batch, x: Outcome) -> None:
        """Search for the rows that cause a failure, unless no row does."""
        doubt = self._doubt
        kind = x.failure, x.status
        if not (doubt.is_open and doubt.take(batch, x, kind=kind, words=x.detail or self._explain(x), body=x.body)):
            self._release(x.end)
            self._divide(batch, x, self._patience(batch))
        elif doubt.is_certain and (doubt.has_more or not self._rows.is_cut_up or self._flying or self._waiting):
            for held, outcome in doubt.close():
                self._lose(held, outcome)
            self._stopped = True
            self.hopeless = self.hopeless or x._replace(shared=True)

    def _release(self, now: int) -> None:
        """Search for the rows that cause a failure in the batches that were held back."""
        for batch, outcome in self._doubt.close():
            self._divide(batch, outcome._replace(end=now), self._patience(batch))

    @property
    def _may_cut(self) -> bool:
        """Whether more batches may be sent: if some failed and none has succeeded, only enough to find the cause."""
        held = self._doubt.held
        return not held or held + len(self._flying) < ENOUGH

    def _pick(self, now: int) -> tuple[Batch, bytes] | None:
        """Cut the next batch; if the first ones failed alike, it has only one row."""
        cut = self._rows.cut() if self._may_cut else None
        if cut is not None or self._flying or self._waiting or not self._doubt.held:
            return cut
        batch = self._doubt.probe()
        if batch is not None:
            return batch, self._packer.pack(batch.chunk, batch.start, batch.stop)[0]
        self._release(now)
        self._go_on(now)
        return None

    def _may_go_again(self, batch: Batch, x: Outcome) -> bool:
        """Put a batch back, unless it has been tried often enough."""
        wait = retry_after(fields(x.head), self._now()) if x.status else None
        refused = x.status == 429 or (x.status in REFUSED and wait is not None)
        if refused:
            self._window.refused(x.start, x.end)
        most = PATIENT_REFUSALS * batch.patience if refused else PATIENT_STALES * batch.patience if x.stale else 0
        if self._wins > batch.wins and batch.refusals < most:
            batch.refusals += 1
        else:
            batch.tries += 1
        batch.wins = self._wins
        if batch.tries > batch.patience:
            return False
        if wait is None:
            rest_ns = self._policy.backoff.delay_ns(batch.tries + batch.refusals, self._dice.random())
        else:
            rest_ns = wait.ns
            self.waits.ask(wait, x.end)
            if refused:
                self._not_before = max(self._not_before, x.end + rest_ns)
        self._push(batch, x.end + rest_ns)
        return True

    def _divide(self, batch: Batch, x: Outcome, patience: int) -> None:
        """Cut a batch that failed permanently, or give its only row up."""
        if len(batch) > 1:
            for half in batch.halves(patience):
                self._push(half, x.end)
            return
        self._lose(batch, x)

    def _lose(self, batch: Batch, x: Outcome) -> None:
        why = Failed(reason=x.failure.name.lower(), status=x.status, detail=self._explain(x))
        self._rows.lose(batch.chunk, batch.start, batch.stop, why)
        if x.failure is not Failure.TRANSPORT and 200 <= x.status < 300 and x.body:
            # The reply is kept: it may contain the predictions in another form.
            batch.chunk.reasons[batch.start] = replace(why, reply=text_of_reply(x.head, x.body, KEPT_CHARACTERS))

    def _is_hopeless(self, batch: Batch, x: Outcome) -> bool:
        """Tell whether every other request would have this result."""
        if x.failure is Failure.STATUS:
            redirected = 300 <= x.status < 400
            unkeyed = x.status == 400 and b"authorization header is malformed" in x.body[:4096].lower()
            return redirected or unkeyed or x.status in HOPELESS
        if x.failure is Failure.CONNECT:
            return batch.tries >= batch.patience and self._wins == batch.wins
        return x.failure is Failure.TLS

    def _end(self, batch: Batch, x: Outcome) -> None:
        """End the run. The rows of the batch stay open."""
        self._push(batch, x.end)
        self._stopped = True
        self.hopeless = self.hopeless or x

    def _push(self, batch: Batch, ready: int) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (ready, self._number, batch))

    # How rows are passed on.

    def _go_on(self, now: int) -> None:
        """Schedule slow work for later: replies come in bursts, and the next requests are sent first."""
        self._ended_at = now
        if not self._tidying:
            self._tidying = True
            self._later(self._tidy)
        self._wake_parked()

    def _tidy(self) -> None:
        """Pass on settled rows, and read ahead, one chunk at a time."""
        self._tidying = False
        self._rows.drain()
        if self._ended_at >= self._flush_at:
            self._flush_at = self._ended_at + FLUSH_NS
            self._rows.flush()
        if not self._stopped and self._rows.is_short and self._rows.read() and not self._tidying:
            self._tidying = True
            self._later(self._tidy)
        self._wake_parked()

    def _wake_parked(self) -> None:
        if self._parked:
            self._parked = False
            self._wake()

    def _note_times(self) -> None:
        self.service.add(np.frombuffer(self._times, dtype=np.int64))
        self._times = array("q")


def _is_foreign(head: bytes, body: bytes, sent: str) -> bool:
    """Tell whether a reply has the id of another request."""
    block = head[: len(head) - len(body)] if head.endswith(body) else head
    if b"client-request-id" not in block.lower():
        return False
    return fields(block).get(REQUEST_ID, sent) != sent
