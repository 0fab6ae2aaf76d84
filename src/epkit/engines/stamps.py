"""When requests start that are told apart by it: no two of a run start in the same nanosecond.

Clocks are finer than two requests of one process are apart; where one is not, the next nanosecond is taken. Workers
share the nanoseconds out: of *n* workers the first has those that *n* divides, the second the ones after these, and so
on. That puts a start back by less than *n* ns, of which a request takes thousands.
"""

import time

from epkit.core.http.request_ids import RequestIds

clock = time.perf_counter_ns


class Stamps:
    """Hands out the times at which the requests of a run start, and has what is written of them.

    Attributes:
        header: name of the header that an id is sent in.
        digits: how the number of a request is written: by `%`.
        began: when the run began, `time.perf_counter_ns`; a number is counted from it. Set by who drives the run.
    """

    __slots__ = ("_last", "_share", "_shares", "began", "digits", "header", "ids", "next")

    def __init__(self, ids: RequestIds) -> None:
        self.ids = ids
        self.header = ids.header
        self.digits = ids.pattern[1].encode("ascii")
        self.began = self._last = 0
        self._share, self._shares = ids.share, ids.shares
        self.next = self._alone if ids.shares == 1 else self._among

    def text(self, start: int) -> str:
        """Write the id of a request that starts at a time that was handed out."""
        return self.ids.text(start - self.began)

    def _alone(self) -> int:
        now = clock()
        if now <= self._last:
            now = self._last + 1
        self._last = now
        return now

    def _among(self) -> int:
        now = clock()
        now -= (now - self.began - self._share) % self._shares
        if now <= self._last:
            now = self._last + self._shares
        self._last = now
        return now
