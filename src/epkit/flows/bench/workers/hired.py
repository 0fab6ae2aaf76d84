"""The workers that were started for the runs of a bench."""

import contextlib
from collections.abc import Iterator

from epkit.core.http.destination import Destination
from epkit.core.load.cluster import ClusterAddress
from epkit.core.load.shares import most_workers
from epkit.engines.workers.crew import Crew
from epkit.flows.bench.driving import LoadGenerator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.ready import PreparedRun, Workers
from epkit.flows.bench.workers.fleet import Fleet
from epkit.flows.bench.workers.main import BENCH_WORKERS
from epkit.flows.bench.workers.work import BenchWork
from epkit.flows.context import Context
from epkit.flows.crew import carried
from epkit.flows.crew.crews import check_crew, check_reach, hire


class HiredWorkers:
    """A crew with the interface that a bench uses."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def __len__(self) -> int:
        return len(self._crew.members)

    def check_reach(self, destination: Destination) -> None:
        """Refuse a destination that only this machine can reach, if some workers run on others."""
        check_reach(destination, self._crew)

    def generator(
        self, asked: AskedBench, ready: PreparedRun, measured: Measurement, shown: Shown, *, all_rows: bool
    ) -> LoadGenerator:
        """Make a generator that uses the workers."""
        options = asked.options
        work = BenchWork(
            plan=measured.plan,
            load=ready.load,
            destination=ready.destination,
            engine=ready.engine,
            depth=options.depth,
            expect=options.expect,
            contract=ready.replies,
            exact=None,
            verbosity=options.verbosity,
            secrets=tuple(secret.reveal() for secret in ready.target.secrets),
            ids=measured.ids,
            files=carried.read(ready.destination, options.expect) if self._crew.is_elsewhere else {},
        )
        spare = len(self) - min(len(self), most_workers(ready.plan.phases))
        if spare and options.find_max is None and asked.grid is None:
            shown.say(f"{spare} workers have nothing to do, because no more requests are in flight at once (-c)")
        return Fleet(self._crew, work, measured, all_rows=all_rows, live=shown.live, say=shown.say)


def check_workers(workers: int | None, cluster: ClusterAddress | None) -> None:
    """Refuse workers that are not available, before anything is started.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    check_crew(workers, cluster)


@contextlib.contextmanager
def hire_workers(workers: int | None, cluster: ClusterAddress | None, context: Context) -> Iterator[Workers | None]:
    """Start workers and keep them while the block lasts; None if one process of this machine is enough."""
    with hire(BENCH_WORKERS, workers, cluster, context) as crew:
        yield None if crew is None else HiredWorkers(crew)
