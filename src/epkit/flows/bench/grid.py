"""`--sweep 'rows=…;c=…'`: measures a grid's points in rounds, and reports the run that confirmed the best point."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from signal import Signals

from epkit.core.http.masking import mask_values
from epkit.core.load.grid import ROUNDS, GridRounds, GridSpec, PointSpec, Turn
from epkit.core.load.plan import WARMUP, Phase, Plan
from epkit.core.report.grid import POINT_SAMPLES, PointRecord, choose, grid_of, outcome
from epkit.core.report.report import Grid, GridPoint
from epkit.core.report.summary import Summary
from epkit.engines import runner
from epkit.files.runs import RunWriter
from epkit.flows.bench.choosing import choose_run
from epkit.flows.bench.driving import LoadGenerator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchResult, Shown
from epkit.flows.bench.plan import AskedBench
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.bench.run import run
from epkit.flows.bench.score_line import not_said, score_line


def sweep_grid(
    asked: AskedBench, ready: PreparedRun, spec: GridSpec, shown: Shown, *, writer: RunWriter | None = None
) -> BenchResult:
    """Sweep, and return the run that confirmed the best point; without one, the last run of the fastest point.

    Args:
        ready: a prepared run with the bodies of all sizes.
        writer: writes the file that the sweep is saved to.
    """
    return choose_run(asked, writer, lambda asked, writer: _Sweep(asked, ready, spec, shown, writer).run())


class _Sweep:
    """A sweep in progress."""

    def __init__(
        self, asked: AskedBench, ready: PreparedRun, spec: GridSpec, shown: Shown, writer: RunWriter | None
    ) -> None:
        self._asked, self._ready, self._spec, self._shown, self._writer = asked, ready, spec, shown, writer
        seconds = (ready.plan.measured[0].duration_ns or 0) / 1e9
        self._rounds = GridRounds(spec.points, seconds, seed=ready.plan.seed)
        self._records: dict[PointSpec, PointRecord | None] = dict.fromkeys(spec.points)
        self._last: dict[PointSpec, tuple[int, BenchResult]] = {}
        self._kept: dict[str, str] = {}
        self._parts = {rows: ready.load.part(rows) for rows in spec.rows}
        self._sizes = {rows: _mean([len(ready.load.payloads[i].body) for i in at]) for rows, at in self._parts.items()}
        self._runs = 0

    def run(self) -> tuple[int, BenchResult]:
        """Sweep; return the index of the run to report, from 0, and its result."""
        began = time.perf_counter()
        try:
            stopped_by = self._measure_all()
            if stopped_by is None:
                stopped_by = self._confirm()
        except KeyboardInterrupt as stop:  # between two runs
            if not self._last:
                raise
            stopped_by = runner.number_of(stop)
        return self._result(stopped_by, time.perf_counter() - began)

    def _measure_all(self) -> Signals | None:
        """Measure all rounds; return the signal that ended them early."""
        rounds = self._rounds
        while (turn := rounds.next()) is not None:
            stopped_by = self._measure(turn)
            if stopped_by is not None:
                return stopped_by
            if rounds.is_round_over:
                rounds.judge({point: record.standing() for point, record in self._records.items() if record})
        return None

    def _confirm(self) -> Signals | None:
        """Confirm the chosen point; if it loses its place, confirm the next one, as long as there is time."""
        while True:
            chosen = choose(self._points(""), self._confirmed())
            if chosen is None:
                return None
            point = self._spec.points[chosen]
            record, turn = self._records[point], self._rounds.confirmation(point)
            if turn is None or (record is not None and record.confirmation is not None):
                return None
            stopped_by = self._measure(turn)
            if stopped_by is not None:
                return stopped_by

    def _measure(self, turn: Turn) -> Signals | None:
        """Measure a point; return the signal that ended it early."""
        point, options = turn.point, self._asked.options
        record = self._records[point] or PointRecord(
            spec=point,
            slos=self._asked.slos,
            summary=Summary(POINT_SAMPLES, failures_as_infinite=options.failures_as_infinite),
            body_bytes=self._sizes[point.rows],
        )
        first = self._runs == 0 and self._ready.plan.warmup is not None
        ready = self._ready_for(turn, warmup=self._ready.plan.warmup if first else None)
        confirms = turn.round > ROUNDS
        if self._shown.live is not None:
            self._shown.live.title = (
                f"{point.name}, {'confirmation' if confirms else f'round {turn.round} of {ROUNDS}'}"
            )
        watcher, at = _Watcher(turn.limit_s, since=len(ready.plan.phases) if first else 1), time.perf_counter()
        result = run(
            self._asked, ready, ready.plan, self._shown, watch=watcher, writer=self._writer, sink=record.summary.add
        )
        warm_s = result.report.phases[0].duration_s if first else 0.0
        phase = result.report.phases[-1]
        self._rounds.spend(
            turn,
            took_s=time.perf_counter() - at - warm_s,
            loaded_s=phase.begin_s + phase.duration_s - warm_s,
        )
        self._runs += 1
        self._last[point] = self._runs - 1, result
        self._kept = {**result.kept, **self._kept}
        if result.report.counts.sent or watcher.gave_up:
            self._records[point] = record
            record.overdue |= watcher.gave_up
            record.add(result.report, confirms=confirms and result.stopped_by is None)
        return result.stopped_by

    def _ready_for(self, turn: Turn, *, warmup: Phase | None) -> PreparedRun:
        """Prepare the run of a turn. First, each slot opens its connection with a request that is not measured."""
        ready, point = self._ready, turn.point
        part = self._parts[point.rows]
        phase = Phase(concurrency=point.concurrency, duration_ns=round(turn.seconds * 1e9))
        opening = replace(phase, name=WARMUP, requests=point.concurrency, duration_ns=None)
        if warmup is not None:
            opening = replace(warmup, concurrency=point.concurrency)
        check = ready.check
        return replace(
            ready,
            load=ready.load.of_part(part),
            part=part,
            plan=Plan(
                phases=(opening, phase),
                timeout_ns=ready.plan.timeout_ns,
                keepalive=ready.plan.keepalive,
                seed=ready.plan.seed + self._runs,
            ),
            check=None if check is None else lambda payload, head, body: check(part[payload], head, body),
        )

    def _confirmed(self) -> list[int]:
        """Return the indices of the points that have a confirmation run."""
        return [i for i, one in enumerate(self._records.values()) if one is not None and one.confirmation is not None]

    def _points(self, ended: str) -> tuple[GridPoint, ...]:
        return grid_of(self._records, self._rounds.out, self._sizes, ended=ended)

    def _result(self, stopped_by: Signals | None, took_s: float) -> tuple[int, BenchResult]:
        options = self._asked.options
        ended = "the time was up (-t)" if stopped_by is None else "the sweep was interrupted"
        points = self._points(ended)
        chosen = choose(points, self._confirmed())
        chosen_point = max(self._last, key=lambda one: points[self._spec.points.index(one)].rows_per_s)
        command, notes, confirmed = "", [], False
        if chosen is not None:
            chosen_point = self._spec.points[chosen]
            longest = max(len(self._ready.load.payloads[index].body) for index in self._parts[chosen_point.rows])
            command, notes = score_line(options, chosen_point, longest), not_said(options)
        record = self._records[chosen_point]
        confirmed = record is not None and record.confirmation is not None
        place, result = self._last[chosen_point]
        grid = Grid(points=points, chosen=chosen, command=command, notes=tuple(notes))
        report = result.report
        report = replace(
            report,
            run=replace(report.run, partial=report.run.partial or stopped_by is not None),
            plan=replace(report.plan, warmup=options.warmup),
            phases=(),
            thresholds=report.thresholds if confirmed or record is None else record.thresholds,
            search=outcome(grid, self._asked.slos, confirmed=confirmed, took_s=took_s),
            grid=grid,
        )
        report = mask_values(report, self._ready.target.secrets)
        return place, replace(result, report=report, stopped_by=stopped_by, kept=self._kept)


class _Watcher:
    """Ends a run that takes longer than the time of its point."""

    def __init__(self, limit_s: float, *, since: int) -> None:
        """Prepare.

        Args:
            limit_s: the time of the point, seconds.
            since: the number of the phase, from 1, at whose start the time starts.
        """
        self._limit_s, self._since = limit_s, since
        self.gave_up = False

    def __call__(self, _: Measurement, generator: LoadGenerator) -> Callable[[], None]:
        began: list[float] = []

        def look() -> None:
            now = time.perf_counter()
            if not began and len(generator.facts().begins) >= self._since:
                began.append(now)
            if began and now - began[0] > self._limit_s and not self.gave_up:
                self.gave_up = True
                generator.end(drain=False)

        return look


def _mean(sizes: Sequence[int]) -> int:
    return round(sum(sizes) / len(sizes))
