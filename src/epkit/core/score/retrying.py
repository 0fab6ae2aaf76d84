"""Which requests are worth sending again, and when: the policy of retries, without a clock and without chance."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from epkit.core.samples.rows import Failure

RETRIED: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses that say nothing about the rows: the same request may succeed later."""

REFUSED: Final = frozenset({429, 503})
"""Of those, the ones that ask for less load."""

LOST: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT, Failure.TRANSPORT})
"""Failures of the way to the endpoint."""

LONGEST_WAIT_NS: Final = 3_600_000_000_000
"""The longest wait that an endpoint is granted."""

_NUMBER: Final = re.compile(r"\d{1,15}(\.\d{0,9})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with full jitter.

    Args:
        base_ns: the first wait is less than this; each further bound is twice the last.
        cap_ns: no bound is greater.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    base_ns: int = 500_000_000
    cap_ns: int = 30_000_000_000

    def delay_ns(self, tries: int, draw: float) -> int:
        """Return how long to wait.

        Args:
            tries: how often the request has failed, ≥ 1.
            draw: in [0, 1), from a generator.
        """
        bound = min(self.cap_ns, self.base_ns << min(tries - 1, 40))
        return int(bound * draw)


def is_transient(failure: Failure, status: int) -> bool:
    """Tell whether a request that failed so is worth sending again as it is."""
    return failure in LOST or (failure is Failure.STATUS and status in RETRIED)


def retry_after_ns(headers: Mapping[str, str], now: datetime) -> int | None:
    """Read how long the endpoint asks to wait.

    Args:
        headers: of the reply, names in lower case.
        now: with a time zone.

    Returns:
        0 … `LONGEST_WAIT_NS`, or None where it does not say so in a form that is known.

    Source: RFC 9110 § 10.2.3 (seconds, or a date); `retry-after-ms` and `x-ms-retry-after-ms` are Azure's.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if _NUMBER.fullmatch(text := headers.get(name, "").strip()):
            return _bounded(float(text) / 1e3)
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return _bounded(float(text))
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # -0000, which is UTC without a place
            moment = moment.replace(tzinfo=UTC)
        return _bounded((moment - now).total_seconds())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> int:
    return min(LONGEST_WAIT_NS, math.ceil(max(0.0, seconds) * 1e9))
