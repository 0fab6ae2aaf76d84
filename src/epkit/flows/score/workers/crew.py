"""A job of `epkit score` that several workers share, with the interface of a single process's driver.

Rows are read and written here, in input order. Workers request rows and get spans of them (`epkit.core.score.ledger`).
The concurrency and the rate apply to all workers together: a share can only grow after the worker whose share shrinks
has confirmed the smaller one. If a worker is lost, the others get its rows and its share; a worker that joins later
gets a share too.
"""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty
from typing import Any, Final

import numpy as np

from epkit.core.http.masking import clean, mask_text
from epkit.core.http.secret import Secret
from epkit.core.load.shares import count
from epkit.core.score.batching import Chunk
from epkit.core.score.conveyor import room_rows
from epkit.core.score.ledger import Ledger
from epkit.core.score.retrying import LONGEST_WAIT_NS, Waits
from epkit.core.stats.histogram import Histogram
from epkit.engines.batches import Outcome
from epkit.engines.workers.crew import Crew, JoinedMessage, LostMessage, Member, RefusedMessage
from epkit.engines.workers.values import MalformedError
from epkit.flows.context import Note
from epkit.flows.score.words import explainer, note_wait
from epkit.flows.score.workers.work import (
    ScoreAskMessage,
    ScoreCountsMessage,
    ScoreEndedMessage,
    ScoreEndMessage,
    ScoreKeptMessage,
    ScoreRenewMessage,
    ScoreRowsMessage,
    ScoreSettledMessage,
    ScoreShareMessage,
    ScoreWaitMessage,
    ScoreWork,
)
from epkit.process import signals_to

TICK_S: Final = 0.2
FLUSH_S: Final = 1.0
SILENT_S: Final = 60.0
"""A worker that sends nothing for this time is lost: a healthy one reports each second."""

ABRUPT_S: Final = 5.0
"""The same for a job that must end at once."""

MOST_ROWS: Final = 1 << 40
"""Most rows that a worker may request or count."""


@dataclass(slots=True, eq=False)
class WorkerShare:
    """What is known of a worker.

    Args:
        share: the concurrency that it was given last.
        bound: the most requests that it has in flight.
        credit: the number of rows that it may still be sent.
        in_hand: the number of rows that it has and has not returned.
        spans: the numbers of its spans.
        heard_at: when its last message arrived, `time.monotonic`.
    """

    member: Member
    share: int = 0
    bound: int = 0
    credit: int = 0
    in_hand: int = 0
    spans: set[int] = field(default_factory=set)
    counts: ScoreCountsMessage = field(default_factory=ScoreCountsMessage)
    is_over: bool = False
    heard_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Renewed:
    """Another value of Authorization, for the thread that runs the job."""

    value: Secret


class ScoreCrew:
    """The driver and the engine of a job; `rows`, `failed_rows`, `in_flight` and so on are those of `BatchDriver`."""

    def __init__(
        self,
        crew: Crew,
        work: ScoreWork,
        supply: Callable[[], Chunk | None],
        write: Callable[[Chunk, int], None],
        *,
        secrets: Sequence[Secret],
        note: Note,
    ) -> None:
        """Prepare a job.

        Args:
            work: the work that all workers get; its policy is that of the whole job.
            supply: reads the next chunk; None at the end.
            write: takes the rows of a chunk, from its `written` up to an index; called in input order.
            secrets: read whenever they are sent to a worker.
            note: called when a worker is lost or joins.
        """
        self._crew, self._work, self._policy = crew, work, work.policy
        self._secrets, self._note = secrets, note
        self._ledger = Ledger(supply, write, room_rows=room_rows(work.policy))
        self._parts: dict[Member, WorkerShare] = {}
        self._caught: list[signal.Signals] = []
        self._stopping = False
        self.service = Histogram()
        self.waits = Waits(lambda wait: note_wait(wait, note))
        self.hopeless: Outcome | str | None = None

    # The interface of a driver.

    @property
    def rows(self) -> int:
        """Number of rows that have been written."""
        return self._ledger.rows

    @property
    def failed_rows(self) -> int:
        """Number of rows that have been given up."""
        return self._ledger.failed_rows

    @property
    def requests(self) -> int:
        """Number of requests that have ended, as far as the workers have reported."""
        return sum(part.counts.requests for part in self._parts.values())

    @property
    def retries(self) -> int:
        """Number of these requests that were repeated."""
        return sum(part.counts.retries for part in self._parts.values())

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return sum(part.counts.in_flight for part in self._living)

    @property
    def is_over(self) -> bool:
        """Whether every row is settled."""
        return self._ledger.is_over

    def finish(self) -> None:
        """Write the settled rows."""
        self._ledger.drain()
        self._ledger.flush()

    def renew(self, value: Secret) -> None:
        """Send another Authorization from now on; may be called from any thread."""
        self._crew.inbox.put((None, _Renewed(value)))

    # The job.

    def run(self, tick: Callable[[], None] | None) -> signal.Signals | None:
        """Run the job.

        Args:
            tick: called about five times a second.

        Returns:
            The signal that ended it early.

        Raises:
            EpkitError: the job cannot start, or its output cannot be written.
        """
        with signals_to(lambda number: self._crew.inbox.put((None, number))):
            self._begin()
            due = flush_at = time.monotonic()
            while self._living:
                self._listen(due)
                self._miss_the_silent(time.monotonic())
                self._go_on()
                now = time.monotonic()
                if now >= flush_at:
                    flush_at = now + FLUSH_S
                    self._ledger.flush()
                if now >= due:
                    due = now + TICK_S
                    if tick is not None:
                        tick()
        return self._caught[0] if self._caught else None

    @property
    def _living(self) -> list[WorkerShare]:
        return [part for part in self._parts.values() if not part.is_over]

    def _begin(self) -> None:
        """Give each worker a share, and rows for twice as many requests as its share."""
        members = self._crew.members
        for place, member in enumerate(members):
            self._parts[member] = self._part(member, self._share(place, len(members), delayed=True))
        self._deal()

    def _part(self, member: Member, share: ScoreShareMessage) -> WorkerShare:
        asked = 2 * share.concurrency * self._policy.batch_rows
        member.send(replace(self._work, share=share, asked=asked))
        return WorkerShare(member, share=share.concurrency, bound=share.concurrency, credit=asked)

    def _share(self, place: int, workers: int, *, delayed: bool = False) -> ScoreShareMessage:
        """Return one worker's share of the rate: the same as its share of the concurrency."""
        whole, interval = self._policy.concurrency, self._policy.interval_ns
        concurrency = count(whole, place, workers)
        if not concurrency or not interval:
            return ScoreShareMessage(concurrency)
        # The first request of each worker leaves at the time at which a single process would send it.
        return ScoreShareMessage(concurrency, interval * whole // concurrency, place * interval if delayed else 0)

    def _listen(self, due: float) -> None:
        """Wait for messages, and handle all that have arrived."""
        with suppress(Empty):
            self._hear(*self._crew.inbox.get(timeout=max(0.0, due - time.monotonic())))
            while True:
                self._hear(*self._crew.inbox.get_nowait())

    def _go_on(self) -> None:
        """Give out rows, write settled rows, read ahead, and end the job when all rows are settled."""
        if self._stopping:
            return
        self._deal()
        self._ledger.drain()
        if self._ledger.unsent < self._policy.concurrency * self._policy.batch_rows:
            self._ledger.read()
        self._deal()
        if self._ledger.is_over:
            self._stop(drain=True)

    def _deal(self) -> None:
        """Give rows to the workers that requested some, first to the one with the fewest rows relative to its share."""
        batch = self._policy.batch_rows
        while hungry := [part for part in self._living if part.credit > 0 and part.share]:
            part = min(hungry, key=lambda part: part.in_hand / part.share)
            span = self._ledger.take(part.share * batch)
            if span is None:
                return
            part.spans.add(span.number)
            part.in_hand += len(span)
            part.credit -= len(span)
            part.member.send(ScoreRowsMessage(span.number, span.rows, span.settled))

    def _hear(self, member: Member | None, message: Any) -> None:
        if member is None:
            if isinstance(message, _Renewed):
                self._renew(message.value)
            else:
                self._stop(drain=not self._caught)
                self._caught.append(message)
            return
        part = self._parts.get(member)
        if part is None:
            if isinstance(message, JoinedMessage):
                self._welcome(member)
            return
        if not part.is_over:
            part.heard_at = time.monotonic()
            try:
                self._hear_part(part, message)
            except MalformedError as error:
                self._crew.lose(part.member)
                self._lose(part, f"sent an invalid message: {error}")

    def _hear_part(self, part: WorkerShare, message: Any) -> None:
        """Handle a message of a worker.

        Raises:
            MalformedError: the message is not possible.
        """
        match message:
            case ScoreSettledMessage(number, place, predictions, reasons):
                if number not in part.spans or not self._ledger.fits(number, place, len(predictions), reasons):
                    raise MalformedError("predictions of rows that it does not have")
                part.in_hand -= len(predictions)
                if len(predictions) > len(reasons) and not self._work.policy.proved:
                    self._work = replace(self._work, policy=replace(self._work.policy, proved=True))
                if self._ledger.settle(number, place, predictions, reasons):
                    part.spans.discard(number)
            case ScoreAskMessage(rows):
                if not 0 <= rows <= MOST_ROWS - part.credit:
                    raise MalformedError(f"a wish for {rows:.4g} rows")
                part.credit += rows
            case ScoreCountsMessage():
                _check_counts(message)
                part.counts = message
                self.service.add(np.frombuffer(message.times, dtype=np.int64))
            case ScoreWaitMessage(wait):
                if not 0 <= wait.ns <= min(wait.asked_ns, LONGEST_WAIT_NS):
                    raise MalformedError("a wait that none is granted")
                self.waits.ask(wait, time.perf_counter_ns())
            case ScoreKeptMessage(concurrency):
                if concurrency == part.share:
                    part.bound = concurrency
                    self._balance()
            case ScoreEndedMessage(hopeless, stopped_by):
                self._end(part, hopeless, stopped_by)
            case RefusedMessage(error):
                if not self._crew.is_elsewhere:
                    raise error  # on this machine, all workers would refuse for the same reason
                self._lose(part, f"cannot begin: {error}")
            case LostMessage(why):
                self._crew.lose(part.member)
                self._lose(part, why)

    def _end(self, part: WorkerShare, hopeless: Outcome | None, stopped_by: signal.Signals | None) -> None:
        """Handle the end of a worker's part: it was asked to end, or the endpoint or a signal ended it."""
        part.is_over = True
        # A single machine may have no route to the endpoint; a status is the endpoint's reply and applies to all.
        others = self._crew.is_elsewhere and bool(self._living)
        if hopeless is not None and hopeless.shared and self._work.policy.proved and self._living:
            self._lose(part, "had only rows that fail")
        elif hopeless is not None and (hopeless.status or not others):
            self.hopeless = self.hopeless or hopeless
            self._stop(drain=True)
        elif hopeless is not None:
            self._lose(part, f"cannot reach the endpoint: {explainer(self._secrets)(hopeless)}")
        elif not self._stopping:
            self._lose(part, "was ended" if stopped_by is None else f"was ended by {stopped_by.name}")

    def _lose(self, part: WorkerShare, why: str) -> None:
        """Give the rows and the share of a worker to the others."""
        part.is_over = True
        if self._stopping:
            return
        name = part.member.name
        why = clean(mask_text(why, self._secrets), 300)  # its last message may quote a key
        if not self._living:
            self.hopeless = f"no worker is left: {name}, the last one, {why}"
            return
        self._note(f"{name} is lost: it {why}; its rows go to the others")
        for number in part.spans:
            self._ledger.take_back(number)
        part.spans.clear()
        part.bound = 0
        self._balance()

    def _miss_the_silent(self, now: float) -> None:
        """Give up silent workers. Call it when the inbox is empty, because writing rows may take any time."""
        limit_s = SILENT_S if len(self._caught) < 2 else ABRUPT_S
        for part in self._living:
            if now - part.heard_at > limit_s:
                self._crew.lose(part.member)
                self._lose(part, f"has sent nothing for {limit_s:.0f} s")

    def _welcome(self, member: Member) -> None:
        """Give a share to a worker that has joined."""
        if self._stopping:
            return
        self._note(f"{member.name} joined")
        self._parts[member] = self._part(member, ScoreShareMessage(0))
        self._balance()

    def _balance(self) -> None:
        """Adjust the shares to their targets. A share only grows as far as others have confirmed smaller shares."""
        if self._stopping:
            return
        living = self._living
        wanted = [self._share(place, len(living)) for place in range(len(living))]
        for part, share in zip(living, wanted, strict=True):
            if share.concurrency < part.share:
                self._tell_share(part, share)
        free = self._policy.concurrency - sum(part.bound for part in living)
        for part, share in zip(living, wanted, strict=True):
            more = min(share.concurrency - part.share, free)
            if more > 0:
                free -= more
                self._tell_share(part, replace(share, concurrency=part.share + more))

    def _tell_share(self, part: WorkerShare, share: ScoreShareMessage) -> None:
        part.share = share.concurrency
        part.bound = max(part.bound, part.share)
        part.member.send(share)

    def _renew(self, value: Secret) -> None:
        secrets = tuple(secret.reveal() for secret in self._secrets)
        self._work = replace(
            self._work, template=self._work.template.with_authorization(value.reveal()), secrets=secrets
        )
        for part in self._living:
            part.member.send(ScoreRenewMessage(value.reveal(), secrets))

    def _stop(self, *, drain: bool) -> None:
        """End the job."""
        self._stopping = True
        for part in self._living:
            part.member.send(ScoreEndMessage(drain))


def _check_counts(counts: ScoreCountsMessage) -> None:
    """Refuse counts that are not possible.

    Raises:
        MalformedError: a count is not possible.
    """
    if len(counts.times) % 8 or not all(
        0 <= each <= MOST_ROWS for each in (counts.requests, counts.retries, counts.in_flight)
    ):
        raise MalformedError("counts out of range")
