"""Who makes the load of a run: this process, or a crew of workers. Both are asked the same."""

import time
from collections.abc import Callable

from epkit.core.load.plan import Plan
from epkit.core.load.shares import most_workers
from epkit.core.report.caveats import Caveat
from epkit.core.report.workers import WorkerRecord
from epkit.engines import runner
from epkit.engines.driver import Sink
from epkit.engines.runner import Ran
from epkit.flows.bench import checks
from epkit.flows.bench.driving import CheckedDriver, Driving
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchOptions, Shown
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.crew import carried
from epkit.flows.target.verbose import make_log


class Here:
    """This process. `engine` is what a rule of the run stops or wakes."""

    workers = 1

    def __init__(self, options: BenchOptions, ready: PreparedRun, plan: Plan, say: Callable[[str], None]) -> None:
        self._options, self._plan = options, plan
        self.engine = ready.make_engine(plan)
        self._checked = CheckedDriver(
            plan,
            ready.load,
            depth=options.depth,
            check=ready.check,
            log=make_log(options.verbosity, ready.load.requests[0], ready.target.secrets, say),
        )

    def drive(self, sinks: list[Sink], begins: list[int]) -> Driving:
        """Make the driver of a measurement."""
        self._driver = self._checked(sinks, begins)
        return self._driver

    def run(self, _measured: Measurement, tick: Callable[[], None] | None) -> Ran:
        """Run, to the end."""
        return runner.run(self.engine, self._driver, self._plan.slots, tick=tick)

    def spent_s(self) -> float:
        """Return the CPU time spent so far."""
        return time.process_time()

    def settle(self) -> list[Caveat]:
        """Wait for what is checked beside the run; say what of it should be known."""
        deferred = self._checked.deferred
        return [] if deferred is None else checks.settle(deferred, self._driver, self._options.depth)

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return what a report says of each worker: there is none."""
        return ()


def make_generator(
    options: BenchOptions, ready: PreparedRun, plan: Plan, shown: Shown, *, all_rows: bool
) -> "Here | Crewed":
    """Choose who makes the load.

    Args:
        all_rows: whether something wants every row, however many there are.
    """
    if ready.crew is None:
        return Here(options, ready, plan, shown.say)
    return Crewed(options, ready, plan, shown, all_rows=all_rows)


class Crewed:
    """A crew of workers."""

    def __init__(self, options: BenchOptions, ready: PreparedRun, plan: Plan, shown: Shown, *, all_rows: bool) -> None:
        from epkit.flows.bench.workers.fleet import Fleet
        from epkit.flows.bench.workers.work import BenchWork

        assert ready.crew is not None
        self._options = options
        work = BenchWork(
            plan=plan,
            load=ready.load,
            destination=ready.destination,
            engine=ready.make_engine(plan).name,
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
        self._fleet = self.engine = Fleet(ready.crew, work, all_rows=all_rows, live=shown.live, say=shown.say)

    @property
    def workers(self) -> int:
        """How many share the plan."""
        return len(self._fleet.parts)

    def drive(self, sinks: list[Sink], begins: list[int]) -> Driving:
        """Make the driver of a measurement."""
        return self._fleet.drive(sinks, begins)

    def run(self, measured: Measurement, tick: Callable[[], None] | None) -> Ran:
        """Run, to the end."""
        return self._fleet.run(measured, tick)

    def spent_s(self) -> float:
        """Return the CPU time that the workers have told of."""
        return self._fleet.spent_s

    def settle(self) -> list[Caveat]:
        """Say what should be known of the checks that the workers made beside the run."""
        checked, skipped = self._fleet.checked()
        return checks.skipped_replies(checked, skipped, self._fleet.sent, self._options.depth)

    def records(self) -> tuple[WorkerRecord, ...]:
        """Return what a report says of each worker."""
        from epkit.flows.bench.workers.report import worker_records

        return worker_records(self._fleet)
