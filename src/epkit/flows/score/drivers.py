"""The drivers of a job of `epkit score`: this process, or workers that share it, with the same interface.

A job uses workers only through `JobWorkers`. No other module of a job imports them.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from signal import Signals

from epkit.core.http.masking import KeyGuard
from epkit.core.http.secret import Secret
from epkit.core.score.conveyor import Conveyor, Policy
from epkit.engines import runner
from epkit.engines.batches import BatchDriver
from epkit.errors import UsageError
from epkit.flows.context import Context, Note
from epkit.flows.score.job import JobDriver, JobWorkers, ReadyJob, Supply, Write
from epkit.flows.score.options import ScoreOptions
from epkit.flows.score.words import explainer, note_wait


class OwnDriver(BatchDriver):
    """Runs a job in this process."""

    def __init__(self, ready: ReadyJob, supply: Supply, write: Write, policy: Policy, note: Note) -> None:
        self._engine, self._template = ready.engine, ready.template
        super().__init__(
            Conveyor(supply, ready.packer, write, policy),
            ready.packer,
            lambda body, mark: self._template.fill(body, mark),
            policy=policy,
            explain=explainer(ready.target.secrets),
            dice=random.Random(),  # noqa: S311 - jitter
            later=self._engine.soon,
            wake=self._engine.wake,
            waiting=lambda wait: note_wait(wait, note),
            mask=KeyGuard(ready.target.secrets),
            place=ready.place,
        )

    def renew(self, value: Secret) -> None:
        """Send another Authorization from now on; may be called from any thread."""
        self._template = self._template.with_authorization(value.reveal())

    def run(self, tick: Callable[[], None] | None) -> Signals | None:
        """Run the job; return the signal that ended it early."""
        return runner.run(self._engine, self, self._policy.concurrency, tick=tick).stopped_by


def make_driver(
    ready: ReadyJob, supply: Supply, write: Write, policy: Policy, workers: JobWorkers | None, note: Note
) -> JobDriver:
    """Choose the driver of a job.

    Args:
        note: prints the waits that the endpoint requests; workers have a `note` already.
    """
    if workers is None:
        return OwnDriver(ready, supply, write, policy, note)
    return workers.driver(ready, supply, write, policy)


def check_workers(options: ScoreOptions) -> None:
    """Refuse workers that are not available, or that would have nothing to do.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    if options.workers is None and options.cluster is None:
        return
    from epkit.flows.score.workers import hired  # only with --workers or --cluster, here and below

    hired.check_workers(options.workers, options.cluster)
    if options.workers is not None and options.workers > options.concurrency:
        raise UsageError(
            f"--workers {options.workers}: no more than {options.concurrency} workers are of use, because no more "
            f"requests are in flight at once: give a higher concurrency (-c)"
        )


def hire(options: ScoreOptions, context: Context) -> AbstractContextManager[JobWorkers | None]:
    """Start workers and keep them while the block lasts; None if the options ask for none.

    Raises:
        UsageError: the workers are not available.
    """
    if options.workers is None and options.cluster is None:
        return nullcontext()
    from epkit.flows.score.workers import hired

    return hired.hire_workers(options.workers, options.cluster, context)
