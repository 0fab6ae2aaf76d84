"""A part of the traffic is watched for a while: requests of epkit's own, to the candidate, at a small rate.

What Application Insights knows of other requests is not asked: they are known there minutes later, and the service that
gives them out takes another token than any that epkit has.
"""

import time
from dataclasses import dataclass
from typing import Final

from epkit.core.report.wording import plural
from epkit.errors import EndpointError
from epkit.flows.pipeline.proving import Prover

INTERVAL_S: Final = 1.0
"""Between two requests, at least."""

MOST_REQUESTS: Final = 600
"""While one part is watched."""

TOLERATED: Final = 100
"""Requests of which one may fail."""

SLICE_S: Final = 0.1
"""How long a wait goes on before the user's wish to end it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedPart:
    """What came of the requests while one part was watched."""

    requests: int
    failed: int


def watch_part(prover: Prover, wait_s: float) -> WatchedPart:
    """Ask the candidate until the time is over.

    Args:
        prover: that knows the contract.

    Raises:
        EndpointError: more than one in a hundred of the requests that are due have failed.
        StepStopped: the user stopped it.
    """
    due = max(1, min(MOST_REQUESTS, int(wait_s / INTERVAL_S)))
    began, failed = time.monotonic(), 0
    for request in range(due):
        _wait_until(began + request * wait_s / due, prover)
        if not prover.answers():
            failed += 1
        if failed > due // TOLERATED:
            raise EndpointError(f"{prover.name}: {failed} of {plural(request + 1, 'request')} of the watch failed")
    _wait_until(began + wait_s, prover)
    return WatchedPart(requests=due, failed=failed)


def _wait_until(moment: float, prover: Prover) -> None:
    while (left := moment - time.monotonic()) > 0:
        prover.go_on()
        time.sleep(min(left, SLICE_S))
