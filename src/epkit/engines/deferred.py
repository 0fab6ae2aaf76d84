"""Checks of replies that are too slow for the place where a reply arrives; they run in parallel with the run.

A reply with a new body is passed to a thread, and the block with its row waits for the verdict before it goes to the
sinks. A known body only needs a look-up. The thread pauses between checks, so that it uses at most a fifth of a core;
otherwise the latencies would show it. A reply for which there is no time counts as skipped, and passes. If a check
itself fails on a reply, the reply fails with the error as the reason, and the checks go on.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, Self

import numpy as np

from epkit.core.replies.judging import Verdict
from epkit.core.samples.rows import Failure
from epkit.engines.base import Exchange
from epkit.engines.driver import EXAMPLE_BYTES, FirstFailure, Sink

MOST_WAITING: Final = 256
MOST_BYTES: Final = 16 * 1024 * 1024
REST: Final = 4.0
"""Pause after a check, as a multiple of its duration."""

PATIENCE_S: Final = 5.0
"""Longest wait for the last verdicts at the end of a run."""

Key = tuple[int, bytes]
Check = Callable[[int, bytes, bytes], Verdict]
"""Judges a reply from the index of its payload, its header block and its body."""


@dataclass(slots=True)
class CheckCounts:
    """Numbers of the replies that were to be checked.

    Args:
        checked: replies with a verdict of the check.
        skipped: replies that passed because there was no time for the check.
        crashed: replies that failed because the check raised an error.
    """

    checked: int = 0
    skipped: int = 0
    crashed: int = 0

    @property
    def wanted(self) -> int:
        """Number of replies that were to be checked."""
        return self.checked + self.skipped + self.crashed

    def __add__(self, other: Self) -> "CheckCounts":
        return CheckCounts(self.checked + other.checked, self.skipped + other.skipped, self.crashed + other.crashed)


class _Finding(NamedTuple):
    """The verdict on a body, and whether the check raised an error."""

    verdict: Verdict
    crashed: bool = False


class _Waiting:
    """A reply that is being checked, and its rows: number of the block, place in the block."""

    __slots__ = ("head", "rows", "start", "status")

    def __init__(self, exchange: Exchange) -> None:
        self.head, self.start, self.status = exchange.head, exchange.start, exchange.status
        self.rows: list[tuple[int, int]] = []


class Deferred:
    """Receives the blocks of a driver, and passes them on to its sinks.

    `counts` has the numbers of checked replies. `examples` has the first failure of each kind that was found here, with
    its start as `time.perf_counter_ns`.
    """

    def __init__(self, check: Check, sinks: Sequence[Sink]) -> None:
        self._check = check
        self._sinks = tuple(sinks)
        self._jobs: SimpleQueue[tuple[Key, bytes] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Key, _Finding]] = SimpleQueue()
        self._known: dict[Key, _Finding] = {}
        self._known_bytes = 0
        self._waiting: dict[Key, _Waiting] = {}
        self._waiting_bytes = 0
        self._block = 0  # number of the block that the driver is filling
        self._held: deque[tuple[int, np.ndarray]] = deque()
        self._open: dict[int, int] = {}  # for each block, the number of rows without a verdict
        self._early: list[tuple[int, Failure]] = []  # verdicts on rows that are still in the driver
        self.counts = CheckCounts()
        self.examples: dict[tuple[Failure, int], FirstFailure] = {}
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def inspect(self, row: int, exchange: Exchange) -> Verdict | None:
        """Inspect a reply that has passed the other checks.

        Args:
            row: its place in the block that the driver is filling.

        Returns:
            The verdict on its body, if it is known; None if it comes later, or never.
        """
        key = exchange.payload, exchange.body
        known = self._known.get(key)
        if known is not None:
            self._count(known, 1)
            return known.verdict
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= MOST_WAITING or self._waiting_bytes > MOST_BYTES:
                self.counts.skipped += 1
                return None
            waiting = self._waiting[key] = _Waiting(exchange)
            self._waiting_bytes += len(exchange.body)
            self._jobs.put((key, exchange.head))
        waiting.rows.append((self._block, row))
        self._open[self._block] = self._open.get(self._block, 0) + 1
        return None

    def add(self, block: np.ndarray) -> None:
        """Take a block from the driver, and pass on the blocks whose verdicts are complete."""
        self._drain()
        for row, failure in self._early:
            block["failure"][row] = failure
        self._early.clear()
        number, self._block = self._block, self._block + 1
        if self._held or self._open.get(number):
            self._held.append((number, block.copy()))
            self._release()
        else:
            self._open.pop(number, None)
            self._hand_on(block)

    def finish(self) -> None:
        """Wait a short time for the last verdicts, and pass everything on."""
        deadline = time.monotonic() + PATIENCE_S
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            try:
                self._take(*self._results.get(timeout=left))
            except Empty:
                break
        self._jobs.put(None)
        for waiting in self._waiting.values():
            self.counts.skipped += len(waiting.rows)
        self._waiting.clear()
        self._open.clear()
        self._release()

    def _work(self) -> None:
        """Check replies one after another, with pauses."""
        while (job := self._jobs.get()) is not None:
            (payload, body), head = job
            began = time.perf_counter()
            try:
                finding = _Finding(self._check(payload, head, body))
            except BaseException as error:  # noqa: BLE001 - a check may fail in any way, and the next reply is due
                finding = _Finding((Failure.CONTRACT, f"cannot be checked: {_why(error)}"), crashed=True)
            self._results.put(((payload, body), finding))
            time.sleep(REST * (time.perf_counter() - began))

    def _drain(self) -> None:
        while not self._results.empty():
            self._take(*self._results.get())

    def _count(self, finding: _Finding, replies: int) -> None:
        if finding.crashed:
            self.counts.crashed += replies
        else:
            self.counts.checked += replies

    def _take(self, key: Key, finding: _Finding) -> None:
        """Store a verdict, and write it into its rows."""
        verdict = finding.verdict
        self._known_bytes += len(key[1])
        if self._known_bytes > MOST_BYTES:
            self._known.clear()
            self._known_bytes = len(key[1])
        self._known[key] = finding
        waiting = self._waiting.pop(key)
        self._waiting_bytes -= len(key[1])
        self._count(finding, len(waiting.rows))
        blocks = dict(self._held)
        for number, row in waiting.rows:
            self._open[number] -= 1
            if not verdict[0]:
                continue
            if number == self._block:
                self._early.append((row, verdict[0]))
            else:
                blocks[number]["failure"][row] = verdict[0]
        if verdict[0]:
            self._remember(key, waiting, verdict)

    def _remember(self, key: Key, waiting: _Waiting, verdict: Verdict) -> None:
        kind = verdict[0], waiting.status
        if kind in self.examples:
            self.examples[kind].count += len(waiting.rows)
            return
        self.examples[kind] = FirstFailure(
            failure=verdict[0],
            status=waiting.status,
            detail=verdict[1],
            head=waiting.head,
            body=key[1][:EXAMPLE_BYTES],
            payload=key[0],
            start_ns=waiting.start,
            count=len(waiting.rows),
        )

    def _release(self) -> None:
        """Pass on the blocks whose verdicts are complete, in order."""
        while self._held and not self._open.get(self._held[0][0]):
            number, block = self._held.popleft()
            self._open.pop(number, None)
            self._hand_on(block)

    def _hand_on(self, block: np.ndarray) -> None:
        for sink in self._sinks:
            sink(block)


def _why(error: BaseException) -> str:
    """Return the message of an error in a check. It may quote the reply, so the report masks it."""
    if isinstance(error, RecursionError):
        return "the reply is nested too deeply"
    return " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())
