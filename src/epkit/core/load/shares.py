"""One plan, split among workers so that all of them together send exactly what one process would.

Request number k of a phase is worker k mod W's. Of an open phase each worker knows the whole schedule and takes the due
times that are its own, so that their union is the schedule, to the nanosecond and with the same seed; of a closed one
the requests are counted out in turn. Payloads go round with the numbers. A phase with fewer places than workers leaves
some of them idle until it is over.
"""

from collections.abc import Sequence
from dataclasses import replace

from epkit.core.load.plan import Phase, Plan


def most_workers(phases: Sequence[Phase]) -> int:
    """Return among how many workers phases can be split: more would have nothing to do in any of them."""
    return max(_places(phase) for phase in phases)


def split(plan: Plan, workers: int) -> tuple[Plan, ...]:
    """Split a plan.

    Args:
        workers: 1 … `most_workers`.

    Returns:
        The plan of each worker, whose concurrencies and requests add up to those of *plan*.
    """
    return tuple(
        replace(plan, phases=tuple(_share(phase, place, workers) for phase in plan.phases)) for place in range(workers)
    )


def count(total: int, place: int, workers: int) -> int:
    """Return how many of the numbers below *total* are a worker's: those that leave *place* as remainder."""
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
