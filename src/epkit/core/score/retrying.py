"""Which requests are worth sending again, and when: the policy of retries, without a clock and without chance."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from epkit.core.samples.rows import Failure

RETRIED: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses that say nothing about the rows: the same request may succeed later."""

REFUSED: Final = frozenset({429, 503})
"""Of those, the ones that ask for less load."""

LOST: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT, Failure.TRANSPORT})
"""Failures of the way to the endpoint."""

LONGEST_WAIT_NS: Final = 300_000_000_000
"""The longest wait that an endpoint is granted before it is asked again. What throttles counts by seconds or by a
minute; a clock that is wrong, or a date of the year 9999, asks for hours."""

LONGEST_ASKED_NS: Final = 10**18
"""What asks for more asks for this: 32 years."""

_NUMBER: Final = re.compile(r"\d{1,300}(\.\d{0,9})?", re.ASCII)


class RetryWait(NamedTuple):
    """How long an endpoint asks to wait, and how long it is granted; ns."""

    asked_ns: int
    ns: int


class Waits:
    """The waits that an endpoint has asked for: how many, how long together (`times`, `ns`), and until when."""

    def __init__(self, say: Callable[[RetryWait], None]) -> None:
        """Begin with none.

        Args:
            say: called when one begins, with what is asked.
        """
        self._say = say
        self.times = self.ns = 0
        self._until = 0

    def ask(self, wait: RetryWait, now: int) -> None:
        """Take note of a wait from *now* on, ns of any one clock; what overlaps is one wait."""
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
        """Return how long the one that is under way still lasts; 0 where there is none."""
        return max(0, self._until - now)


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


def retry_after(headers: Mapping[str, str], now: datetime) -> RetryWait | None:
    """Read how long the endpoint asks to wait.

    Args:
        headers: of the reply, names in lower case.
        now: with a time zone.

    Returns:
        What is granted is 0 … `LONGEST_WAIT_NS`; None where it does not say so in a form that is known.

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


def _bounded(seconds: float) -> RetryWait:
    asked_ns = math.ceil(min(LONGEST_ASKED_NS, max(0.0, seconds * 1e9)))
    return RetryWait(asked_ns, min(LONGEST_WAIT_NS, asked_ns))
