"""What a run is to do: phases as values, never as function names."""

from dataclasses import dataclass
from typing import Literal

Arrivals = Literal["constant", "poisson"]

WARMUP = "warm-up"
"""The name of the phase that is run and reported apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stage of a run.

    Args:
        model: `closed` is driven by slots, `open` by a schedule.
        concurrency: most requests in flight, ≥ 1.
        requests: how many requests end the phase, or None.
        duration_ns: how long it lasts, or None; with *requests*, whichever comes first.
        rate: of an open phase at its beginning, requests per second; None in a closed one.
        rate_to: at its end, where it is a ramp; it then has a duration. None where the rate stays.
        arrivals: of an open phase: evenly apart, or at random as those of many independent users are.
        first, step: of the phase's requests, counted from 0, those that are sent here: number *first* and every
            *step*-th after it (`epkit.core.load.shares`). *concurrency* and, in a closed phase, *requests* are then
            this share's own, and may be 0; schedule and rate are the whole phase's.
    """

    name: str = "measure"
    model: Literal["closed", "open"] = "closed"
    concurrency: int = 1
    requests: int | None = None
    duration_ns: int | None = None
    rate: float | None = None
    rate_to: float | None = None
    arrivals: Arrivals = "constant"
    first: int = 0
    step: int = 1

    @property
    def load(self) -> str:
        """The load in short: `c=8`, `50/s`, `50..500/s`."""
        if self.rate is None:
            return f"c={self.concurrency}"
        if self.rate_to is None:
            return f"{self.rate:g}/s"
        return f"{self.rate:g}..{self.rate_to:g}/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do.

    Args:
        phases: in order, at least one; the warm-up, if there is one, is the first.
        timeout_ns: one request's, from its start to the last byte.
        keepalive: whether connections are reused.
        seed: of everything random.
    """

    phases: tuple[Phase, ...]
    timeout_ns: int
    keepalive: bool = True
    seed: int = 0

    @property
    def warmup(self) -> Phase | None:
        """The phase that is reported apart."""
        return self.phases[0] if self.phases[0].name == WARMUP else None

    @property
    def measured(self) -> tuple[Phase, ...]:
        """The phases that the report is about."""
        return self.phases[1:] if self.warmup else self.phases

    @property
    def slots(self) -> int:
        """The most that is ever in flight."""
        return max(min(phase.concurrency, phase.requests or phase.concurrency) for phase in self.phases)
