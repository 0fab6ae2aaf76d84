"""The metrics for a dashboard during a run: durations by phase, status and failure; a block costs microseconds."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.load.phases import PhaseTimes
from epkit.core.samples.rows import Failure
from epkit.core.stats.exponential import ExponentialBuckets, ExponentialHistogram

MOST_SERIES: Final = 200
"""Greatest number of separate series: 18 MB. More different statuses go to the overflow series."""

OVERFLOW: Final = -1
"""The series for everything beyond `MOST_SERIES`."""

WAITING: Final = 1 << 15
"""Greatest number of rows that wait to be counted: counting many at once is cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSeries:
    """The requests of a phase with the same outcome, since the start of the run.

    Args:
        phase: its index in the plan.
        status: 0 if no status line was read.
    """

    phase: int
    status: int
    failure: Failure
    durations: ExponentialBuckets


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSnapshot:
    """All series at a moment.

    Args:
        overflow: requests beyond the series limit; None if there are none.
        phase: index of the latest phase.
        in_flight: mean since the last snapshot.
    """

    series: tuple[OutcomeSeries, ...]
    overflow: ExponentialBuckets | None
    phase: int
    in_flight: float


class Outcomes:
    """Collects the samples of all phases of a run for `snapshot`."""

    def __init__(self, times: PhaseTimes) -> None:
        """Start without samples.

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
        """Return the current series.

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
