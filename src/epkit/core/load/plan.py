"""The plan of a run: phases are values, never names of functions."""

from dataclasses import dataclass
from typing import Literal

Arrivals = Literal["constant", "poisson"]

WARMUP = "warm-up"
"""The name of the phase that is run first and reported separately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stage of a run.

    Args:
        model: `closed` is driven by slots, `open` by a schedule.
        concurrency: greatest number of requests in flight, ≥ 1.
        requests: number of requests that end the phase, or None.
        duration_ns: its duration, or None; with *requests*, whichever ends first.
        rate: rate at the start of an open phase, requests per second; None in a closed one.
        rate_to: rate at the end of a ramp, which has a duration; None if the rate is constant.
        arrivals: in an open phase, evenly spaced, or random like those of many independent users.
        first, step: which of the phase's requests, counted from 0, this process sends: number *first* and every
            *step*-th
            after it (`epkit.core.load.shares`). *concurrency* and, in a closed phase, *requests* are then those of this
            process, and may be 0; schedule and rate are those of the whole phase.
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
        """A short name of the load: `c=8`, `50/s`, `50..500/s`."""
        if self.rate is None:
            return f"c={self.concurrency}"
        if self.rate_to is None:
            return f"{self.rate:g}/s"
        return f"{self.rate:g}..{self.rate_to:g}/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a run.

    Args:
        phases: in order, at least one; a warm-up is the first.
        timeout_ns: time limit of one request, from its start to the last byte.
        keepalive: whether connections are reused.
        seed: seed of all random choices.
    """

    phases: tuple[Phase, ...]
    timeout_ns: int
    keepalive: bool = True
    seed: int = 0

    @property
    def warmup(self) -> Phase | None:
        """The phase that is reported separately."""
        return self.phases[0] if self.phases[0].name == WARMUP else None

    @property
    def measured(self) -> tuple[Phase, ...]:
        """The phases that count in the report."""
        return self.phases[1:] if self.warmup else self.phases

    @property
    def slots(self) -> int:
        """The greatest number of requests in flight."""
        return max(min(phase.concurrency, phase.requests or phase.concurrency) for phase in self.phases)
