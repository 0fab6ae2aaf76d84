"""Who makes the load of a run: this process, or a crew of workers. Both are asked the same."""

from collections.abc import Callable, Sequence

from epkit.core.http.request import Request
from epkit.core.load.shares import most_workers
from epkit.core.report.report import Report
from epkit.engines import runner
from epkit.engines.driver import Judging
from epkit.flows.bench.driving import DrivenPlan, LoadGenerator, RunFacts
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchOptions, Shown
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.crew import carried
from epkit.flows.target.verbose import make_log


class OwnGenerator:
    """This process."""

    workers = 1

    def __init__(
        self, options: BenchOptions, ready: PreparedRun, measured: Measurement, say: Callable[[str], None]
    ) -> None:
        self._slots = measured.plan.slots
        engine = ready.make_engine(measured.plan)
        self.engine = engine.name
        log = make_log(options.verbosity, ready.load.requests[0], ready.target.secrets, say)
        judging = Judging(sinks=measured.sinks, depth=options.depth, log=log)
        self._driven = DrivenPlan(measured.plan, ready.load, engine, judging, measured.times, check=ready.check)

    def run(self, tick: Callable[[], None]) -> RunFacts:
        """Run, to the end."""
        self._driven.begin()
        ran = runner.run(self._driven.engine, self._driven.driver, self._slots, tick=tick)
        self._driven.settle()
        return self._driven.facts(ran)

    def facts(self) -> RunFacts:
        """Say what is known so far."""
        return self._driven.facts()

    def flush(self) -> None:
        """Hand rows that wait to the sinks."""
        self._driven.driver.flush()

    def replace(self, requests: Sequence[Request]) -> None:
        """Send other requests from now on."""
        self._driven.driver.replace(requests)

    def end(self, *, drain: bool) -> None:
        """End the run by a rule of its own."""
        self._driven.end(drain=drain)

    def with_workers(self, report: Report) -> Report:
        """Add nothing: there are none."""
        return report


def make_generator(
    options: BenchOptions, ready: PreparedRun, measured: Measurement, shown: Shown, *, all_rows: bool
) -> LoadGenerator:
    """Choose who makes the load of a run.

    Args:
        all_rows: whether something wants every row, however many there are.
    """
    if ready.crew is None:
        return OwnGenerator(options, ready, measured, shown.say)
    return _crewed(options, ready, measured, shown, all_rows=all_rows)


def _crewed(
    options: BenchOptions, ready: PreparedRun, measured: Measurement, shown: Shown, *, all_rows: bool
) -> LoadGenerator:
    from epkit.flows.bench.workers.fleet import Fleet
    from epkit.flows.bench.workers.work import BenchWork

    assert ready.crew is not None
    work = BenchWork(
        plan=measured.plan,
        load=ready.load,
        destination=ready.destination,
        engine=ready.make_engine(measured.plan).name,
        depth=options.depth,
        expect=options.expect,
        contract=ready.replies,
        exact=None,
        verbosity=options.verbosity,
        secrets=tuple(secret.reveal() for secret in ready.target.secrets),
        files=carried.read(ready.destination, options.expect) if ready.crew.is_elsewhere else {},
    )
    spare = len(ready.crew.members) - min(len(ready.crew.members), most_workers(ready.plan))
    if spare and options.find_max is None:
        shown.say(f"{spare} workers have nothing to do: no more requests are in flight at once (-c)")
    return Fleet(ready.crew, work, measured, all_rows=all_rows, live=shown.live, say=shown.say)
