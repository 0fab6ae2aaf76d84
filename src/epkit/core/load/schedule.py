"""When each request of an open phase is due: a pure function of the phase and a seed.

Theory. Let Λ(t) be the integral of the planned rate: how many requests are planned by t. Constant arrivals are due
where Λ passes 0, 1, 2, …; Poisson arrivals are due where it passes the sums of exponential variables of mean 1 (the
time change of a Poisson process), so that a ramp is as exact as a level. For a rate that goes from a to b in D seconds,
Λ(t) = a t + (b - a) t² / 2D, and its inverse is written so that nothing cancels and a level needs no case of its own:
t = 2 u / (a + √(a² + 2 u (b - a) / D)).

Source: Çinlar, Introduction to Stochastic Processes (1975), § 4.7.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from epkit.core.load.plan import Phase

BLOCK: Final = 1024
"""Number of due times that are computed at once: about 50 µs of work."""


def planned(phase: Phase) -> float:
    """Return the greatest number of requests of a phase (the mean for random arrivals); infinite without an end.

    Args:
        phase: an open phase.
    """
    assert phase.rate is not None
    if phase.duration_ns is None:
        return math.inf if phase.requests is None else float(phase.requests)
    mean = phase.rate if phase.rate_to is None else (phase.rate + phase.rate_to) / 2
    planned = mean * phase.duration_ns / 1e9
    return planned if phase.requests is None else min(planned, float(phase.requests))


def span_ns(phase: Phase) -> int | None:
    """Return the duration of a phase if nothing is late, None without an end.

    A phase of *requests* lasts until the request after its last would be due (on average, for random arrivals).

    Args:
        phase: an open phase.
    """
    if phase.requests is None or (phase.duration_ns is not None and planned(phase) < phase.requests):
        return phase.duration_ns
    return round(float(invert(phase, np.array([phase.requests], dtype=np.float64))[0]))


def invert(phase: Phase, counts: np.ndarray) -> np.ndarray:
    """Return the time by which the given number of requests is planned: Λ⁻¹.

    Args:
        phase: an open phase.
        counts: float64, ≥ 0.

    Returns:
        float64, ns since the start of the phase; infinite if a falling rate never reaches the number.
    """
    assert phase.rate is not None
    begin = phase.rate / 1e9
    slope = 0.0
    if phase.rate_to is not None:
        assert phase.duration_ns is not None
        slope = (phase.rate_to - phase.rate) / 1e9 / phase.duration_ns
    under = begin * begin + 2 * slope * counts
    root = np.sqrt(np.maximum(under, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        times = 2 * counts / (begin + root)
    times[under < 0] = np.inf
    times[counts == 0] = 0.0
    return times


def due_times(phase: Phase, seed: int) -> Iterator[list[int]]:
    """Yield the due times of an open phase in lists; for a share, only its own.

    Args:
        phase: an open phase.
        seed: seed of random arrivals; the same seed gives the same times, and shares divide them.

    Returns:
        Lists of ns since the start of the phase, ascending, all below its duration; endless for a phase without an end.
    """
    if not phase.concurrency:
        return
    dice = np.random.default_rng(seed)
    left = phase.requests if phase.requests is not None else math.inf
    first, total = 0, 0.0
    while left > 0:
        size = int(min(BLOCK, left))
        if phase.arrivals == "poisson":
            counts = total + np.cumsum(dice.exponential(size=size))
            total = float(counts[-1])
        else:
            counts = np.arange(first, first + size, dtype=np.float64)
        times = np.rint(invert(phase, counts))
        end = math.inf if phase.duration_ns is None else phase.duration_ns
        inside = int(np.searchsorted(times, end))
        own = times[(phase.first - first) % phase.step : inside : phase.step]
        if len(own):
            yield own.astype(np.int64).tolist()
        if inside < size:
            return
        first += size
        left -= size
