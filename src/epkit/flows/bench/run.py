"""One plan, run: drive it, collect what it gives, report it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from epkit.core.load.plan import Plan
from epkit.core.report import ab, slo
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.guard import Guard
from epkit.core.stats import hdr
from epkit.engines.base import Engine
from epkit.engines.driver import Sink
from epkit.files import samples
from epkit.files.runs import RunWriter
from epkit.files.spill import Spill
from epkit.flows.bench.driving import Driving
from epkit.flows.bench.generators import make_generator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchOptions, BenchResult, Shown
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.bench.report import RunSetup, known_run, make_report, show_examples
from epkit.flows.bench.saving import NOTHING_RAN, Recording
from epkit.flows.bench.until import Until

if TYPE_CHECKING:
    from epkit.flows.bench.workers.fleet import Fleet


def run(
    options: BenchOptions,
    ready: PreparedRun,
    plan: Plan,
    shown: Shown,
    *,
    watch: "Callable[[Measurement, Engine | Fleet], Callable[[], None]] | None" = None,
    writer: RunWriter | None = None,
    arm: str = "",
) -> BenchResult:
    """Run one plan and report it.

    Args:
        watch: makes what is called some five times a second while the run goes on, and may end it.
        writer: of the file that the run is saved to, as one of *arm*.
    """
    slos = slo.parse_all(options.slos)
    load = ready.load
    rows_wanted = options.rows_wanted or bool(options.samples)
    with ExitStack() as stack:
        spill = stack.enter_context(Spill()) if rows_wanted else None
        infinite = options.failures_as_infinite
        recording = (
            None
            if writer is None
            else Recording(writer, load, slos=options.slos, arm=arm, failures_as_infinite=infinite)
        )
        sinks: list[Sink] = [] if spill is None else [spill]
        sinks += [] if recording is None else [recording.add]
        sinks += [] if shown.live is None else [shown.live.restarted()]
        guard = None if not options.abort_on_slo else _guard(slos, plan)
        sinks += [] if guard is None else [guard.add]
        all_rows = rows_wanted or recording is not None or guard is not None
        generator = make_generator(options, ready, plan, shown, all_rows=all_rows)
        measured = Measurement(plan, generator.drive, sinks=sinks, failures_as_infinite=infinite)
        driver, engine = measured.driver, generator.engine
        setup = RunSetup(
            target=ready.target,
            load=load,
            destination=ready.destination,
            plan=plan,
            engine=engine.name,
            workers=generator.workers,
            warmup=options.warmup,
            sweep=options.sweep is not None,
        )
        stop_rule = None if options.until is None else Until(options.until, measured, engine)
        ticks: list[Callable[[], None]] = [] if stop_rule is None else [stop_rule]
        ticks += [watch(measured, engine)] if watch is not None else []
        lost: list[Caveat] = []
        ticks += [] if guard is None else [_aborting(guard, engine, driver, lost)]
        progress = shown.progress
        ticks += [lambda: progress(driver.sent, driver.failed)] if progress is not None else []
        if recording is not None:
            recording.watch(measured, lambda: known_run(setup, measured, NOTHING_RAN), generator.spent_s)
            ticks.append(recording.tick)
        ready.current.drive(driver)
        ran = generator.run(measured, _all(ticks))
        driver.flush()
        unchecked = generator.settle()
        report = make_report(
            setup,
            measured,
            ran,
            search=None if stop_rule is None else stop_rule.outcome(),
            records=generator.records(),
            slos=slos,
            warnings=[*lost, *unchecked],
        )
        if recording is not None:
            recording.finish(report, measured.summary)
        if spill is not None and options.samples is not None:
            samples.write(options.samples, spill.blocks(), report.run.payloads, load.rows, driver.deployments)
        times = None
        if spill is not None and options.rows_wanted:
            times = ab.from_samples(spill.blocks(), measured.started_ns())
        kept = {} if options.keep_failures is None else show_examples(driver.examples.values(), ready.target)
        histograms = hdr.as_saved(measured.summary.histograms()) if options.histograms_wanted else {}
        return BenchResult(report=report, ab_times=times, kept=kept, stopped_by=ran.stopped_by, histograms=histograms)


def _guard(slos: Sequence[slo.Slo], plan: Plan) -> Guard:
    requests = [phase.requests for phase in plan.measured if phase.requests is not None]
    durations = [phase.duration_ns for phase in plan.measured if phase.duration_ns is not None]
    phases = len(plan.measured)
    return Guard(
        slos,
        requests=sum(requests) if len(requests) == phases else None,
        duration_ns=sum(durations) if len(durations) == phases else None,
    )


def _aborting(guard: Guard, engine: "Engine | Fleet", driver: Driving, lost: list[Caveat]) -> Callable[[], None]:
    """Return what ends a run when an objective cannot be met any more, and says so in *lost*."""

    def look() -> None:
        if not lost and (expression := guard.lost()):
            text = f"ended early: {expression} could no longer be met"
            lost.append(Caveat(kind=CaveatKind.OBJECTIVE_LOST, text=text))
            driver.stop()
            engine.stop(drain=True)

    return look


def _all(ticks: Sequence[Callable[[], None]]) -> Callable[[], None] | None:
    """Make one call of several; None of none."""

    def tick() -> None:
        for each in ticks:
            each()

    return tick if ticks else None
