"""The slowest requests of a run, one by one: what the tail of its latencies is made of."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

from epkit.core.report.report import PhaseInfo, Run, SlowRequest
from epkit.core.samples.rows import SAMPLE

MOST: Final = 10


class Slowest:
    """Keeps the slowest of the requests that succeeded, the slowest first, of equal ones the first."""

    def __init__(self, rows: np.ndarray | None = None) -> None:
        self.rows = np.empty(0, dtype=SAMPLE) if rows is None else rows
        """At most `MOST` rows of `SAMPLE`; not to be changed."""

    def add(self, block: np.ndarray) -> None:
        """Take rows; times in ns since the run began."""
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
        """Take those that somebody else has kept."""
        self.add(other.rows)

    @property
    def _least(self) -> int:
        """How long a request has to have taken to be one of them, ns."""
        return int(self.rows["end"][-1] - self.rows["start"][-1]) if len(self.rows) == MOST else 0

    def _keep(self, rows: np.ndarray) -> None:
        self.rows = rows[np.argsort(rows["start"] - rows["end"], kind="stable")[:MOST]]

    def state(self) -> bytes:
        """Return what travels to another process."""
        return self.rows.tobytes()

    @classmethod
    def restored(cls, state: bytes) -> "Slowest":
        """Make it again.

        Raises:
            ValueError: nothing that was kept has such a state.
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
        rows: of `Slowest`, times in ns since the measured phases began.
        phases: of the run, where there are several.
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
