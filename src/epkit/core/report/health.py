"""Whether a run may be believed: what its sample is too small for, and what spoils it.

Each function looks at one thing and answers with a caveat, or None where there is nothing to say.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import Window
from epkit.core.stats.distribution import Distribution
from epkit.core.stats.percentiles import PS, floor, percentile

LITTLE: Final = 0.05
"""How far the mean number in flight may be from the concurrency that was asked for."""

IDLE_NS: Final = 50_000
"""What a slot may idle between two requests without being blamed: Python's own microseconds."""

LAGS: Final = (("p50", "50", 2.0, 0.05, 10), ("p99", "99", 10.0, 0.10, 100))
"""When lag spoils a percentile: its name and key, ms, share of the latency, least heartbeats."""

RATE: Final = 0.98
"""How much of a planned rate has to be achieved."""

LATE: Final = 0.01
"""How many of the requests may start late."""

FEW: Final = 2
"""This many are always allowed: one hiccup of the machine does not spoil a small run."""

GROWTH: Final = 2.0
"""By what factor the number in flight grows from the first half to the second where more is asked than is served."""

LEAST_GROWTH: Final = 5
"""By how many requests it grows at least."""

GRID: Final = 60
"""At how many moments the number in flight is looked at."""

TREND: Final = 2.326
"""The 99 % quantile of the normal distribution."""

LEAST_WINDOWS: Final = 20
ALPHA: Final = 0.01
EFFECT: Final = 1.10
"""A change of level counts when it is 10 % or more, and chance would show it in one run of a hundred."""


def unsupported(service: Distribution | None) -> Caveat | None:
    """Name the first of the percentiles 90, 95 and 99 that the sample cannot support."""
    for key in ("90", "95", "99"):
        if service is None or service.ci95[key] is not None:
            continue
        need = floor(PS[key])
        if service.count < need:
            text = f"p{key} needs {need} requests, this run has {service.count}"
        else:
            text = (
                f"p{key} needs {need} independent requests: the {service.count} of this run depend on each other and "
                f"count as fewer"
            )
        return Caveat(kind=CaveatKind.SMALL_SAMPLE, text=text)
    return None


def change_point(values: np.ndarray) -> tuple[int, float]:
    """Find where the level of a series changes, if it does.

    Args:
        values: n ≥ 2 numbers in order of time.

    Returns:
        (how many values lie before the change, the probability that chance shows as much).

    Source: Pettitt (1979), A non-parametric approach to the change-point problem, eq. 2.3 and § 2.3.
    """
    n = len(values)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # equal values share their ranks' mean
    sums = np.abs(2 * np.cumsum(middle[place]) - np.arange(1, n + 1) * (n + 1))[:-1]
    at = int(np.argmax(sums))
    return at + 1, min(1.0, 2 * math.exp(-6 * float(sums[at]) ** 2 / (n**3 + n**2)))


def unsteady(windows: Sequence[Window]) -> Caveat | None:
    """Tell where latency, or else throughput, changes its level in mid-run; silent below `LEAST_WINDOWS`."""
    filled = [(w.t_s, w.p50) for w in windows if w.p50 is not None]
    rates = [(w.t_s, w.requests_per_s) for w in windows]
    for what, unit, points in (("median latency", " ms", filled), ("throughput", "/s", rates)):
        if len(points) < LEAST_WINDOWS:
            continue
        values = np.array([value for _, value in points])
        at, chance = change_point(values)
        before, after = float(np.median(values[:at])), float(np.median(values[at:]))
        if chance < ALPHA and max(before, after) >= EFFECT * min(before, after):
            text = (
                f"no steady state: {what} {before:.4g}{unit} in the first {points[at][0]:g} s, "
                f"{after:.4g}{unit} afterwards"
            )
            return Caveat(kind=CaveatKind.UNSTEADY, text=text)
    return None


def crowd(concurrency: int, requests: int, in_flight_ns: int, duration_ns: int) -> Caveat | None:
    """Check Little's law on a closed loop: the mean number in flight is the concurrency.

    Args:
        concurrency: slots, each of which always has a request in flight.
        requests: how many were made; below 100 a slot the ends of the run weigh too much to tell.
        in_flight_ns: service times of all of them, summed: throughput × mean latency × duration.
        duration_ns: of the run.

    Source: Little (1961), A proof for the queuing formula L = λW.
    """
    if requests < 100 * concurrency or duration_ns <= 0:
        return None
    mean = in_flight_ns / duration_ns
    idle_ns = (concurrency * duration_ns - in_flight_ns) / requests
    if abs(mean - concurrency) <= LITTLE * concurrency or 0 <= idle_ns <= IDLE_NS:
        return None
    text = f"{mean:.3g} requests were in flight on average, not the {concurrency} asked for (Little's law)"
    return Caveat(kind=CaveatKind.CONCURRENCY, text=text)


def behind(planned_ns: int, last_start_ns: int, requests: int) -> Caveat | None:
    """Tell whether the planned rate was achieved.

    Args:
        planned_ns: within which the requests were to start.
        last_start_ns: when the last one did.
        requests: how many there were.
    """
    if last_start_ns <= 0 or planned_ns >= RATE * last_start_ns:
        return None
    planned, achieved = requests * 1e9 / planned_ns, requests * 1e9 / last_start_ns
    text = f"{achieved:.4g} of {planned:.4g} planned requests/s were achieved"
    return Caveat(kind=CaveatKind.RATE, text=text)


def late(late_starts: int, requests: int, *, full: int | None) -> Caveat | None:
    """Tell whether too many requests started late, so that the plan was not kept.

    Args:
        full: the concurrency, where all of it was in use.
    """
    if late_starts <= max(FEW, LATE * requests):
        return None
    why = "" if full is None else f": all {full} allowed by -c were in flight"
    return Caveat(kind=CaveatKind.LATE_STARTS, text=f"{late_starts} of {requests} requests started late{why}")


def growing(due_ns: np.ndarray, end_ns: np.ndarray, duration_ns: int) -> Caveat | None:
    """Tell whether the number under way grew all through a phase of a constant rate: over-saturation.

    The percentiles of such a run tell how long it was, not how fast the endpoint is.

    Args:
        due_ns, end_ns: of all its requests, in any order.
        duration_ns: within which they were due.

    Source: Kendall's test for a trend (Mann 1945), normal approximation, one-sided at 1 %.
    """
    if len(due_ns) < GRID or duration_ns <= 0:
        return None
    grid = np.linspace(0.1, 1.0, GRID) * duration_ns
    waiting = np.searchsorted(np.sort(due_ns), grid) - np.searchsorted(np.sort(end_ns), grid)
    before, after = float(np.mean(waiting[: GRID // 2])), float(np.mean(waiting[GRID // 2 :]))
    signs = np.sign(waiting[None, :] - waiting[:, None])
    trend = float(np.triu(signs, 1).sum()) / math.sqrt(GRID * (GRID - 1) * (2 * GRID + 5) / 18)
    if trend < TREND or after < GROWTH * before or after - before < LEAST_GROWTH:
        return None
    text = (
        f"no steady state: requests arrive faster than they are served: {waiting[0]} requests were in flight near "
        f"the beginning, "
        f"{waiting[-1]} at the end, and the percentiles only show how long the run was"
    )
    return Caveat(kind=CaveatKind.SATURATED, text=text)


def lag(drifts_ns: np.ndarray) -> dict[str, float]:
    """Return p50, p99 and max of the heartbeat's drift, in ms; zeros without a heartbeat."""
    if not len(drifts_ns):
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    ordered = np.sort(drifts_ns)
    places = {"p50": PS["50"], "p99": PS["99"], "max": PS["100"]}
    return {name: percentile(ordered, p) / 1e6 for name, p in places.items()}


def limited(lag_ms: Mapping[str, float], beats: int, latency: Distribution | None) -> Caveat | None:
    """Tell whether the generator, not the server, was what the run measured.

    A late event loop reads replies late, so its lag is inside every latency. It spoils a percentile when it
    is beyond what timers and schedulers do anyway *and* a sizeable part of that percentile: 3 ms spoil a
    median of 20 ms, not one of 200 ms. The share of CPU is no criterion: a client may be busy and in time.

    Args:
        lag_ms: from `lag`.
        beats: how many heartbeats it is made of.
        latency: service times.
    """
    if latency is None:
        return None
    for name, key, least_ms, share, enough in LAGS:
        if beats >= enough and lag_ms[name] > max(least_ms, share * latency.percentiles[key]):
            text = (
                f"the client was the limit: its event loop ran {lag_ms[name]:.1f} ms late ({name}), "
                f"{name} latency is {latency.percentiles[key]:.1f} ms"
            )
            return Caveat(kind=CaveatKind.CLIENT_LIMIT, text=text)
    return None
