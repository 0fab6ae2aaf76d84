"""The time series of a run: completions, failures and percentiles per window of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from epkit.core.report.report import Window
from epkit.core.samples.latency import WHOLE, series
from epkit.core.stats import histogram
from epkit.core.stats.percentiles import PS, rank

COARSE: Final = 3
"""Buckets of the histogram in one bucket of a window: 2³. So 3,600 windows, the series of a day, fit into memory."""

WIDTH_NS: Final = 1_000_000_000
MOST_DOUBLINGS: Final = 20
"""Greatest width that another process can have: 3,600 windows of 2²⁰ seconds are a century."""

MOST: Final = 3600
"""If there are more windows, they are merged in pairs: an hour has seconds, a day has half minutes."""


@dataclass(slots=True)
class Tally:
    """One window: the number of requests that ended in it, and the service times of the successes.

    Args:
        times: the times themselves, in pieces, if percentiles are exact; otherwise
        keys, counts: sorted numbers of histogram buckets, and the number of times in each.
    """

    completed: int = 0
    failed: int = 0
    times: list[np.ndarray] = field(default_factory=list)
    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def merge(self, other: "Tally") -> None:
        """Add the counts of *other*."""
        self.completed += other.completed
        self.failed += other.failed
        self.times += other.times
        if len(other.keys):
            keys, place = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
            weights = np.concatenate([self.counts, other.counts])
            self.keys, self.counts = keys, np.bincount(place, weights, len(keys)).astype(other.counts.dtype)

    def percentiles_ns(self, *wanted: str) -> list[int | None]:
        """Return nearest-rank percentiles of the service time; each is None if there is no success."""
        if len(self.keys):
            below = np.cumsum(self.counts)
            places = [np.searchsorted(below, rank(int(below[-1]), PS[p])) for p in wanted]
            return [int(histogram.values((self.keys[place] << COARSE) + (1 << COARSE) - 1)) for place in places]
        ordered = np.sort(np.concatenate(self.times)) if self.times else ()
        return [int(ordered[rank(len(ordered), PS[p]) - 1]) if len(ordered) else None for p in wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyState:
    """A window on its way to another process."""

    completed: int
    failed: int
    keys: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsState:
    """Windows of histogram buckets on their way to another process, by their number."""

    width_ns: int
    tallies: Mapping[int, TallyState]


class Windows:
    """Collects blocks into windows.

    Args:
        exact: keep every value (exact percentiles); otherwise keep histogram buckets (right to 1 %, smaller).
    """

    __slots__ = ("exact", "tallies", "width_ns")

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self.width_ns = WIDTH_NS
        self.tallies: dict[int, Tally] = {}

    def add(self, block: np.ndarray) -> None:
        """Add the rows of a block, in any order."""
        if not len(block):
            return
        self._widen(int(block["end"].max()))
        index = block["end"] // self.width_ns
        if (np.diff(index) < 0).any():  # rows of several workers are not in order
            order = np.argsort(index, kind="stable")
            block, index = block[order], index[order]
        cuts = np.flatnonzero(np.diff(index)) + 1
        for rows, place in zip(np.split(block, cuts), index[np.concatenate(([0], cuts))], strict=True):
            found = Tally(
                completed=int(np.count_nonzero(WHOLE[rows["failure"]])), failed=int(np.count_nonzero(rows["failure"]))
            )
            times = series("service", rows)
            if self.exact:
                found.times.append(times)
            else:
                codes = histogram.codes(np.clip(times, 0, histogram.LIMIT_NS)).astype(np.int32)
                found.keys, counts = np.unique(codes >> COARSE, return_counts=True)
                found.counts = counts.astype(np.int32)
            self._put(int(place), found)

    def state(self) -> WindowsState:
        """Return the state to send to another process; only for windows that are not exact."""
        assert not self.exact
        return WindowsState(
            width_ns=self.width_ns,
            tallies={
                index: TallyState(completed=tally.completed, failed=tally.failed, keys=tally.keys, counts=tally.counts)
                for index, tally in self.tallies.items()
            },
        )

    @classmethod
    def restored(cls, state: WindowsState) -> Self:
        """Make the windows from a state.

        Raises:
            ValueError: no windows can have such a state.
        """
        made = cls(exact=False)
        doublings = (state.width_ns // WIDTH_NS).bit_length() - 1
        if not 0 <= doublings < MOST_DOUBLINGS or state.width_ns != WIDTH_NS << doublings:
            raise ValueError("windows of a width that none have")
        made.width_ns = state.width_ns
        for index, tally in state.tallies.items():
            histogram.check_counts(tally.keys, tally.counts, histogram.BUCKETS >> COARSE)
            counted = 0 <= tally.completed <= histogram.MOST_COUNT and 0 <= tally.failed <= histogram.MOST_COUNT
            if not (0 <= index < MOST and counted):
                raise ValueError("a window or its counts out of range")
            made.tallies[index] = Tally(
                completed=tally.completed, failed=tally.failed, keys=tally.keys, counts=tally.counts
            )
        return made

    def merge(self, other: "Windows") -> None:
        """Add the counts of *other*; both are exact, or both are not."""
        while self.width_ns < other.width_ns:
            self._double()
        for index, tally in other.tallies.items():
            self._put(index * other.width_ns // self.width_ns, tally)

    def after(self, moment_ns: int) -> tuple[float, float, float]:
        """Return the work after a moment: complete replies, successes, and the sum of ns by which all were later.

        The window with the moment counts in proportion.
        """
        completed = ok = later_ns = 0.0
        for index, tally in self.tallies.items():
            end = (index + 1) * self.width_ns
            share = min(1.0, (end - moment_ns) / self.width_ns)
            if share <= 0:
                continue
            good = sum(map(len, tally.times)) if self.exact else int(tally.counts.sum())
            completed += share * tally.completed
            ok += share * good
            later_ns += share * (good + tally.failed) * (end - share * self.width_ns / 2 - moment_ns)
        return completed, ok, later_ns

    def series(self, duration_ns: int) -> tuple[Window, ...]:
        """Return the windows from the start to the end of the run, including empty ones.

        Args:
            duration_ns: duration of the run. A last window of less than half the width is added to the one before: its
                rate would be noise.
        """
        whole = Windows(exact=self.exact)
        whole.merge(self)
        whole._widen(duration_ns)
        width = whole.width_ns
        last = max(0, (duration_ns + width // 2) // width - 1)
        late = [index for index in whole.tallies if index > last]
        for index in sorted(late):
            whole._put(last, whole.tallies.pop(index))
        return tuple(
            self._window(whole.tallies.get(i, Tally()), i * width, (duration_ns if i == last else (i + 1) * width))
            for i in range(last + 1)
        )

    def _window(self, tally: Tally, begin_ns: int, end_ns: int) -> Window:
        p50, p99 = (None if ns is None else ns / 1e6 for ns in tally.percentiles_ns("50", "99"))
        return Window(
            t_s=begin_ns / 1e9,
            requests_per_s=tally.completed * 1e9 / max(1, end_ns - begin_ns),
            p50=p50,
            p99=p99,
            failed=tally.failed,
        )

    def _put(self, index: int, tally: Tally) -> None:
        self.tallies.setdefault(index, Tally()).merge(tally)

    def _widen(self, end_ns: int) -> None:
        while end_ns >= MOST * self.width_ns:
            self._double()

    def _double(self) -> None:
        self.width_ns *= 2
        narrow, self.tallies = self.tallies, {}
        for index, tally in narrow.items():
            self._put(index // 2, tally)
