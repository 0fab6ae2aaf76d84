"""Start times as ids of requests: no two requests of a run start in the same nanosecond.

Between two starts, a process writes a request or opens a socket, which takes at least a thousand nanoseconds. So a
clock with a finer resolution gives different times, at no extra cost. With a coarser clock, the last time is compared.
With *n* workers, each worker uses only one of *n* residues: the first worker uses the nanoseconds that *n* divides, the
second the following ones, and so on. This delays a start by less than *n* ns.
"""

import time
from collections.abc import Callable
from typing import Final

from epkit.core.http.request_ids import RequestIds

FINE_S: Final = 1e-7
"""With at most this resolution, a clock gives different times for any two requests of a process."""

clock = time.perf_counter_ns


class Stamps:
    """Provides the start times of the requests of a run, and their text.

    Attributes:
        header: name of the header with the id.
        digits: format of the number of a request, for `%`.
        began: start of the run, `time.perf_counter_ns`; numbers are counted from it. The driver sets it.
        next: returns the start time of a request that starts now.
    """

    __slots__ = ("_ids", "_last", "began", "digits", "header", "next")

    def __init__(self, ids: RequestIds) -> None:
        self._ids = ids
        self.header = ids.header
        self.digits = ids.pattern[1].encode("ascii")
        self.began = self._last = 0
        fine = time.get_clock_info("perf_counter").resolution <= FINE_S
        self.next: Callable[[], int] = clock if fine and ids.shares == 1 else self._next

    def text(self, start: int) -> str:
        """Return the id of a request from its start time."""
        return self._ids.text(start - self.began)

    def _next(self) -> int:
        share, shares = self._ids.share, self._ids.shares
        now = clock()
        now -= (now - self.began - share) % shares
        if now <= self._last:
            now = self._last + shares
        self._last = now
        return now
