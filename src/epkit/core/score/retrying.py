"""Which requests are worth repeating, and when: the retry policy, without a clock and without random numbers."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from epkit.core.samples.rows import Failure

RETRIED: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses that do not depend on the rows: the same request may succeed later."""

REFUSED: Final = frozenset({429, 503})
"""Those of them that ask for less load."""

LOST: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT, Failure.TRANSPORT})
"""Failures of the connection to the endpoint."""

LONGEST_WAIT_NS: Final = 300_000_000_000
"""The longest wait that an endpoint gets. Limits usually last seconds or a minute; a wrong clock, or a date in the year
9999, would ask for hours."""

LONGEST_ASKED_NS: Final = 10**18
"""A longer requested wait counts as this: 32 years."""

_NUMBER: Final = re.compile(r"\d{1,300}(\.\d{0,9})?", re.ASCII)


class RetryWait(NamedTuple):
    """The wait that an endpoint asks for, and the wait that it gets; ns."""

    asked_ns: int
    ns: int


class Waits:
    """The waits that an endpoint has asked for: their number (`times`), total time (`ns`), and the end of the last."""

    def __init__(self, say: Callable[[RetryWait], None]) -> None:
        """Start without waits.

        Args:
            say: called at the start of a wait.
        """
        self._say = say
        self.times = self.ns = 0
        self._until = 0

    def ask(self, wait: RetryWait, now: int) -> None:
        """Record a wait that starts at *now*, ns of any clock; overlapping waits count as one."""
        end = now + wait.ns
        if end <= max(self._until, now):
            return
        fresh = now >= self._until
        self.ns += end - max(now, self._until)
        self._until = end
        if fresh:
            self.times += 1
            self._say(wait)

    def left_ns(self, now: int) -> int:
        """Return the remaining time of the current wait; 0 if there is none."""
        return max(0, self._until - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with full jitter.

    Args:
        base_ns: upper bound of the first wait; each further bound is twice the last one.
        cap_ns: greatest bound.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    base_ns: int = 500_000_000
    cap_ns: int = 30_000_000_000

    def delay_ns(self, tries: int, draw: float) -> int:
        """Return the time to wait.

        Args:
            tries: how often the request has failed, ≥ 1.
            draw: a random number in [0, 1).
        """
        bound = min(self.cap_ns, self.base_ns << min(tries - 1, 40))
        return int(bound * draw)


def is_transient(failure: Failure, status: int) -> bool:
    """Tell whether it is worth repeating a request after this failure."""
    return failure in LOST or (failure is Failure.STATUS and status in RETRIED)


def retry_after(headers: Mapping[str, str], now: datetime) -> RetryWait | None:
    """Return the wait that the endpoint asks for.

    Args:
        headers: of the reply, names in lower case.
        now: with a time zone.

    Returns:
        The wait that it gets is 0 … `LONGEST_WAIT_NS`; None if the headers contain no valid request to wait.

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
        if moment.tzinfo is None:  # -0000: UTC, from a server without a zone
            moment = moment.replace(tzinfo=UTC)
        return _bounded((moment - now).total_seconds())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> RetryWait:
    asked_ns = math.ceil(min(LONGEST_ASKED_NS, max(0.0, seconds * 1e9)))
    return RetryWait(asked_ns, min(LONGEST_WAIT_NS, asked_ns))
