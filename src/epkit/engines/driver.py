"""The driver: the two methods of the request loop, `next` and `done`, for every engine.

`next` returns the request for a free slot. `done` judges its outcome, and packs it as a row of the current block. The
sinks get each full block. Blocks are small, because requests in flight wait meanwhile. In the common case, a reply only
needs a look-up in a dict: a model often repeats replies, so each verdict is remembered by the bytes of the body.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from epkit.core.http.headers import fields, server_ns
from epkit.core.http.request import Request
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Phase
from epkit.core.replies.finding import ReplyPlace
from epkit.core.replies.judging import NOTHING, Depth, Verdict, judge_reply, judge_status, unread_coding
from epkit.core.samples.rows import KEPT, PACKER, SAMPLE, TIMES, Failure, block, complete
from epkit.engines.base import FOREVER, Arrival, Exchange, Loan
from epkit.engines.stamps import Stamps

BLOCK_ROWS: Final = 512
PACK: Final = PACKER.pack_into
PACK_KEPT: Final = KEPT.pack_into
ROW_BYTES: Final = SAMPLE.itemsize
BLOCK_BYTES: Final = BLOCK_ROWS * ROW_BYTES
FLUSH_NS: Final = 100_000_000
REMEMBERED_BYTES: Final = 4096
"""Greatest length of a body whose verdict is remembered."""
MEMO_BYTES: Final = 16 * 1024 * 1024
"""Greatest size of all remembered verdicts, for any number of payloads."""
VERDICT_BYTES: Final = 256
"""Approximate size of a remembered reply without its body."""
DEPLOYMENTS: Final = 255
EXAMPLE_BYTES: Final = 64 * 1024

Sink = Callable[[np.ndarray], None]


@dataclass(slots=True, kw_only=True)
class FirstFailure:
    """The first failed request of a kind, and the number of such requests.

    Args:
        start_ns: its start, ns since the run began; None if nothing of it was sent.
    """

    failure: Failure
    status: int
    detail: str
    head: bytes
    body: bytes
    payload: int
    start_ns: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The processing of every outcome: how thoroughly it is checked, by which functions, and who receives its row.

    Args:
        sinks: each gets every block, only for the duration of the call; times in it are ns since the run began.
        inspect: checks a reply that is good so far more thoroughly; it also gets the place of the reply's row in the
            block. It returns None if the verdict is not known yet.
        log: called with every exchange before it is judged; for `-v`.
        place: the place of the predictions in a reply, if the user gave it.
        strict: whether a contract defines the rows; otherwise a wrong number of predictions is no failure.
    """

    sinks: Sequence[Sink]
    depth: Depth = Depth.REPLY
    inspect: Callable[[int, Exchange], Verdict | None] | None = None
    log: Callable[[Exchange], None] | None = None
    place: ReplyPlace | None = None
    strict: bool = True


class DriverBase:
    """The common part of all drivers: judges outcomes, stores them as rows, and passes them on in blocks."""

    def __init__(
        self,
        requests: Sequence[Request],
        rows: Sequence[int | None],
        judging: Judging,
        times: PhaseTimes,
    ) -> None:
        """Prepare a run.

        These public attributes are complete when the run is over: `began`, `ended` (`time.perf_counter_ns`),
        `started_at`, `deployments` (names by index), `examples` (by kind and status), `first_head` (the header block
        of the first complete reply), `miscounted` (the first numbers of predictions and rows that differ, if that is no
        failure), `unsent` (by payload, the number of requests that never got a connection), `sent` and `failed` (up to
        the last block), `most` (greatest number in flight in each phase that was entered), `gaps` (time in ns between
        the end of a phase, by its index, and the next one), `cpu_s` (process time before the measured phases),
        `late_ns` (time from `began` to the real start of the run). Two attributes can be set before the run. `began_at`
        is the start of the run, if it is not the call of `begin`; call `begin` shortly before it. In `stamps`, `begin`
        sets the start of the run.

        Args:
            requests: one request for each payload.
            rows: number of rows in each payload, None if it is not known.
            times: the driver updates it before a row of the next phase is due.
        """
        self._requests = tuple(requests)
        self._rows = tuple(rows)
        self._sinks = tuple(judging.sinks)
        self._depth, self._inspect, self._log = judging.depth, judging.inspect, judging.log
        self._place, self._strict = judging.place, judging.strict
        self.times = times
        self._verdicts: tuple[dict[bytes, Verdict], ...] = tuple({} for _ in self._requests)
        self._known = tuple(verdicts.get for verdicts in self._verdicts)
        self._room = MEMO_BYTES
        self._buffer = bytearray(BLOCK_BYTES)
        self._offset = 0
        self._headers_matter = True
        self.deployments: list[str] = [""]
        self.examples: dict[tuple[Failure, int], FirstFailure] = {}
        self.first_head = b""
        self.miscounted = ""
        self.unsent: dict[int, int] = {}
        self.began_at: int | None = None
        self.stamps: Stamps | None = None
        self.began = self.ended = self.late_ns = 0
        self.started_at = datetime.now(UTC)
        self._flush_at = FOREVER
        self.sent = self.failed = 0
        self.most: list[int] = []
        self.gaps: dict[int, int] = {}
        self.cpu_s = 0.0

    def begin(self) -> None:
        """Start the clock, at the agreed time if there is one."""
        now = time.perf_counter_ns()
        if self.began_at is not None:
            # The wait is here, because everything is ready: an engine's earlier work would make the first request late.
            while now < self.began_at:
                now = time.perf_counter_ns()
            self.late_ns = now - self.began_at
        self.began = self.ended = now - self.late_ns
        if self.stamps is not None:
            self.stamps.began = self.began
        self.started_at = datetime.now(UTC)
        self._flush_at = now + FLUSH_NS

    @property
    def planned_end(self) -> int | None:
        """The end of the run by its plan, ns since it began; None if the run ends with the last reply."""
        return None

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on, one for each payload: those with a new token. Any thread may call this."""
        self._requests = tuple(requests)

    def done(self, exchange: Exchange) -> None:
        """Judge an exchange and store its row."""
        # Written for speed, because it runs for each request: attributes are fetched once, the common case does only
        # what it needs, and a known verdict takes one look-up.
        x = exchange
        log = self._log
        if log is not None:
            log(x)
        failure, detail, body, status = x.failure, x.detail, x.body, x.status
        if not failure:
            known = self._known[x.payload]
            verdict = known(body) if status == 200 else None
            failure, detail = verdict or self._judge(x)
        if failure:
            self._remember_failure(x, failure, detail)
        offset = self._offset
        end = x.end
        if x.due == x.connected and not self._headers_matter:
            PACK_KEPT(
                self._buffer, offset,
                x.due, x.sent, x.first, end, x.received, len(body), x.payload, status, failure, 0,
            )  # fmt: skip
        else:
            server, deployment = self._read_headers(x) if self._headers_matter else (-1, 0)
            PACK(
                self._buffer, offset,
                x.start, x.sent, x.first, end, x.received, len(body), x.payload, status, failure, deployment,
                x.due, x.tcp, x.connected, server,
            )  # fmt: skip
        self._offset = offset = offset + ROW_BYTES
        if offset == BLOCK_BYTES or end > self._flush_at:
            self.flush()

    def is_good(self, payload: int, body: bytes) -> bool:
        """Tell whether a reply of status 200 with this body was judged to be good, and always will be."""
        return self._known[payload](body) == NOTHING

    def over(self) -> None:
        """Take note that a request is over whose row is stored."""

    def _loan(self, left: int, until: int, payload: int, step: int) -> Loan | None:
        """Return the numbers that are lent, if the outcomes of a request need no more than a row."""
        if self._headers_matter or self._log is not None:
            return None
        return self._buffer, self._offset, self._flush_at, left, until, payload, step, self._requests

    def waiting(self) -> int:
        """Return how many requests of an open phase are due and not over; 0 in a closed phase, in which none waits."""
        return 0

    def flush(self) -> None:
        """Pass the rows so far to the sinks."""
        rows = self._offset // ROW_BYTES
        self._flush_at = time.perf_counter_ns() + FLUSH_NS
        if not rows:
            return
        self._offset = 0
        samples = block(self._buffer, rows)
        complete(samples)
        self.sent += rows
        self.failed += int(np.count_nonzero(samples["failure"]))
        self.ended = int(samples["end"].max())
        for name in TIMES:
            samples[name] -= self.began
        for sink in self._sinks:
            sink(samples)
        samples["due"] = 0  # for `complete`

    def _judge(self, x: Exchange) -> Verdict:
        self.first_head = self.first_head or x.head
        failure = judge_status(x.status)
        request = self._requests[x.payload]
        method = request.method
        # A 204 has no body. This is a good answer to a GET or a PUT, but has no predictions for posted rows.
        bodiless = method == "HEAD" or (x.status == 204 and method != "POST")
        if failure or bodiless or self._depth is Depth.STATUS:
            return failure, ""
        if self._depth is Depth.REPLY and x.body and unread_coding(x.head) is not None:
            return failure, ""  # the report says that such replies are judged by their status
        rows = self._rows[x.payload]
        sent_json = rows is not None or request.body[:1] in (b"{", b"[")
        verdict = judge_reply(x.head, x.body, rows, place=self._place, sent_json=sent_json)
        if verdict[0] is Failure.MISMATCH and not self._strict:
            self.miscounted = self.miscounted or verdict[1]
            verdict = NOTHING
        if self._inspect is not None and not verdict[0]:
            known = self._inspect(self._offset // ROW_BYTES, x)
            if known is None:
                return verdict
            verdict = known
        if x.status == 200 and len(x.body) <= REMEMBERED_BYTES:
            self._room -= VERDICT_BYTES + len(x.body)
            if self._room < 0:
                for verdicts in self._verdicts:
                    verdicts.clear()
                self._room = MEMO_BYTES - VERDICT_BYTES - len(x.body)
            self._verdicts[x.payload][x.body] = verdict
        return verdict

    def _remember_failure(self, x: Exchange, failure: Failure, detail: str) -> None:
        if x.sent == x.connected:
            self.unsent[x.payload] = self.unsent.get(x.payload, 0) + 1
        key = failure, x.status
        example = self.examples.get(key)
        if example is not None:
            example.count += 1
        else:
            self.examples[key] = FirstFailure(
                failure=failure,
                status=x.status,
                detail=detail,
                head=x.head,
                body=x.body[:EXAMPLE_BYTES],
                payload=x.payload,
                start_ns=None if x.sent == x.connected else x.start - self.began,
            )

    def _read_headers(self, x: Exchange) -> tuple[int, int]:
        headers = fields(x.head)
        server = server_ns(headers)
        name = headers.get("azureml-model-deployment", "")
        if server < 0 and not name and 200 <= x.status < 300:
            # The first good reply has neither value, so no later one will. A search costs more than all other work.
            self._headers_matter = False
        if name not in self.deployments and len(self.deployments) < DEPLOYMENTS:
            self.deployments.append(name)
        return server, self.deployments.index(name) if name in self.deployments else 0


class ClosedLoop(DriverBase):
    """A phase that its slots drive: each slot sends its next request when its last one is over."""

    def __init__(
        self,
        phase: Phase,
        requests: Sequence[Request],
        rows: Sequence[int | None],
        judging: Judging,
        times: PhaseTimes,
    ) -> None:
        """Prepare a phase.

        Args:
            requests: one request for each payload, sent in turn.
            rows, times: as in `DriverBase`.
        """
        super().__init__(requests, rows, judging, times)
        self.most.append(phase.concurrency if phase.requests is None else min(phase.concurrency, phase.requests))
        self._payload, self._step = phase.first % len(self._requests), phase.step
        self._only = self._requests[0] if len(self._requests) == 1 else None
        self._left = phase.requests if phase.requests is not None else 2**62
        self._duration = phase.duration_ns
        self._until = FOREVER

    def begin(self) -> None:
        """Start the clock."""
        super().begin()
        self.times.enter(0)
        if self._duration is not None:
            self._until = self.began + self._duration

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on."""
        super().replace(requests)
        self._only = self._requests[0] if len(self._requests) == 1 else None

    def stop(self) -> None:
        """Return no more arrivals from `next`."""
        self._left = 0

    def next(self, now: int) -> Arrival | None:
        """Return the next request, which is due now; None if the phase is over."""
        left = self._left
        if not left or now >= self._until:
            return None
        self._left = left - 1
        if self._only is not None:
            return now, 0, self._only
        payload = self._payload
        self._payload = (payload + self._step) % len(self._requests)
        return now, payload, self._requests[payload]

    def lend(self) -> Loan | None:
        """Lend the rows and the arrivals to a faster loop."""
        return self._loan(self._left, self._until, self._payload, self._step)

    def settle(self, offset: int, left: int, payload: int) -> None:
        """Take them back."""
        self._offset, self._left, self._payload = offset, left, payload
