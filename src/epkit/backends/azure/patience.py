"""Repeats requests to Azure that are refused for a while: a job of an hour outlasts a busy minute and a token."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from epkit.backends.base import Say
from epkit.core.hosting.azure_errors import Refusal, reduce
from epkit.errors import EpkitError

T = TypeVar("T")

LIMIT_S: Final = 600.0
"""How long the same request is repeated; a deployment of Azure's own services takes some minutes."""

FEW: Final = 3
"""How often a refused login is tried: a token that has just expired is replaced for the next request."""

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
LONGEST_ASKED_S: Final = 120.0
"""Pauses: the first one, the longest, and the longest that the service may request."""


class Patience:
    """Repeats a call, with growing pauses or those that the service requests (Retry-After)."""

    def __init__(self, say: Say, pause: Callable[[float], None], limit_s: float = LIMIT_S) -> None:
        """Set the limits.

        Args:
            say: called once for each call, when it is repeated.
            pause: waits; an exception that it raises ends the repetition.
            limit_s: see `LIMIT_S`.
        """
        self._say = say
        self._pause = pause
        self._limit_s = limit_s

    def __call__(self, ask: Callable[[], T]) -> T:
        """Call *ask* until it succeeds.

        Raises:
            Exception: the last error, if another try is useless or the time is up.
        """
        began = time.monotonic()
        logins, wait_s = 0, FIRST_S
        while True:
            try:
                return ask()
            except EpkitError:
                raise
            except Exception as error:
                refusal = reduce(error)
                logins += _is_login(refusal)
                wait_s = min(_asked_for_s(error), LONGEST_ASKED_S) or wait_s
                late = time.monotonic() - began + wait_s > self._limit_s
                if late or not (refusal.passes or (_is_login(refusal) and logins < FEW)):
                    raise
                if wait_s >= 1.0:
                    self._say(f"{refusal.line}: asked again in {wait_s:.0f} s")
            self._pause(wait_s)
            wait_s = min(wait_s * 2, LONGEST_S)


def _is_login(refusal: Refusal) -> bool:
    return refusal.kind == "login" or refusal.status == 401


def _asked_for_s(error: Exception) -> float:
    """Return the wait that the service requests; 0 if it requests none."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("Retry-After") or headers.get("retry-after") or 0))
    except (TypeError, ValueError):  # a date
        return 0.0
