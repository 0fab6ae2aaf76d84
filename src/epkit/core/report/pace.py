"""Over which time a rate is: that of sending, without the wait for the last replies.

A few replies that hang would otherwise thin the throughput of all the others: 40 requests in two seconds, four of
which hang for eight, are not answered at 4/s. So what is over when the last request is sent, or when its schedule ends,
is counted over the time until then. A run of which less than half is over by then has no such time: `-n 10 -c 10` has
sent all that it sends when it begins.
"""

from dataclasses import dataclass

import numpy as np

from epkit.core.samples.latency import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was over in a stretch of time, from which rates are made.

    Args:
        over_ns: the stretch, from the beginning.
        completed, ok, received: whole replies, successes, and bytes read in it.
        rows: of the successes; None where the payloads do not tell.
        in_flight_ns: the service times of all requests, as far as they lie in it.
        whole: whether it is all of the run.
    """

    over_ns: int
    completed: int
    ok: int
    received: int
    in_flight_ns: int
    whole: bool
    rows: float | None = None

    @property
    def sending_s(self) -> float | None:
        """The stretch in s, None where it is all of the run: as a report has it."""
        return None if self.whole else self.over_ns / 1e9

    def per_s(self, amount: float) -> float:
        """Return a rate; 0 in no time."""
        return amount * 1e9 / self.over_ns if self.over_ns > 0 else 0.0

    @property
    def rows_per_s(self) -> float | None:
        """Rows that were answered per second; None where the payloads do not tell."""
        return None if self.rows is None else self.per_s(self.rows)


@dataclass(slots=True, kw_only=True)
class Late:
    """What was over only after a moment; for the fields see `Pace`.

    Args:
        rows_of: how many rows each payload holds, None where that is not known.
    """

    completed: int = 0
    ok: int = 0
    received: int = 0
    in_flight_ns: int = 0
    rows: float = 0
    rows_of: np.ndarray | None = None

    def add(self, block: np.ndarray, moment_ns: int) -> None:
        """Count the rows of a block that ended after the moment."""
        rows = block[block["end"] > moment_ns]
        if not len(rows):
            return
        self.completed += int(np.count_nonzero(WHOLE[rows["failure"]]))
        good = rows["failure"] == 0
        self.ok += int(np.count_nonzero(good))
        if self.rows_of is not None:
            self.rows += int(self.rows_of[rows["payload"][good]].sum())
        self.received += int(rows["received"].sum(dtype=np.int64))
        self.in_flight_ns += int((rows["end"] - np.maximum(rows["start"], moment_ns)).sum())
