"""Follows a job at Azure: asks for its state with growing pauses, and shows each trial, until it ends or Ctrl-C."""

import time
from collections.abc import Callable, Sequence
from signal import Signals
from typing import TYPE_CHECKING, Final

from epkit.core.hosting.azure_jobs import CANCELLED, DONE, AzureJob, ChildRun, children_of, reason_of
from epkit.core.train.azure import is_better
from epkit.core.train.metrics import canonical
from epkit.core.train.progress import Progress, RunScore
from epkit.errors import BackendError
from epkit.flows.context import Context
from epkit.flows.interrupts import NotedInterrupt

if TYPE_CHECKING:
    from epkit.flows.azure import AutoMLJobs, RunHistory

FIRST_S: Final = 1.0
LONGEST_S: Final = 15.0
GROWTH: Final = 1.3
"""Pauses between two requests: the first, the longest, and their growth factor."""

TICK_S: Final = 0.2
"""Interval at which a pending signal is checked."""


class Waiting:
    """Waits; stops waiting when Ctrl-C was noted."""

    def __init__(self) -> None:
        """Start with no signal noted: Ctrl-C interrupts as usual."""
        self.stopped: Callable[[], Signals | None] = lambda: None

    def __call__(self, seconds: float) -> None:
        """Wait for a number of seconds.

        Raises:
            NotedInterrupt: a signal was noted.
        """
        ends = time.monotonic() + seconds
        while True:
            number = self.stopped()
            if number is not None:
                raise NotedInterrupt(number)
            left = ends - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK_S))


def follow(
    name: str,
    jobs: "AutoMLJobs",
    history: "RunHistory",
    context: Context,
    waiting: Waiting,
    show: Callable[[Progress], None],
) -> tuple[AzureJob, tuple[ChildRun, ...]]:
    """Wait until a job has ended.

    Args:
        show: called after each request.

    Returns:
        The ended job and its trials.

    Raises:
        BackendError, UsageError: Azure no longer reports the state of the job; the job goes on.
        NotedInterrupt: Ctrl-C; the job goes on.
    """
    began, pause_s, last = time.monotonic(), FIRST_S, ""
    while True:
        job = jobs.job(name)
        if job.status != last:
            last = job.status
            context.note(f"job {name}: {last}")
        children = children_of(name, history.children(name))
        show(progress_of(job, children, time.monotonic() - began))
        if job.is_over:
            return job, children
        waiting(pause_s)
        pause_s = min(pause_s * GROWTH, LONGEST_S)


def progress_of(job: AzureJob, children: Sequence[ChildRun], elapsed_s: float) -> Progress:
    """Return the progress of a job, in the form of a search's progress."""
    metric = canonical(job.metric)
    best: RunScore | None = None
    last: RunScore | None = None
    over = [child for child in children if child.is_over]
    for child in over:
        if child.status != DONE or child.score is None:
            continue
        last = (child.number, child.algorithm, child.score)
        if best is None or is_better(metric, child.score, best[2]):
            best = last
    running = tuple(f"{child.number} {child.algorithm}" for child in children if child.is_running)
    return Progress(
        done=len(over),
        total=max(job.trials or 0, len(children)),
        running=running,
        last=last,
        best=best,
        metric=metric,
        elapsed_s=elapsed_s,
        left_s=None,
        failed=sum(child.status != DONE for child in over),
        phase=None if running else f"job {job.status}",
    )


def check_complete(job: AzureJob, children: Sequence[ChildRun], history: "RunHistory") -> None:
    """Refuse a job without a model.

    Raises:
        BackendError: the job failed or was cancelled; the message has Azure's reason.
    """
    if job.status == DONE:
        return
    if job.status == CANCELLED:
        raise BackendError(f"the job {job.name} was cancelled: there is no model")
    reason = reason_of(history.details(job.name))
    reason = reason or next((child.error for child in children if child.error), None)
    page = f" (its logs: {job.page})" if job.page else ""
    raise BackendError(f"the job {job.name} failed: {reason or 'Azure gives no reason'}{page}")
