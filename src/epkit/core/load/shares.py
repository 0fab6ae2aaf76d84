"""Splits a plan among workers. Together they send exactly the requests that one process would send.

Worker w of W sends the requests k of a phase with k mod W = w. In an open phase each worker computes the whole schedule
and uses its own due times, so together they give the same schedule to the nanosecond, with the same seed. In a closed
phase the requests are dealt in turn. Payloads follow the numbers. If a phase has fewer slots than workers, some workers
are idle in it.
"""

from collections.abc import Sequence
from dataclasses import replace

from epkit.core.load.plan import Phase, Plan


def most_workers(phases: Sequence[Phase]) -> int:
    """Return the greatest useful number of workers: further ones would have nothing to do in any phase."""
    return max(_places(phase) for phase in phases)


def split(plan: Plan, workers: int) -> tuple[Plan, ...]:
    """Split a plan.

    Args:
        workers: 1 … `most_workers`.

    Returns:
        The plan of each worker; their concurrencies and requests add up to those of *plan*.
    """
    return tuple(
        replace(plan, phases=tuple(_share(phase, place, workers) for phase in plan.phases)) for place in range(workers)
    )


def count(total: int, place: int, workers: int) -> int:
    """Return how many numbers below *total* belong to a worker: those with the remainder *place*."""
    return len(range(place, total, workers))


def _places(phase: Phase) -> int:
    if phase.model == "open" or phase.requests is None:
        return phase.concurrency
    return min(phase.concurrency, phase.requests)


def _share(phase: Phase, place: int, workers: int) -> Phase:
    busy = min(workers, _places(phase))
    if place >= busy:
        requests = 0 if phase.model == "closed" and phase.requests is not None else phase.requests
        return replace(phase, concurrency=0, requests=requests)
    requests = phase.requests
    if phase.model == "closed" and requests is not None:
        requests = count(requests, place, busy)
    return replace(phase, concurrency=count(phase.concurrency, place, busy), requests=requests, first=place, step=busy)
