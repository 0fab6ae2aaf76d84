"""Merges the rows of several workers into one stream in order of completion, as if from a single process.

Each worker's rows come in order, with the time up to which they are complete. Rows that are complete for all workers
are sorted and passed on; the others are held back. A slow worker holds up the others for at most `PATIENCE_NS`.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import numpy as np

PATIENCE_NS: Final = 3_000_000_000
"""Rows older than this are passed on even if a worker has not reported; its rows then come out of order."""

Worker = TypeVar("Worker")

NEVER: Final = -1
ALWAYS: Final = 2**63 - 1


class Merger(Generic[Worker]):
    """Merges the rows of workers."""

    def __init__(self, workers: Iterable[Worker], sink: Callable[[np.ndarray], None]) -> None:
        """Prepare to merge.

        Args:
            workers: the workers that send rows.
            sink: called with new blocks, in order of completion.
        """
        self._sink = sink
        self._reported = dict.fromkeys(workers, NEVER)
        self._held: list[np.ndarray] = []
        self._ready = NEVER

    def add(self, worker: Worker, rows: np.ndarray, complete_ns: int) -> None:
        """Take rows of a worker.

        Args:
            rows: of `SAMPLE`; they must not change until they are passed on.
            complete_ns: the time, on the rows' clock, up to which all rows were reported.
        """
        if len(rows):
            self._held.append(rows)
        self._reported[worker] = max(self._reported[worker], complete_ns)
        self._hand_on()

    def end(self, worker: Worker) -> None:
        """Expect no more rows from a worker."""
        self._reported[worker] = ALWAYS
        self._hand_on()

    def _hand_on(self) -> None:
        reported = self._reported.values()
        latest = max((each for each in reported if each != ALWAYS), default=ALWAYS)
        ready = ALWAYS if latest == ALWAYS else max(min(reported), latest - PATIENCE_NS)
        if not self._held or (ready <= self._ready and ready != ALWAYS):
            return  # no worker has reported more than was passed on already
        self._ready = ready
        found, rest = [], []
        for rows in self._held:
            over = rows["end"] <= ready
            if over.all():
                found.append(rows)
                continue
            if over.any():
                found.append(rows[over])
            rest.append(rows[~over])
        self._held = rest
        if found:
            block = np.concatenate(found)
            self._sink(block[np.argsort(block["end"], kind="stable")])
