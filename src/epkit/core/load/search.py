"""The search for the highest rate at which an endpoint meets a limit: which rate to probe next, and when to stop.

Theory of operation. The first probe sends one request at a time; its duration gives the first rate. Then the rate
doubles until a probe misses the limit. The interval between the last rate that met it and the first that missed it is
halved (geometrically) until it is narrower than a tenth. A probe is short and may be lucky, so a longer probe confirms
the result. If it misses, the rate is reduced by a tenth and confirmed again. Every probe uses a part of a time budget
that is fixed at the start, so the search always ends. If the budget ends it early, the result so far is returned,
marked as such.

A probe with growing queues (`saturated`) is a miss, whatever its percentiles are: they only show how long it was. A
probe with a late client (`limited`) can still be a hit, because lateness only increases the measured times. If it
misses, the client caused the miss.
"""

import math
from dataclasses import dataclass
from typing import Final

BETWEEN: Final = 1.1
"""The search ends when the lowest rate that missed is at most this many times the highest that met the limit."""

STEP_DOWN: Final = 0.9
SHARE: Final = 1 / 24
"""Fraction of the budget for a probe."""

CONFIRM: Final = 1 / 4
"""Fraction of the budget for a confirmation."""

LEAST_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The next probe.

    Args:
        rate: requests per second; None for one request at a time.
        seconds: its duration.
        confirms: whether it confirms a result.
    """

    rate: float | None
    seconds: float
    confirms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The result of a probe.

    Args:
        observed_ns: the percentile, from the due time; infinite without a success.
        upper_ns: upper end of its 95 % interval; None if the sample is too small.
        mean_ns: mean time of a request; None without a success.
        spoilt: `saturated`, `failed` (some requests failed) or `limited`, or None.
        seconds: its real duration.
    """

    observed_ns: float
    upper_ns: float | None
    mean_ns: float | None
    spoilt: str | None
    seconds: float


class RateSearch:
    """Chooses the next probe from the results so far.

    Public attributes: `above` (the lowest rate that missed the limit), `stood` (whether `best` passed a confirmation),
    `confirmed` (whether the interval of that confirmation meets the limit too), `ended` (why the search ended: `found`,
    `budget` or `hopeless`), `limited` (whether the client caused a miss).
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
        """The confirmed rate; otherwise the highest rate that met the limit, below all rates that missed it."""
        if self.stood:
            return self._met[-1]
        return max((rate for rate in self._met if self.above is None or rate < self.above), default=None)

    def next(self) -> Probe | None:
        """Return the next probe; None when the search is over."""
        if self.ended is None:
            self._probe = self._choose()
            if self._probe is None:
                self.ended = self.ended or "budget"
        return None if self.ended else self._probe

    def tell(self, seen: Seen) -> bool:
        """Add the result of the last probe, and tell whether it met the limit."""
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
            return Probe(rate=self._next, seconds=confirmation, confirms=True)  # the last one missed: try a lower rate
        if best is None:
            return Probe(rate=self._next, seconds=short)
        if self.left_s < short + long or (self.above is not None and self.above <= BETWEEN * best):
            return Probe(rate=best, seconds=confirmation, confirms=True)
        return Probe(rate=2 * best if self.above is None else math.sqrt(best * self.above), seconds=short)
