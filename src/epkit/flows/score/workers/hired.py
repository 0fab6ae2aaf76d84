"""The workers that were started for a job of `epkit score`."""

import contextlib
from collections.abc import Iterator

from epkit.core.http.destination import Destination
from epkit.core.load.cluster import ClusterAddress
from epkit.core.score.conveyor import Policy
from epkit.engines.workers.crew import Crew
from epkit.flows.context import Context
from epkit.flows.crew import carried
from epkit.flows.crew.crews import check_crew, check_reach, hire
from epkit.flows.score.job import JobDriver, JobWorkers, ReadyJob, Supply, Write
from epkit.flows.score.workers.crew import ScoreCrew
from epkit.flows.score.workers.main import SCORE_WORKERS
from epkit.flows.score.workers.work import ScoreShareMessage, ScoreWork


class HiredJobWorkers:
    """A crew with the interface that a job uses."""

    def __init__(self, crew: Crew, context: Context) -> None:
        self._crew, self._context = crew, context

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that only this machine can reach, if some workers run on others."""
        check_reach(destination, self._crew)

    def driver(self, ready: ReadyJob, supply: Supply, write: Write, policy: Policy) -> JobDriver:
        """Make a driver that uses the workers."""
        work = ScoreWork(
            destination=ready.destination,
            engine=ready.engine.name,
            timeout_ns=ready.timeout_ns,
            slots=policy.concurrency,
            policy=policy,
            share=ScoreShareMessage(0),
            asked=0,
            packer=ready.packer,
            template=ready.template,
            secrets=tuple(secret.reveal() for secret in ready.target.secrets),
            files=carried.read(ready.destination) if self._crew.is_elsewhere else {},
            place=ready.place,
        )
        secrets = ready.target.secrets
        return ScoreCrew(self._crew, work, supply, write, secrets=secrets, note=self._context.note)


def check_workers(workers: int | None, cluster: ClusterAddress | None) -> None:
    """Refuse workers that are not available, before anything is started.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    check_crew(workers, cluster)


@contextlib.contextmanager
def hire_workers(workers: int | None, cluster: ClusterAddress | None, context: Context) -> Iterator[JobWorkers | None]:
    """Start workers and keep them while the block lasts; later ones may join. None if one process is enough."""
    with hire(SCORE_WORKERS, workers, cluster, context, joins=True) as crew:
        yield None if crew is None else HiredJobWorkers(crew, context)
