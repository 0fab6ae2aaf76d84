"""Watches a part of the traffic for a while, with epkit's own requests to the candidate, at a low rate.

Application Insights is not asked about other requests: it has them only minutes later, and its query service needs
another token than epkit has.
"""

import time
from dataclasses import dataclass
from typing import Final

from epkit.core.report.wording import plural
from epkit.errors import EndpointError
from epkit.flows.pipeline.proving import Prover

INTERVAL_S: Final = 1.0
"""Least time between two requests."""

MOST_REQUESTS: Final = 600
"""Number of requests during one part."""

TOLERATED: Final = 100
"""Of this number of requests, one may fail."""

SLICE_S: Final = 0.1
"""Interval at which a pending stop is checked during a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedPart:
    """The result of the requests during one part of the traffic."""

    requests: int
    failed: int


def watch_part(prover: Prover, wait_s: float) -> WatchedPart:
    """Send requests to the candidate until the time is over.

    Args:
        prover: must have fetched the contract.

    Raises:
        EndpointError: more than one in a hundred of the planned requests have failed.
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
