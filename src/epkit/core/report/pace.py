"""The time over which a rate is computed: that of sending, without the wait for the last replies.

Otherwise a few slow replies would lower the throughput of all the others: 40 requests in two seconds, of which four
take eight seconds, are not a throughput of 4/s. So a rate counts what has ended when the last request is sent, or when
its schedule ends, over the time until then. A run in which less than half has ended by then has no such time: `-n 10 -c
10` sends all its requests at the start.
"""

from dataclasses import dataclass

import numpy as np

from epkit.core.samples.latency import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The work in an interval of time, from which rates are computed.

    Args:
        over_ns: length of the interval, from the start of the run.
        completed, ok, received: complete replies, successes, and bytes read in it.
        rows: rows of the successes; None if the payloads have no known number of rows.
        in_flight_ns: sum of the parts of all service times that lie in it.
        whole: whether it is the whole run.
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
        """Length of the interval in s; None if it is the whole run, as in a report."""
        return None if self.whole else self.over_ns / 1e9

    def per_s(self, amount: float) -> float:
        """Return a rate; 0 for an empty interval."""
        return amount * 1e9 / self.over_ns if self.over_ns > 0 else 0.0

    @property
    def rows_per_s(self) -> float | None:
        """Rows that were scored per second; None if the payloads have no known number of rows."""
        return None if self.rows is None else self.per_s(self.rows)


@dataclass(slots=True, kw_only=True)
class Late:
    """The work that ended after a moment; the fields are those of `Pace`.

    Args:
        rows_of: number of rows of each payload, None if it is not known.
    """

    completed: int = 0
    ok: int = 0
    received: int = 0
    in_flight_ns: int = 0
    rows: float = 0
    rows_of: np.ndarray | None = None

    def add(self, block: np.ndarray, moment_ns: int) -> None:
        """Add the rows of a block that ended after the moment."""
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
