"""The search for the highest rate at which an endpoint keeps a limit: what to probe next, and when to stop.

Theory of operation. The first probe sends one request at a time: how long it takes says where to begin. Then the rate
doubles until a probe misses the limit, and the gap between the last that met it and the first that did not is halved
(geometrically) until it is narrower than a tenth. A probe is short and may be lucky, so what was found is confirmed by
a longer one; where that misses, the rate goes down a tenth and is confirmed again. Every probe is paid from a budget
of time that is fixed at the beginning, so that the search ends whatever the endpoint does; where the budget ends it
early, what it has is given, with what it is worth.

A probe whose requests pile up (`saturated`) has missed, whatever its percentiles say: those would only tell how long it
was. One whose client was late (`limited`) may have met all the same, as that only adds to what is measured; where it
missed, it is the client that did.
"""

import math
from dataclasses import dataclass
from typing import Final

BETWEEN: Final = 1.1
"""The search ends when the lowest rate that missed is at most this many times the highest that met."""

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
        spoilt: `saturated`, `failed` (some did) or `limited`, or None.
        seconds: what it really took.
    """

    observed_ns: float
    upper_ns: float | None
    mean_ns: float | None
    spoilt: str | None
    seconds: float


class RateSearch:
    """Says what to probe next, and learns from what came of it.

    Public attributes: `above` (the lowest rate that missed the limit), `stood` (`best` stood a confirmation),
    `confirmed` (and the interval of that keeps the limit as well),
    `ended` (why the search is over: `found`, `budget` or `hopeless`), `limited` (the client was what missed).
    """

    def __init__(self, limit_ns: int, budget_s: float) -> None:
        self.limit_ns = limit_ns
        self.budget_s = self.left_s = budget_s
        self._met: list[float] = []
        self.above: float | None = None
        self.confirmed = self.stood = self.limited = False
        self.ended: str | None = None
        self._probe: Probe | None = None
        self._next = 1.0

    @property
    def best(self) -> float | None:
        """The rate that stood a confirmation; else the highest that met the limit, of those below any that did not."""
        if self.stood:
            return self._met[-1]
        return max((rate for rate in self._met if self.above is None or rate < self.above), default=None)

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
        met = seen.spoilt in (None, "limited") and seen.observed_ns < self.limit_ns
        if probe.rate is None:
            if not met or seen.mean_ns is None:
                self.ended = "hopeless"
                return False
            self._next = max(1.0, 0.5e9 / seen.mean_ns)
        elif met:
            self._met.append(probe.rate)
            if probe.confirms:
                self.stood = True
                self.confirmed = seen.upper_ns is not None and seen.upper_ns < self.limit_ns
                self.ended = "found"
        else:
            self.above = probe.rate if self.above is None else min(self.above, probe.rate)
            self.limited = seen.spoilt == "limited"
            self._next = probe.rate * (STEP_DOWN if probe.confirms else 0.5)
        return met

    def _choose(self) -> Probe | None:
        short, long = max(LEAST_S, self.budget_s * SHARE), max(LEAST_S, self.budget_s * CONFIRM)
        last, best = self._probe, self.best
        if last is None:
            return Probe(rate=None, seconds=short)
        if self.left_s < short:
            return None
        confirmation = min(long, self.left_s)
        if last.confirms:
            return Probe(rate=self._next, seconds=confirmation, confirms=True)  # it missed: a little less
        if best is None:
            return Probe(rate=self._next, seconds=short)
        if self.left_s < short + long or (self.above is not None and self.above <= BETWEEN * best):
            return Probe(rate=best, seconds=confirmation, confirms=True)
        return Probe(rate=2 * best if self.above is None else math.sqrt(best * self.above), seconds=short)
