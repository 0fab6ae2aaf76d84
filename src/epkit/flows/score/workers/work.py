"""A worker's part of a job of `epkit score`: it receives rows, returns their results, and requests more.

A worker requests about as many rows as it needs until the next ones can arrive: enough for one request in each slot, or
as many as it sent during the last tick (a fifth of a second). It returns rows when they are settled, in any order.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from signal import Signals
from typing import TYPE_CHECKING, Any, Final

from epkit.core.http.destination import Destination
from epkit.core.http.masking import KeyGuard
from epkit.core.http.request import Request, Template
from epkit.core.http.secret import Secret
from epkit.core.replies.finding import ReplyPlace
from epkit.core.replies.predictions import Failed
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Policy
from epkit.core.score.retrying import RetryWait
from epkit.engines import runner
from epkit.engines.base import Engine
from epkit.engines.batches import Outcome
from epkit.engines.fed import FedDriver
from epkit.engines.runner import Ran
from epkit.flows.crew.carried import renamed, unpacked
from epkit.flows.score.words import explainer
from epkit.flows.target.transport import engine_class

if TYPE_CHECKING:
    from epkit.flows.crew.worker import Channel

ALIVE_S: Final = 1.0
"""A worker sends a message at least this often."""

# Messages to a worker.


@dataclass(frozen=True, slots=True)
class ScoreRowsMessage:
    """Rows to send: a span with its number; `settled` has one byte per row, which marks rows that must not be sent."""

    number: int
    rows: Sequence[bytes] = field(repr=False)
    settled: bytes | None = None


@dataclass(frozen=True, slots=True)
class ScoreShareMessage:
    """The worker's share of the load.

    Args:
        concurrency: most requests in flight.
        interval_ns: least time from one request to the next; 0 for none.
        delay_ns: the time until the next request may leave.
    """

    concurrency: int
    interval_ns: int = 0
    delay_ns: int = 0


@dataclass(frozen=True, slots=True)
class ScoreRenewMessage:
    """Another value of Authorization, and the new list of secrets to mask."""

    value: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ScoreEndMessage:
    """End the job; *drain*: wait for requests in flight."""

    drain: bool


# Messages from a worker.


@dataclass(frozen=True, slots=True)
class ScoreAskMessage:
    """The number of rows that the worker requests in addition."""

    rows: int


@dataclass(frozen=True, slots=True)
class ScoreSettledMessage:
    """The results of consecutive rows of a span, from an index on; the keys of `reasons` are indices in the span."""

    number: int
    place: int
    predictions: Sequence[Any] = field(repr=False)
    reasons: Mapping[int, Failed] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ScoreKeptMessage:
    """The requests in flight are now within the requested limit; other workers may have the rest."""

    concurrency: int


@dataclass(frozen=True, slots=True)
class ScoreCountsMessage:
    """The counts so far; `times` has the times of successful requests since the last message, int64, ns."""

    requests: int = 0
    retries: int = 0
    in_flight: int = 0
    times: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ScoreWaitMessage:
    """The endpoint requests a wait, which starts now."""

    wait: RetryWait


@dataclass(frozen=True, slots=True)
class ScoreEndedMessage:
    """The worker has finished its part: after a reply, after a signal to the worker, or because it was asked to end."""

    hopeless: Outcome | None = field(repr=False)
    stopped_by: Signals | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreWork:
    """A worker's part of a job.

    Args:
        slots: the largest share that the worker can get: most requests in flight.
        template: the template of the requests; it contains credentials, so it is not in the repr.
        asked: the number of rows that the worker will get without a request.
        secrets: texts that must not appear in the reason of a row.
        files: content of the files that the destination names, if they are not on this machine.
        place: where the predictions are in a reply, if the user named the place.
    """

    destination: Destination = field(repr=False)
    engine: str
    timeout_ns: int
    slots: int
    policy: Policy
    share: ScoreShareMessage
    asked: int
    packer: Packer = field(repr=False)
    template: Template = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    place: ReplyPlace | None = None

    def work(self, channel: "Channel") -> None:
        """Run this part.

        Raises:
            EpkitError: the job cannot start.
        """
        with unpacked(self.files) as here:
            engine = engine_class(self.engine)(renamed(self.destination, here), timeout_ns=self.timeout_ns)
        _Part(self, engine, channel).run()


class _Part:
    """A part of a job, and its messages during the job."""

    def __init__(self, job: ScoreWork, engine: Engine, channel: "Channel") -> None:
        self._job, self._engine, self._channel = job, engine, channel
        self._template = job.template
        self._secrets = [Secret(text) for text in job.secrets]
        self._driver = FedDriver(
            job.packer,
            self._make,
            self._write,
            policy=job.policy,
            explain=explainer(self._secrets),
            dice=random.Random(),  # noqa: S311 - jitter
            later=engine.soon,
            wake=engine.wake,
            waiting=lambda wait: channel.send(ScoreWaitMessage(wait)),
            mask=KeyGuard(self._secrets),
            place=job.place,
        )
        self._asked = job.asked
        self._made = self._lately = 0
        self._reported = ScoreCountsMessage()
        self._alive_at = 0.0
        self._owed: int | None = None
        self._take_share(job.share)

    def run(self) -> None:
        """Run until the part ends."""
        with asyncio.Runner(loop_factory=runner.loop_factory()) as loop:
            ran = loop.run(self._attend())
        self._tell()
        self._channel.send(ScoreEndedMessage(self._driver.hopeless, ran.stopped_by))

    async def _attend(self) -> Ran:
        with self._channel.heard_by(self._hear):
            return await runner.attend(self._engine, self._driver, self._job.slots, tick=self._tick)

    def _hear(self, message: object) -> None:
        match message:
            case ScoreRowsMessage(number, rows, settled):
                chunk = Chunk(number, rows)
                if settled is not None:
                    chunk.settled[:] = settled
                    chunk.open = settled.count(0)
                self._asked -= len(rows)
                self._driver.feed(chunk)
            case ScoreShareMessage():
                self._take_share(message)
                self._ask()
            case ScoreRenewMessage(value, secrets):
                # Before the first request with the new value: a reply that echoes it must be masked.
                self._secrets[:] = [Secret(text) for text in secrets]
                self._template = self._template.with_authorization(value)
            case ScoreEndMessage(drain):
                self._driver.end()
                self._engine.stop(drain=drain)

    def _take_share(self, share: ScoreShareMessage) -> None:
        not_before = time.perf_counter_ns() + share.delay_ns if share.delay_ns else 0
        self._driver.pace(share.concurrency, share.interval_ns, not_before)
        self._owed = share.concurrency
        self._keep()

    def _keep(self) -> None:
        """Confirm a new share as soon as the requests in flight are within it."""
        if self._owed is not None and self._driver.in_flight <= self._owed:
            self._channel.send(ScoreKeptMessage(self._owed))
            self._owed = None

    def _make(self, body: bytes, mark: str) -> Request:
        self._made += 1
        self._ask()
        return self._template.fill(body, mark)

    def _write(self, chunk: Chunk, stop: int) -> None:
        start = chunk.written
        reasons = {place: why for place, why in chunk.reasons.items() if start <= place < stop}
        self._channel.send(ScoreSettledMessage(chunk.first, start, chunk.predictions[start:stop], reasons))
        self._ask()

    def _ask(self) -> None:
        """Request rows, if enough are missing for a message."""
        policy = self._driver.policy
        ahead = policy.batch_rows * max(policy.concurrency, self._lately) if policy.concurrency else 0
        missing = ahead - self._driver.unsent - self._asked
        if missing >= max(policy.batch_rows, ahead // 2):
            self._asked += missing
            self._channel.send(ScoreAskMessage(missing))

    def _tick(self) -> None:
        self._made, self._lately = 0, self._made
        self._keep()
        self._tell()

    def _tell(self) -> None:
        """Send the settled rows and the counts."""
        driver = self._driver
        driver.finish()
        counts = ScoreCountsMessage(driver.requests, driver.retries, driver.in_flight, driver.take_times())
        now = time.monotonic()
        if counts != self._reported or counts.times or now >= self._alive_at:
            self._reported, self._alive_at = counts, now + ALIVE_S
            self._channel.send(counts)
