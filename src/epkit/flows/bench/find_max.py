"""`--find-max`: probes an endpoint for the highest rate at which it keeps a limit, and reports the confirming run."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from epkit.core.load import search as searching
from epkit.core.load.criteria import FIND_MAX, Bound
from epkit.core.load.plan import Phase, Plan
from epkit.core.report.caveats import CaveatKind
from epkit.core.report.report import PhaseInfo, Report, Search
from epkit.engines import runner
from epkit.files.runs import RunWriter
from epkit.flows.bench.choosing import choose_run
from epkit.flows.bench.driving import LoadGenerator
from epkit.flows.bench.measurement import Measurement
from epkit.flows.bench.options import BenchResult, Shown
from epkit.flows.bench.plan import FIND_S, AskedBench
from epkit.flows.bench.ready import PreparedRun
from epkit.flows.bench.run import run

PATIENCE: Final = 3.0
"""A probe has missed the limit if it has this many times the requests in flight that the limit allows (Little)."""


def find_max(asked: AskedBench, ready: PreparedRun, shown: Shown, *, writer: RunWriter | None = None) -> BenchResult:
    """Search, and return the run that confirmed the rate; without a confirmed rate, the last run.

    Args:
        writer: writes the file that the search is saved to.
    """
    return choose_run(asked, writer, lambda asked, writer: _search(asked, ready, shown, writer))


def _search(asked: AskedBench, ready: PreparedRun, shown: Shown, writer: RunWriter | None) -> tuple[int, BenchResult]:
    """Search; return the index of the probe to report, from 0, and its result."""
    bound = asked.bound
    assert bound is not None
    search = searching.RateSearch(bound.limit_ns, asked.options.time_limit_s or FIND_S)
    phases: list[PhaseInfo] = []
    runs: dict[float | None, tuple[int, BenchResult]] = {}
    number = 0
    began = time.perf_counter()
    common = ready.plan.measured[0]
    while (probe := search.next()) is not None:  # there is always a first probe
        number += 1
        plan = _plan(ready.plan, common, probe, number)
        at, watcher = time.perf_counter(), _Watcher(bound, probe)
        try:
            result = run(asked, ready, plan, shown, watch=watcher, writer=writer)
        except KeyboardInterrupt as stop:  # between two probes
            if not runs:
                raise
            number -= 1
            stopped, result = True, replace(result, stopped_by=runner.number_of(stop))
            break
        took = time.perf_counter() - at
        seen = _seen(result.report, bound, watcher, took)
        stopped = result.stopped_by is not None
        # The part of a probe before an interruption is no evidence.
        mark = "interrupted" if stopped else "met" if search.tell(seen) else seen.spoilt or "missed"
        phases += result.report.phases[:1]  # the warm-up
        phases.append(_phase(plan.phases[-1], result.report, at - began, mark))
        runs[probe.rate] = number, result
        if stopped:
            break
    # The run at the rate that was found; the last run if no rate was found or the user ended the search.
    place, found = (number, result) if stopped or search.best is None else runs[search.best]
    outcome = _outcome(bound, search, found, number, time.perf_counter() - began)
    report = replace(found.report, phases=tuple(phases), search=outcome)
    return place - 1, replace(found, report=report)


class _Watcher:
    """Ends a probe whose requests pile up: to wait for them all would take longer than the search may."""

    def __init__(self, bound: Bound, probe: searching.Probe) -> None:
        self._bound, self._probe = bound, probe
        self.gave_up = False

    def __call__(self, measured: Measurement, generator: LoadGenerator) -> Callable[[], None]:
        rate, limit_s = self._probe.rate, self._bound.limit_ns / 1e9
        overdue_s = self._probe.seconds + PATIENCE * limit_s + 1
        phases = len(measured.plan.phases)
        began: list[float] = []

        def look() -> None:
            facts = generator.facts()
            if len(facts.begins) < phases:
                return  # the warm-up still runs
            now = time.perf_counter()
            if not began:
                began.append(now)
            piled = rate is not None and facts.waiting > _most(rate, limit_s)
            if not self.gave_up and (piled or now - began[0] > overdue_s):
                self.gave_up = True
                generator.end(drain=False)

        return look


def _most(rate: float, limit_s: float) -> float:
    return max(20.0, PATIENCE * rate * limit_s)


def _plan(plan: Plan, common: Phase, probe: searching.Probe, number: int) -> Plan:
    name = "confirmation" if probe.confirms else f"probe {number}"
    duration_ns = round(probe.seconds * 1e9)
    if probe.rate is None:
        phase = Phase(name=name, duration_ns=duration_ns)
    else:
        phase = replace(common, name=name, rate=probe.rate, duration_ns=duration_ns)
    # The warm-up runs before the first probe, and has one request in flight, as the first probe has.
    warmup = plan.warmup if number == 1 else None
    before = () if warmup is None else (replace(warmup, model="closed", concurrency=1, rate=None),)
    return replace(plan, phases=(*before, phase), seed=plan.seed + number)


def _seen(report: Report, bound: Bound, watcher: _Watcher, seconds: float) -> searching.Seen:
    latency = report.latency_ms.response
    upper = latency.ci95[bound.key] if latency else None
    spoilt = "limited" if report.generator.limited else None
    if watcher.gave_up or any(warning.kind is CaveatKind.SATURATED for warning in report.warnings):
        spoilt = "saturated"
    elif report.counts.failed:
        spoilt = "failed"
    return searching.Seen(
        observed_ns=latency.percentiles[bound.key] * 1e6 if latency else math.inf,
        upper_ns=upper[1] * 1e6 if upper else None,
        mean_ns=latency.mean * 1e6 if latency else None,
        spoilt=spoilt,
        seconds=seconds,
    )


def _phase(phase: Phase, report: Report, begin_s: float, mark: str) -> PhaseInfo:
    return PhaseInfo(
        name=phase.name,
        load=phase.load,
        measured=phase.name == "confirmation",
        begin_s=begin_s,
        duration_s=report.run.duration_s,
        sent=report.counts.sent,
        ok=report.counts.ok,
        failed=report.counts.failed,
        requests_per_s=report.throughput.requests_per_s,
        late_starts=report.generator.late_starts,
        max_in_flight=report.generator.max_in_flight,
        service=report.latency_ms.service,
        response=report.latency_ms.response,
        mark=mark,
    )


def _outcome(bound: Bound, search: searching.RateSearch, found: BenchResult, probes: int, took_s: float) -> Search:
    latency = found.report.latency_ms.response
    spent = f"{probes} probes in {took_s:.0f} s"
    if search.best is None:
        why = {
            "hopeless": "even one request at a time misses it",
            "budget": "no probed rate met it before the time was up (-t)",
        }.get(search.ended or "", "the search was interrupted")
        words = f"{bound.text}: no rate was found: {why} ({spent})"
        return Search(
            kind=FIND_MAX, expression=bound.text, value=None, above=search.above, confirmed=False, words=words
        )
    words = f"{bound.text} holds up to {search.best:.4g} requests/s"
    if search.stood and latency is not None:
        low_high = latency.ci95[bound.key]
        interval = f", 95 % interval {low_high[0]:.4g} to {low_high[1]:.4g}" if low_high else ""
        words += f" (p{bound.key} {latency.percentiles[bound.key]:.4g} ms{interval})"
    if search.above is not None:
        limit = ", where the client is the limit" if search.limited else ""
        words += f", and no more at {search.above:.4g}{limit}"
    if not search.stood:
        over = "the time was up (-t)" if search.ended == "budget" else "the search was interrupted"
        words += f"; not confirmed: {over}"
    elif not search.confirmed:
        words += "; the interval does not exclude a miss"
    return Search(
        kind=FIND_MAX,
        expression=bound.text,
        value=search.best,
        above=search.above,
        confirmed=search.confirmed,
        words=f"{words} ({spent})",
    )
