"""The load generators of a run: this process, or a crew of workers with the same interface.

A bench uses workers only through `Workers`. No other module of a bench imports them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from epkit.core.http.request import Request
from epkit.core.load.cluster import ClusterAddress
from epkit.core.report.workers import WorkerRecord
from epkit.engines import runner
from epkit.engines.driver import Judging
from epkit.flows.bench.driving import DrivenPlan, LoadGenerator, RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchOptions, Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.ready import PreparedRun, Workers
from epkit.flows.context import Context
from epkit.flows.target.verbose import make_log


class OwnGenerator:
    """This process."""

    workers = 1

    def __init__(
        self, options: BenchOptions, ready: PreparedRun, measured: Measurement, say: Callable[[str], None]
    ) -> None:
        self._slots = measured.plan.slots
        engine = ready.make_engine()
        log = make_log(options.verbosity, ready.load.requests[0], ready.target.secrets, say)
        load = ready.load
        judging = Judging(sinks=measured.sinks, depth=options.depth, log=log, place=load.place, strict=load.strict)
        self._driven = DrivenPlan(
            measured.plan, load, engine, judging, measured.times, check=ready.check, ids=measured.ids
        )

    def run(self, tick: Callable[[], None]) -> RunFacts:
        """Run the plan to its end."""
        self._driven.begin()
        ran = runner.run(self._driven.engine, self._driven.driver, self._slots, tick=tick)
        self._driven.settle()
        return self._driven.facts(ran)

    def facts(self) -> RunFacts:
        """Return what is known so far."""
        return self._driven.facts()

    def flush(self) -> None:
        """Pass waiting rows to the sinks."""
        self._driven.driver.flush()

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on."""
        self._driven.replace(requests)

    def end(self, *, drain: bool) -> None:
        """End the run early."""
        self._driven.end(drain=drain)

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return no records, because there are no workers."""
        return ()


def make_generator(
    asked: AskedBench, ready: PreparedRun, measured: Measurement, shown: Shown, *, all_rows: bool
) -> LoadGenerator:
    """Choose the load generator of a run.

    Args:
        all_rows: whether something needs every row, however many there are.
    """
    if ready.workers is None:
        return OwnGenerator(asked.options, ready, measured, shown.say)
    return ready.workers.generator(asked, ready, measured, shown, all_rows=all_rows)


def check_workers(workers: int | None, cluster: ClusterAddress | None) -> None:
    """Refuse workers that are not available, before anything is started.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    if workers is None and cluster is None:
        return
    from epkit.flows.bench.workers import hired  # only with --workers or --cluster, here and below

    hired.check_workers(workers, cluster)


def hire(
    workers: int | None, cluster: ClusterAddress | None, context: Context
) -> AbstractContextManager[Workers | None]:
    """Start workers and keep them while the block lasts; None if the options ask for none.

    Args:
        workers: the number of processes of this machine.
        cluster: a Dask scheduler; all of its workers are used.

    Raises:
        UsageError: the workers are not available.
    """
    if workers is None and cluster is None:
        return nullcontext()
    from epkit.flows.bench.workers import hired

    return hired.hire_workers(workers, cluster, context)
