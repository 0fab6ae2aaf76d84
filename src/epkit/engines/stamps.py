"""Start times that identify requests: no two requests of a run start in the same nanosecond.

Between two starts of one process the first request is written, or a socket made, which takes a thousand nanoseconds
and more: a clock that is finer tells them apart by itself, and costs what it always does. With a coarser one, what was
handed out last is looked at. Workers share the nanoseconds out: of *n* workers the first has those that *n* divides,
the second the ones after these, and so on. That puts a start back by less than *n* ns.
"""

import time
from collections.abc import Callable
from typing import Final

from epkit.core.http.request_ids import RequestIds

FINE_S: Final = 1e-7
"""A clock of this resolution tells any two requests of a process apart."""

clock = time.perf_counter_ns


class Stamps:
    """Hands out the times at which the requests of a run start, and has what is written of them.

    Attributes:
        header: name of the header that an id is sent in.
        digits: how the number of a request is written: by `%`.
        began: when the run began, `time.perf_counter_ns`; a number is counted from it. Set by who drives the run.
        next: returns when a request starts that starts now.
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
        """Write the id of a request that starts at a time that was handed out."""
        return self._ids.text(start - self.began)

    def _next(self) -> int:
        share, shares = self._ids.share, self._ids.shares
        now = clock()
        now -= (now - self.began - share) % shares
        if now <= self._last:
            now = self._last + shares
        self._last = now
        return now
