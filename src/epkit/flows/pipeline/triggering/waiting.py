"""Follows a run of a published pipeline to its end: busy servers, restarts and ended tokens are waited out."""

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
"""Pauses between two questions: the first, how they grow, and the longest."""

LONGEST_ASKED_S: Final = 120.0
"""Of a pause that the server asks for (Retry-After)."""

LOST_S: Final = 600.0
"""How long a server that does not answer is asked on."""

NEW_S: Final = 30.0
"""How long a run that has just begun may not be known yet: Azure's services learn of each other's runs one by one."""

FEW: Final = 3
"""Times in a row that a refused token is replaced."""

_TROUBLE: Final = frozenset({Failure.CONNECT, Failure.TIMEOUT, Failure.TRANSPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOptions:
    """How a run is waited for.

    Args:
        limit_s: give up after this; None for never.
        pause: waits; tests have one of their own.
        clock: seconds.
    """

    limit_s: float | None = None
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def look(published: RemotePipeline, run: str) -> TriggeredRun:
    """Ask once how a run is.

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
        log: is read at each look.

    Returns:
        The run, which is over.

    Raises:
        EndpointError: the run is gone, the server does not answer any more, or the time is up; the run may go on.
        KeyboardInterrupt: the run goes on; a note has said how to come back.
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
    """One run that is asked after, and how patient that has to be."""

    def __init__(self, published: RemotePipeline, run: str, context: Context, waits: WaitOptions) -> None:
        self._published, self._run, self._context, self._waits = published, run, context, waits
        self._began = self._well = waits.clock()
        self._pause_s = FIRST_S
        self._asked_s = 0.0
        self._known = self._in_trouble = False
        self._tokens = 0

    def look(self) -> TriggeredRun | None:
        """Ask how the run is; None where the answer is one that passes."""
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
        """Wait before the next question.

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
        """Tell whether the next question may be answered; a token that has ended is replaced."""
        self._asked_s = 0.0
        if reply.failure:
            return reply.failure in _TROUBLE
        if reply.status == 401 and self._tokens < FEW:
            self._tokens += 1
            return self._published.asker.renew()
        if reply.status in PASSING:
            self._asked_s = _retry_after_s(reply)
            return True
        return reply.status in (404, 410)  # a run that is not known yet

    def _complain(self, reply: SingleRequest) -> None:
        """Say once that something is wrong, where it is more than a run that is not known yet or a token that ended."""
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
        f"pipeline is published no more; epkit pipeline status {published.shown} lists the runs"
    )


def _retry_after_s(reply: SingleRequest) -> float:
    """Return how long the server asks to wait; 0 where it does not say, or names a date."""
    try:
        asked = float(reply.headers.get("retry-after", 0))
    except ValueError:
        return 0.0
    return min(max(asked, 0.0), LONGEST_ASKED_S) if asked == asked else 0.0
