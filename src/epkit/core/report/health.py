"""Whether the results of a run are reliable: where its sample is too small, and what distorts it.

Each function checks one thing, and returns a caveat, or None if there is no problem.
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
"""Greatest relative difference of the mean number in flight from the requested concurrency."""

IDLE_NS: Final = 50_000
"""Idle time of a slot between two requests that is not reported: Python's own overhead."""

LAGS: Final = (("p50", "50", 2.0, 0.05, 10), ("p99", "99", 10.0, 0.10, 100))
"""Limits of the lag for each percentile: name and key, ms, fraction of the latency, least number of heartbeats."""

RATE: Final = 0.98
"""Fraction of a planned rate that must be achieved."""

LATE: Final = 0.01
"""Fraction of the requests that may start late."""

FEW: Final = 2
"""Number of late starts that is always allowed: one hiccup of the machine does not make a small run invalid."""

GROWTH: Final = 2.0
"""Overload: the number in flight grows by at least this factor from the first half to the second."""

LEAST_GROWTH: Final = 5
"""Overload: the number in flight grows by at least this number of requests."""

GRID: Final = 60
"""Number of moments at which the number in flight is sampled."""

TREND: Final = 2.326
"""The 99 % quantile of the normal distribution."""

LEAST_WINDOWS: Final = 20
ALPHA: Final = 0.01
EFFECT: Final = 1.10
"""A change of level is reported if it is at least 10 %, and chance would show it in one run of a hundred."""


def unsupported(service: Distribution | None) -> Caveat | None:
    """Report the first of the percentiles 90, 95 and 99 for which the sample is too small."""
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
        (number of values before the change, probability that chance alone shows such a change).

    Source: Pettitt (1979), A non-parametric approach to the change-point problem, eq. 2.3 and § 2.3.
    """
    n = len(values)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # equal values share the mean of their ranks
    sums = np.abs(2 * np.cumsum(middle[place]) - np.arange(1, n + 1) * (n + 1))[:-1]
    at = int(np.argmax(sums))
    return at + 1, min(1.0, 2 * math.exp(-6 * float(sums[at]) ** 2 / (n**3 + n**2)))


def unsteady(windows: Sequence[Window]) -> Caveat | None:
    """Report a change of level of latency, or else of throughput, during the run; not below `LEAST_WINDOWS`."""
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
        requests: number of requests; below 100 for each slot, the ends of the run have too much weight.
        in_flight_ns: sum of all service times: throughput × mean latency × duration.
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
    """Report a planned rate that was not achieved.

    Args:
        planned_ns: planned time within which the requests start.
        last_start_ns: start of the last request.
        requests: number of requests.
    """
    if last_start_ns <= 0 or planned_ns >= RATE * last_start_ns:
        return None
    planned, achieved = requests * 1e9 / planned_ns, requests * 1e9 / last_start_ns
    text = f"{achieved:.4g} of {planned:.4g} planned requests/s were achieved"
    return Caveat(kind=CaveatKind.RATE, text=text)


def late(late_starts: int, requests: int, *, full: int | None) -> Caveat | None:
    """Report too many late starts, which mean that the plan was not kept.

    Args:
        full: the concurrency, if all of it was in use.
    """
    if late_starts <= max(FEW, LATE * requests):
        return None
    why = "" if full is None else f": all {full} allowed by -c were in flight"
    return Caveat(kind=CaveatKind.LATE_STARTS, text=f"{late_starts} of {requests} requests started late{why}")


def growing(due_ns: np.ndarray, end_ns: np.ndarray, duration_ns: int) -> Caveat | None:
    """Report an overload: the number of requests in flight grew during a whole phase with a constant rate.

    The percentiles of such a run only show how long it was, not how fast the endpoint is.

    Args:
        due_ns, end_ns: for all its requests, in any order.
        duration_ns: time within which they were due.

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
    """Report if the run measured the load generator instead of the server.

    A late event loop reads replies late, so every latency contains its lag. The lag distorts a percentile if it is
    greater
    than the usual lag of timers and schedulers, *and* a significant part of the percentile: 3 ms distort a median of 20
    ms, but not one of 200 ms. CPU usage is no criterion: a busy client can be in time.

    Args:
        lag_ms: from `lag`.
        beats: number of heartbeats behind it.
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
