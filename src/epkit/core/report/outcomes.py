"""What a dashboard is sent of a run under way: durations by phase, status and failure; a block costs microseconds."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.load.phases import PhaseTimes
from epkit.core.samples.rows import Failure
from epkit.core.stats.exponential import ExponentialBuckets, ExponentialHistogram

MOST_SERIES: Final = 200
"""Series that are kept apart: 18 MB. A server that answers with every status there is gets no more of them."""

OVERFLOW: Final = -1
"""The series of what would be more than `MOST_SERIES`."""

WAITING: Final = 1 << 15
"""Rows that wait to be counted, at most: counting is cheaper for many at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSeries:
    """The requests of a phase that ended alike, since the run began.

    Args:
        phase: its index in the plan.
        status: 0 where no status line was read.
    """

    phase: int
    status: int
    failure: Failure
    durations: ExponentialBuckets


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSnapshot:
    """All series at a moment.

    Args:
        overflow: requests of all that would be more series; None where there are none.
        phase: index of the phase that was entered last.
        in_flight: mean since the last snapshot.
    """

    series: tuple[OutcomeSeries, ...]
    overflow: ExponentialBuckets | None
    phase: int
    in_flight: float


class Outcomes:
    """Collects the samples of a run, of all its phases, for `snapshot`."""

    def __init__(self, times: PhaseTimes) -> None:
        """Begin with nothing.

        Args:
            times: when each phase began.
        """
        self._times = times
        self._waiting: dict[int, list[np.ndarray]] = {}
        self._rows = 0
        self._series: dict[int, ExponentialHistogram] = {}
        self._spent_ns = self._seen_ns = 0

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples, times in ns since the run began; see `epkit.core.samples.rows`."""
        if not len(block):
            return
        spent = block["end"] - block["start"]
        codes = (block["status"].astype(np.int64) << 4) | block["failure"]
        begins = self._times.begins
        if len(begins) > 1:
            codes |= (np.searchsorted(begins, block["due"], side="right") - 1) << 20
        first = codes[0]
        if (codes == first).all():
            self._waiting.setdefault(int(first), []).append(spent)
        else:
            for code in np.unique(codes):
                self._waiting.setdefault(int(code), []).append(spent[codes == code])
        self._rows += len(block)
        if self._rows >= WAITING:
            self._count()

    def _count(self) -> None:
        for code, parts in self._waiting.items():
            known = code in self._series or len(self._series) < MOST_SERIES
            values = np.concatenate(parts)
            self._series.setdefault(code if known else OVERFLOW, ExponentialHistogram()).add(values)
            self._spent_ns += int(values.sum())
        self._waiting.clear()
        self._rows = 0

    def snapshot(self, elapsed_ns: int) -> OutcomeSnapshot:
        """Return what there is.

        Args:
            elapsed_ns: since the run began.
        """
        self._count()
        spent_ns, self._spent_ns = self._spent_ns, 0
        over_ns, self._seen_ns = elapsed_ns - self._seen_ns, elapsed_ns
        overflow = self._series.get(OVERFLOW)
        return OutcomeSnapshot(
            series=tuple(
                OutcomeSeries(
                    phase=code >> 20,
                    status=code >> 4 & 0xFFFF,
                    failure=Failure(code & 0xF),
                    durations=durations.buckets(),
                )
                for code, durations in self._series.items()
                if code != OVERFLOW
            ),
            overflow=None if overflow is None else overflow.buckets(),
            phase=max(0, len(self._times.begins) - 1),
            in_flight=spent_ns / over_ns if over_ns > 0 else 0.0,
        )
