"""What a display of a run under way is made of; a block costs microseconds, all else is left until somebody looks."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from epkit.core.stats.histogram import Histogram
from epkit.core.stats.percentiles import PS

SECOND_NS: Final = 1_000_000_000
SECONDS: Final = 40
"""Seconds that the sparkline shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A run so far.

    Args:
        elapsed_s: time until the last request that has ended.
        per_s: number of requests that ended in each of the last whole seconds, the oldest first.
        percentiles_ms: p50, p90, p99 of the successes so far; empty before the first success.
        failures: number by kind, the most frequent first.
        in_flight: mean of the last two seconds.
        rows: rows of the successes; None if the payloads have no known number of rows.
        title: name of the current part of a run with several parts, otherwise empty.
    """

    done: int
    elapsed_s: float
    per_s: tuple[int, ...]
    percentiles_ms: tuple[float, ...]
    failures: tuple[tuple[str, int], ...]
    in_flight: float
    rows: int | None = None
    title: str = ""


class Live:
    """Collects the samples of a run for `view`. `title` names the current part of a run with several parts."""

    def __init__(self) -> None:
        self.title = ""
        self.restarted()

    def restarted(self, rows_of: Sequence[int | None] = ()) -> Callable[[np.ndarray], None]:
        """Clear everything at the start of another run; return the function that takes its blocks.

        Args:
            rows_of: number of rows of each payload, None if it is not known.
        """
        known = [rows for rows in rows_of if rows is not None]
        self._rows_of = np.array(known, dtype=np.int64) if known and len(known) == len(rows_of) else None
        self._rows = 0
        self._histogram = Histogram()
        self._waiting: list[np.ndarray] = []
        self._failures: Counter[int] = Counter()
        self._seconds: deque[list[int]] = deque(maxlen=SECONDS)  # index, ended, ns spent
        self._done = 0
        self._end_ns = 0
        return self.add

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples; see `epkit.core.samples.rows`."""
        if not len(block):
            return
        # Blocks from several workers may span a fifth of a second: in the current second they would weigh too much.
        before = int(np.searchsorted(block["end"], int(block["end"][-1]) // SECOND_NS * SECOND_NS))
        if before:
            self._take(block[:before])
        self._take(block[before:])

    def _take(self, block: np.ndarray) -> None:
        spent = block["end"] - block["start"]
        failure = block["failure"]
        self._done += len(block)
        self._end_ns = max(self._end_ns, int(block["end"][-1]))
        if failure.any():
            self._failures.update(failure[failure != 0].tolist())
            self._waiting.append(spent[failure == 0])
        else:
            self._waiting.append(spent)
        if self._rows_of is not None:
            self._rows += int(self._rows_of[block["payload"][failure == 0]].sum())
        self._note(len(block), int(spent.sum()))

    def merge(self, digest: Summary, end_ns: int) -> None:
        """Add a worker's digest of some time up to *end_ns*."""
        counters = digest.counters
        self._done += digest.rows
        self._end_ns = max(self._end_ns, end_ns)
        self._failures.update(counters.failures())
        if self._rows_of is not None:
            self._rows += counters.rows(self._rows_of)
        self._histogram.merge(digest.later("service"))
        self._note(digest.rows, counters.in_flight_ns)

    def _note(self, ended: int, spent_ns: int) -> None:
        """Add requests to the current second."""
        index = self._end_ns // SECOND_NS
        if not self._seconds or self._seconds[-1][0] < index:
            last = self._seconds[-1][0] if self._seconds else -1
            self._seconds.extend([between, 0, 0] for between in range(max(last + 1, index - SECONDS), index + 1))
        self._seconds[-1][1] += ended
        self._seconds[-1][2] += spent_ns

    def view(self) -> View:
        """Return the data to show."""
        if self._waiting:
            self._histogram.add(np.concatenate(self._waiting))
            self._waiting.clear()
        has_latency = self._histogram.count > 0
        whole = list(self._seconds)[:-1]
        recent = list(self._seconds)[-2:]
        since = SECOND_NS * recent[0][0] if recent else 0
        return View(
            done=self._done,
            elapsed_s=self._end_ns / SECOND_NS,
            per_s=tuple(ended for _, ended, _ in whole),
            percentiles_ms=tuple(self._histogram.percentile(PS[p]) / 1e6 for p in ("50", "90", "99"))
            if has_latency
            else (),
            failures=tuple((Failure(kind).name.lower(), n) for kind, n in self._failures.most_common()),
            rows=None if self._rows_of is None else self._rows,
            title=self.title,
            in_flight=sum(ns for _, _, ns in recent) / max(1, self._end_ns - since),
        )
