"""The search for the highest rate at which an endpoint keeps a limit: what to probe next, and when to stop.

Theory of operation. The first probe sends one request at a time: how long it takes says where to begin. Then the rate
doubles until a probe misses the limit, and the gap between the last that met it and the first that did not is halved
(geometrically) until it is narrower than a tenth. A probe is short and may be lucky, so what was found is confirmed by
a longer one; where that misses, the rate goes down a tenth and is confirmed again. Every probe is paid from a budget
of time that is fixed at the beginning, so that the search ends whatever the endpoint does; where the budget ends it
early, what it has is given, with what it is worth.

A probe whose requests pile up (`saturated`) or whose client cannot keep the rate (`limited`) has missed, whatever its
percentiles say: those would only tell how long it was.
"""

import math
from dataclasses import dataclass
from typing import Final

BETWEEN: Final = 1.1
"""The search is over when the rate that missed is at most so many times the one that met."""

STEP_DOWN: Final = 0.9
SHARE: Final = 1 / 24
"""What a probe takes of the budget."""

CONFIRM: Final = 1 / 4
"""What a confirmation takes of it."""

LEAST_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to try.

    Args:
        rate: requests per second; None for one request at a time.
        seconds: for how long.
        confirms: whether it is to confirm what was found.
    """

    rate: float | None
    seconds: float
    confirms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of a probe.

    Args:
        observed_ns: the percentile, since due; infinite without a success.
        upper_ns: the end of its 95 % interval; None where the sample has none.
        mean_ns: of a request's time; None without a success.
        spoilt: `saturated` or `limited`, or None; with failures, `failed`.
        seconds: what it really took.
    """

    observed_ns: float
    upper_ns: float | None
    mean_ns: float | None
    spoilt: str | None
    seconds: float


class Search:
    """Says what to probe next, and learns from what came of it.

    Public attributes: `best` (the highest rate that met the limit), `above` (the lowest that did not), `confirmed`
    (`best` stood a confirmation, and the interval of that keeps the limit as well), `stood` (it stood one),
    `ended` (why the search is over: `found`, `budget` or `hopeless`), `limited` (the client was what missed).
    """

    def __init__(self, limit_ns: int, budget_s: float) -> None:
        self.limit_ns = limit_ns
        self.budget_s = self.left_s = budget_s
        self.best: float | None = None
        self.above: float | None = None
        self.confirmed = self.stood = self.limited = False
        self.ended: str | None = None
        self._probe: Probe | None = None
        self._next: float | None = None

    def next(self) -> Probe | None:
        """Return what to probe; None when the search is over."""
        if self.ended is None:
            self._probe = self._choose()
            if self._probe is None:
                self.ended = self.ended or "budget"
        return None if self.ended else self._probe

    def tell(self, seen: Seen) -> bool:
        """Take what came of the last probe, and tell whether it met the limit."""
        probe = self._probe
        assert probe is not None
        self.left_s -= seen.seconds
        met = seen.spoilt is None and seen.observed_ns < self.limit_ns
        if probe.rate is None:
            if not met or seen.mean_ns is None:
                self.ended = "hopeless"
                return False
            self._next = max(1.0, 0.5e9 / seen.mean_ns)
        elif met:
            self.best = probe.rate
            if probe.confirms:
                self.stood = True
                self.confirmed = seen.upper_ns is not None and seen.upper_ns < self.limit_ns
                self.ended = "found"
        else:
            self.above = probe.rate if self.above is None else min(self.above, probe.rate)
            self.limited = self.limited or seen.spoilt == "limited"
            if self.best is not None and self.best >= probe.rate:
                self.best = None
                self._next = probe.rate * STEP_DOWN
        return met

    def _choose(self) -> Probe | None:
        short, long = max(LEAST_S, self.budget_s * SHARE), max(LEAST_S, self.budget_s * CONFIRM)
        if self._probe is None:
            return Probe(rate=None, seconds=min(short, self.left_s))
        if self._probe.confirms:
            # It missed: a little less, confirmed at once.
            seconds = min(long, self.left_s)
            return Probe(rate=self._next, seconds=seconds, confirms=True) if seconds >= short else None
        if self.best is not None and self._is_narrow():
            return Probe(rate=self.best, seconds=min(long, self.left_s), confirms=True) if self.left_s > 0 else None
        if self.left_s < short + (long if self.best is not None else 0):
            # What is left goes into confirming what there is.
            if self.best is not None and self.left_s >= short:
                return Probe(rate=self.best, seconds=min(long, self.left_s), confirms=True)
            return None
        return Probe(rate=self._rate(), seconds=short)

    def _is_narrow(self) -> bool:
        return self.above is not None and self.best is not None and self.above <= BETWEEN * self.best

    def _rate(self) -> float:
        if self.best is None:
            if self.above is None:
                assert self._next is not None
                return self._next
            return self.above / 2
        return 2 * self.best if self.above is None else math.sqrt(self.best * self.above)
