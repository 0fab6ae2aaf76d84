"""Follows a run of a published pipeline to its end. Busy servers, restarts and expired tokens do not end the wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from epkit.core.hosting.azure_errors import PASSING
from epkit.core.pipeline import triggered, wires
from epkit.core.pipeline.triggered import TriggeredRun
from epkit.core.samples.rows import Failure
from epkit.errors import EndpointError
from epkit.flows.context import Context
from epkit.flows.pipeline.triggering.asking import RemotePipeline, is_well, refuse
from epkit.flows.pipeline.triggering.logs import LogReader
from epkit.flows.target.client import SingleRequest

FIRST_S: Final = 0.5
GROWTH: Final = 1.3
LONGEST_S: Final = 5.0
LONGEST_AZURE_S: Final = 15.0
"""Pauses between two requests: the first, the growth factor, and the longest."""

LONGEST_ASKED_S: Final = 120.0
"""Greatest pause that a server can ask for (Retry-After)."""

LOST_S: Final = 600.0
"""How long to repeat requests to a server that does not answer."""

NEW_S: Final = 30.0
"""How long a new run may be unknown: Azure's services learn about each other's runs with a delay."""

FEW: Final = 3
"""How often a refused token is replaced without a success in between."""

_TROUBLE: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT, Failure.TRANSPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOptions:
    """How a run is waited for.

    Args:
        limit_s: give up after this time; None: never.
        pause: waits; tests replace it.
        clock: returns seconds.
    """

    limit_s: float | None = None
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def look(published: RemotePipeline, run: str) -> TriggeredRun:
    """Ask once for the state of a run.

    Raises:
        UsageError, EndpointError, BackendError: there is no answer, or no such run; one line.
    """
    reply = published.asker.ask("GET", _path(published, run))
    if reply.status == 404 and not reply.failure:
        raise _gone(published, run)
    if not is_well(reply):
        refuse(published.asker, published.url, reply)
    return _read(published, reply)


def follow(
    published: RemotePipeline,
    run: str,
    context: Context,
    waits: WaitOptions,
    *,
    show: Callable[[TriggeredRun], None],
    log: LogReader | None = None,
) -> TriggeredRun:
    """Wait for the end of a run.

    Args:
        show: called with the run when its status has changed.
        log: read at each request.

    Returns:
        The run, which has ended.

    Raises:
        EndpointError: the run is gone, the server no longer answers, or the time is up; the run may go on.
        KeyboardInterrupt: the run goes on; a note has said how to continue.
    """
    waiting = _Waiting(published, run, context, waits)
    seen: str | None = None
    try:
        while True:
            found = waiting.look()
            if found is not None and found.status != seen:
                seen = found.status
                show(found)
            over = found is not None and found.outcome is not None
            if log is not None and found is not None:
                log.read(last=over)
            if found is not None and over:
                return found
            waiting.rest()
    except KeyboardInterrupt:
        context.note(f"{run}: the run goes on: epkit pipeline status {published.shown} {run} shows it")
        raise


class _Waiting:
    """A run that is followed, and how long failures are tolerated."""

    def __init__(self, published: RemotePipeline, run: str, context: Context, waits: WaitOptions) -> None:
        self._published, self._run, self._context, self._waits = published, run, context, waits
        self._began = self._well = waits.clock()
        self._pause_s = FIRST_S
        self._asked_s = 0.0
        self._known = self._in_trouble = False
        self._tokens = 0

    def look(self) -> TriggeredRun | None:
        """Ask for the state of the run; None if the answer is a failure that can pass."""
        reply = self._published.asker.ask("GET", _path(self._published, self._run))
        if is_well(reply):
            self._known, self._in_trouble, self._tokens, self._asked_s = True, False, 0, 0.0
            self._well = self._waits.clock()
            return _read(self._published, reply)
        now = self._waits.clock()
        if not reply.failure and reply.status in (404, 410) and (self._known or now - self._began >= NEW_S):
            raise _gone(self._published, self._run)
        if not self._passes(reply):
            refuse(self._published.asker, self._published.url, reply)
        if now - self._well > LOST_S:
            why = self._published.asker.why_none(reply) if reply.failure else f"status {reply.status}"
            raise EndpointError(
                f"{self._published.url.shown}: no answer for {LOST_S / 60:.0f} minutes: {why}: the run may go on: "
                f"epkit pipeline status {self._published.shown} {self._run} asks again"
            )
        self._complain(reply)
        return None

    def rest(self) -> None:
        """Wait before the next request.

        Raises:
            EndpointError: the time is up.
        """
        longest = LONGEST_AZURE_S if self._published.azure else LONGEST_S
        pause_s = max(self._pause_s, self._asked_s)
        limit_s = self._waits.limit_s
        if limit_s is not None:
            left_s = limit_s - (self._waits.clock() - self._began)
            if left_s <= 0:
                raise EndpointError(
                    f"{self._run}: not over within {limit_s:g} s: the run goes on: "
                    f"epkit pipeline status {self._published.shown} {self._run} shows it"
                )
            pause_s = min(pause_s, left_s)
        self._waits.pause(pause_s)
        self._pause_s = min(self._pause_s * GROWTH, longest)

    def _passes(self, reply: SingleRequest) -> bool:
        """Tell whether the next request may succeed. An expired token is replaced."""
        self._asked_s = 0.0
        if reply.failure:
            return reply.failure in _TROUBLE
        if reply.status == 401 and self._tokens < FEW:
            self._tokens += 1
            return self._published.asker.renew()
        if reply.status in PASSING:
            self._asked_s = _retry_after_s(reply)
            return True
        return reply.status in (404, 410)  # a run that the server does not know yet

    def _complain(self, reply: SingleRequest) -> None:
        """Report a failure once, unless it is only a run that is not known yet or an expired token."""
        if self._in_trouble or (not reply.failure and reply.status not in PASSING):
            return
        self._in_trouble = True
        why = self._published.asker.why_none(reply) if reply.failure else f"the server answers {reply.status}"
        self._context.note(f"{self._run}: {why}; asked on")


def _read(published: RemotePipeline, reply: SingleRequest) -> TriggeredRun:
    try:
        return triggered.read_run(published.wire, triggered.parse(reply.text))
    except ValueError as error:
        raise EndpointError(f"{published.url.shown}: {reply.status}: {error}: check the URL") from None


def _path(published: RemotePipeline, run: str) -> str:
    query = published.url.query
    path = wires.run_path(published.wire, published.url.path, run)
    return path if query is None else f"{path}?{query.reveal()}"


def _gone(published: RemotePipeline, run: str) -> EndpointError:
    return EndpointError(
        f"{published.url.shown}: 404: it knows no run {run}: it was deleted, belongs to another pipeline, or the "
        f"pipeline is no longer published; epkit pipeline status {published.shown} lists the runs"
    )


def _retry_after_s(reply: SingleRequest) -> float:
    """Return the wait that the server asks for; 0 if it does not ask, or gives a date."""
    try:
        asked = float(reply.headers.get("retry-after", 0))
    except ValueError:
        return 0.0
    return min(max(asked, 0.0), LONGEST_ASKED_S) if asked == asked else 0.0
