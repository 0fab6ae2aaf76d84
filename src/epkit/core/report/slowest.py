"""The slowest requests of a run: each shows what makes the tail of the latencies."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.report.report import PhaseInfo, Run, SlowRequest
from epkit.core.samples.rows import SAMPLE

MOST: Final = 10


class Slowest:
    """Keeps the slowest successful requests, the slowest first; of equal ones the earlier first."""

    def __init__(self, rows: np.ndarray | None = None) -> None:
        self.rows = np.empty(0, dtype=SAMPLE) if rows is None else rows
        """At most `MOST` rows of `SAMPLE`; do not change them."""

    def add(self, block: np.ndarray) -> None:
        """Add rows; times in ns since the start of the run."""
        good = np.flatnonzero(block["failure"] == 0)
        if not len(good):
            return
        service = block["end"][good] - block["start"][good]
        least = self._least
        if len(service) > MOST:
            least = max(least, int(np.partition(service, len(service) - MOST)[-MOST]))
        found = good[service >= least]
        if len(found):
            self._keep(np.concatenate([self.rows, block[found]]))

    def merge(self, other: "Slowest") -> None:
        """Add the rows of another collector."""
        self.add(other.rows)

    @property
    def _least(self) -> int:
        """The least duration of a request that is kept, ns."""
        return int(self.rows["end"][-1] - self.rows["start"][-1]) if len(self.rows) == MOST else 0

    def _keep(self, rows: np.ndarray) -> None:
        self.rows = rows[np.argsort(rows["start"] - rows["end"], kind="stable")[:MOST]]

    def state(self) -> bytes:
        """Return the state to send to another process."""
        return self.rows.tobytes()

    @classmethod
    def restored(cls, state: bytes) -> "Slowest":
        """Make the collector from a state.

        Raises:
            ValueError: no collector can have such a state.
        """
        if len(state) % SAMPLE.itemsize or len(state) > MOST * SAMPLE.itemsize:
            raise ValueError("more requests than the slowest, or parts of some")
        rows = np.frombuffer(state, dtype=SAMPLE)
        if rows["failure"].any() or (rows["end"] < rows["start"]).any() or (rows["start"] < 0).any():
            raise ValueError("requests that did not succeed, or that ended before they started")
        return cls(rows)


def describe(rows: np.ndarray, run: Run, phases: Sequence[PhaseInfo]) -> tuple[SlowRequest, ...]:
    """Describe the slowest requests.

    Args:
        rows: from `Slowest`, times in ns since the start of the measured phases.
        phases: of the run, if there are several.
    """
    measured = [phase for phase in phases if phase.measured]
    begins = [round(phase.begin_s * 1e9) for phase in measured]

    def phase_of(due_ns: int) -> str | None:
        return measured[max(0, bisect_right(begins, begins[0] + due_ns) - 1)].name if measured else None

    return tuple(
        SlowRequest(
            id=run.request_id(int(row["start"])),
            start_s=int(row["start"]) / 1e9,
            service=int(row["end"] - row["start"]) / 1e6,
            status=int(row["status"]),
            phase=phase_of(int(row["due"])),
        )
        for row in rows
    )
