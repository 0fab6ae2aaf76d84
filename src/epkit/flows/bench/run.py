"""Runs one plan: opens the sinks of its samples, drives the load, and makes the report."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from epkit.core.http.masking import mask_values
from epkit.core.http.request_ids import RequestIds
from epkit.core.load.plan import Plan
from epkit.core.load.stages import total
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.guard import Guard
from epkit.core.report.report import Report
from epkit.core.report.slo import Slo
from epkit.core.stats import hdr
from epkit.engines.driver import Sink
from epkit.files import samples
from epkit.files.spill import Spill
from epkit.flows.bench import checks
from epkit.flows.bench.driving import LoadGenerator, RunFacts
from epkit.flows.bench.generators import make_generator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchOptions, BenchResult, Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.bench.report import RunSetup, known_run, make_report, new_run_id, show_examples
from epkit.flows.bench.until import Until

if TYPE_CHECKING:
    from epkit.files.runs import RunWriter
    from epkit.flows.bench.exporting import RunExport
    from epkit.flows.bench.saving import Recording

Tick = Callable[[], None]
Watch = Callable[[Measurement, LoadGenerator], Tick]
"""Makes a function that is called about five times a second during the run, and may end the run."""

Value = TypeVar("Value")


def run(
    asked: AskedBench,
    ready: PreparedRun,
    plan: Plan,
    shown: Shown,
    *,
    watch: Watch | None = None,
    writer: "RunWriter | None" = None,
    arm: str = "",
    sink: Sink | None = None,
) -> BenchResult:
    """Run one plan and report it.

    Args:
        writer: writes the file that the run is saved to, in the arm *arm*.
        sink: a sink of the measured samples, in addition to those of the options.
    """
    options = asked.options
    with ExitStack() as stack:
        sinks = _RunSinks(
            spill=stack.enter_context(Spill()) if options.rows_wanted or options.samples else None,
            recording=None if writer is None else _recording(options, ready, writer, arm),
            live=None if shown.live is None else shown.live.restarted(ready.load.rows),
            guard=_guard(asked.slos, plan) if options.abort_on_slo else None,
        )
        run_id, header = new_run_id(), options.request_ids
        measured = Measurement(
            plan,
            sinks=[*sinks.all(), *_there(sink)],
            failures_as_infinite=options.failures_as_infinite,
            rows_of=ready.load.rows,
            ids=None if header is None else RequestIds(header=header, run=run_id),
        )
        export = None
        if shown.exporting is not None:
            method = ready.load.requests[0].method
            export = shown.exporting.run(ready.target, ready.destination, method, measured)
        all_rows = sinks.want_all_rows or export is not None
        generator = make_generator(asked, ready, measured, shown, all_rows=all_rows)
        one = _Run(asked, ready, measured, generator, sinks, export, run_id)
        one.drive(shown.progress, watch)
        return one.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunSinks:
    """The sinks of the measured phases, in addition to the summary."""

    spill: Spill | None
    recording: "Recording | None"
    live: Sink | None
    guard: Guard | None

    def all(self) -> list[Sink]:
        return _there(
            self.spill,
            None if self.recording is None else self.recording.add,
            self.live,
            None if self.guard is None else self.guard.add,
        )

    @property
    def want_all_rows(self) -> bool:
        return any((self.spill, self.recording, self.guard))


class _Run:
    """A run of one plan: drives the plan, then makes the report."""

    def __init__(
        self,
        asked: AskedBench,
        ready: PreparedRun,
        measured: Measurement,
        generator: LoadGenerator,
        sinks: _RunSinks,
        export: "RunExport | None",
        run_id: str,
    ) -> None:
        self._asked, self._ready, self._measured, self._sinks = asked, ready, measured, sinks
        self._export = export
        self._generator = generator
        self._setup = RunSetup(
            target=ready.target,
            load=ready.load,
            destination=ready.destination,
            plan=measured.plan,
            id=run_id,
            workers=generator.workers,
            warmup=asked.options.warmup,
            sweep=asked.options.sweep is not None and asked.grid is None,
        )
        self._until = None if asked.until is None else Until(asked.until, measured, generator)
        self._abort = None if sinks.guard is None else _Abort(sinks.guard, generator)

    def drive(self, progress: Callable[[int, int], None] | None, watch: Watch | None) -> None:
        """Run the plan to its end."""
        generator, recording = self._generator, self._sinks.recording
        if recording is not None:
            recording.watch(self._measured, generator, lambda facts: known_run(self._setup, self._measured, facts))
        if self._export is not None:
            self._export.watch(self._setup.id, generator)
        ticks: list[Tick] = _there(
            self._until,
            None if watch is None else watch(self._measured, generator),
            self._abort,
            None if progress is None else _showing(progress, generator),
            None if recording is None else recording.tick,
            None if self._export is None else self._export.tick,
        )
        self._ready.current.drive(generator, self._ready.part)
        self._facts = generator.run(_all(ticks))
        if self._export is not None:
            self._export.finish(self._facts)

    def result(self) -> BenchResult:
        """Make the report after the run, and write the files that were asked for."""
        options, measured, sinks, facts = self._asked.options, self._measured, self._sinks, self._facts
        report = self._report(facts)
        if sinks.recording is not None:
            sinks.recording.finish(report, measured.summary, facts)
        times = None
        if sinks.spill is not None:
            if options.samples is not None:
                rows, names = self._ready.load.rows, mask_values(facts.deployments, self._ready.target.secrets)
                samples.write(options.samples, sinks.spill.blocks(), report.run, rows, names)
            if options.rows_wanted:
                from epkit.core.report.ab import from_samples

                times = from_samples(sinks.spill.blocks(), measured.started_ns(facts))
        kept = {}
        if options.keep_failures is not None:
            kept = show_examples(facts.examples.values(), self._ready.target, measured.ids)
        histograms = hdr.as_saved(measured.summary.histograms()) if options.histograms_wanted else {}
        return BenchResult(report=report, ab_times=times, kept=kept, stopped_by=facts.stopped_by, histograms=histograms)

    def _report(self, facts: RunFacts) -> Report:
        options = self._asked.options
        lost = [] if self._abort is None or self._abort.lost is None else [self._abort.lost]
        unchecked = checks.warnings(facts.checks, facts.sent, options.depth, facts.first_head, facts.miscounted)
        return make_report(
            self._setup,
            self._measured,
            facts,
            search=None if self._until is None else self._until.outcome(),
            records=self._generator.records(),
            slos=self._asked.slos,
            reasons=checks.reasons(facts.checks, options.depth),
            warnings=[*lost, *unchecked],
        )


class _Abort:
    """Ends a run when an objective can no longer be met; `lost` then describes it."""

    def __init__(self, guard: Guard, generator: LoadGenerator) -> None:
        self._guard, self._generator = guard, generator
        self.lost: Caveat | None = None

    def __call__(self) -> None:
        """Check the objectives."""
        if self.lost is None and (expression := self._guard.lost()):
            text = f"ended early: {expression} could no longer be met"
            self.lost = Caveat(kind=CaveatKind.OBJECTIVE_LOST, text=text)
            self._generator.end(drain=True)


def _showing(progress: Callable[[int, int], None], generator: LoadGenerator) -> Tick:
    def show() -> None:
        facts = generator.facts()
        progress(facts.sent, facts.failed)

    return show


def _recording(options: BenchOptions, ready: PreparedRun, writer: "RunWriter", arm: str) -> "Recording":
    from epkit.flows.bench.saving import Recording  # late: most runs are not saved

    infinite = options.failures_as_infinite
    return Recording(writer, ready.load, slos=options.slos, arm=arm, failures_as_infinite=infinite)


def _guard(slos: Sequence[Slo], plan: Plan) -> Guard:
    measured = plan.measured
    return Guard(slos, requests=total(measured, "requests"), duration_ns=total(measured, "duration_ns"))


def _there(*values: Value | None) -> list[Value]:
    """Leave out the values that are None."""
    return [value for value in values if value is not None]


def _all(ticks: Sequence[Tick]) -> Tick:
    """Combine several functions into one."""

    def tick() -> None:
        for each in ticks:
            each()

    return tick
