"""Makes the plan of a run from the options; refuses contradictions before anything is started."""

from dataclasses import dataclass, replace
from typing import Final

from epkit.core.load import grid, stages
from epkit.core.load.criteria import Bound, Tight, parse_bound, parse_tight
from epkit.core.load.grid import GridSpec
from epkit.core.load.plan import Arrivals, Phase, Plan
from epkit.core.near import not_one_of
from epkit.core.report import slo
from epkit.core.report.report import PlanInfo
from epkit.core.report.slo import Slo
from epkit.endpoint.headers import check_id_header
from epkit.errors import UsageError
from epkit.flows.bench.options import BenchOptions
from epkit.flows.target.request_options import RequestOptions
from epkit.flows.target.transport import engine_name

MOST_CONCURRENCY: Final = 20_000
"""ab's limit."""

OPEN_CONCURRENCY: Final = {"wire": 1000, "httpx": 100}
"""Most requests in flight in an open loop without -c; a client of httpx costs far more than a connection."""

UNTIL_S: Final = 600.0
"""Longest time of a run with `--until`, in seconds, without -n and -t."""

BATCH_ROWS: Final = RequestOptions().batch_rows

FIND_S: Final = 120.0
"""Longest time of `--find-max`, in seconds, without -t."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBench:
    """The options, checked and parsed.

    Args:
        engine: the name of the engine.
        until, bound, grid: the parsed values of `--until`, of `--find-max`, and of `--sweep` with `rows=`.
        phases: the phases of the plan for one worker.
    """

    options: BenchOptions
    engine: str
    slos: tuple[Slo, ...]
    until: Tight | None
    bound: Bound | None
    grid: GridSpec | None
    phases: tuple[Phase, ...]

    def phases_for(self, workers: int) -> tuple[Phase, ...]:
        """Return the phases for several workers: without -c, each worker has one request in flight."""
        if self.options.concurrency is not None or not _is_closed(self.options):
            return self.phases
        concurrency = min(workers, self.phases[-1].requests or workers)
        return tuple(replace(phase, concurrency=concurrency) for phase in self.phases)

    def plan(self, timeout_s: float, workers: int) -> Plan:
        """Return the plan.

        Args:
            timeout_s: the timeout of one request.
            workers: the number of workers that share the plan.
        """
        options = self.options
        return Plan(
            phases=self.phases_for(workers),
            timeout_ns=round(timeout_s * 1e9),
            keepalive=options.request.keepalive,
            seed=options.seed,
        )


def parse(options: BenchOptions) -> AskedBench:
    """Parse the options, and refuse a load that is not possible.

    Raises:
        UsageError: a flag is refused; the message names it and the reason.
    """
    wire_only = "-I" if not options.sni else "-b" if options.buffer_bytes is not None else None
    engine = engine_name(options.engine, http2=options.http2, wire_only=wire_only)
    if options.request_ids is not None:
        check_id_header(options.request_ids)
    slos = slo.parse_all(options.slos)
    _check_numbers(options)
    _check_modes(options)
    if _is_closed(options):
        _check_closed(options)
    until = None if options.until is None else parse_tight(options.until)
    bound = None if options.find_max is None else parse_bound(options.find_max)
    if options.repeat is not None and options.repeat < 1:
        raise UsageError(f"--repeat {options.repeat}: the number of runs must be 1 or more")
    return AskedBench(
        options=options,
        engine=engine,
        slos=tuple(slos),
        until=until,
        bound=bound,
        grid=_grid(options),
        phases=_phases(options, OPEN_CONCURRENCY[engine]),
    )


def plan_info(plan: Plan, warmup: str | None = None, workers: int = 1) -> PlanInfo:
    """Describe a plan for the report: the sums of its measured phases.

    Args:
        warmup: the text of `--warmup`.
        workers: the number of workers that share the plan.
    """
    measured = plan.measured
    first = measured[0]
    duration_ns = stages.total(measured, "duration_ns")
    rates = {phase.rate for phase in measured} | {phase.rate_to for phase in measured if phase.rate_to is not None}
    return PlanInfo(
        model=first.model,
        concurrency=max(phase.concurrency for phase in measured),
        requests=stages.total(measured, "requests"),
        duration_s=None if duration_ns is None else duration_ns / 1e9,
        rate=first.rate if len(rates) == 1 else None,
        arrivals=None if first.rate is None else first.arrivals,
        warmup=warmup,
        workers=workers,
        timeout_s=plan.timeout_ns / 1e9,
        keepalive=plan.keepalive,
    )


def grid_in_words(spec: GridSpec, plan: Plan) -> str:
    """Describe what a sweep of batch sizes measures, and how long that takes at most."""
    seconds = (plan.measured[0].duration_ns or 0) / 1e9
    points = len(spec.points)
    warm = "" if plan.warmup is None else ", and the warm-up"
    return (
        f"--sweep '{spec.shown}': {points} points, {seconds:g} s for each in {grid.ROUNDS} rounds: at most "
        f"{grid.bound_s(points, seconds):g} s in all, the run that confirms one of them included{warm}"
    )


def _check_numbers(options: BenchOptions) -> None:
    requests, concurrency = options.requests, options.concurrency
    if requests is not None and requests < 1:
        raise UsageError(f"-n {requests}: the number of requests must be 1 or more")
    if concurrency is not None and not 1 <= concurrency <= MOST_CONCURRENCY:
        raise UsageError(f"-c {concurrency}: the concurrency must be from 1 to {MOST_CONCURRENCY}")
    for flag, value in (("-t", options.time_limit_s), ("-s", options.timeout_s)):
        if value is not None and not 0 < value < 1e9:
            raise UsageError(f"{flag} {value:g}: must be more than 0 and less than 10^9 seconds")
    if options.arrivals not in ("constant", "poisson"):
        raise not_one_of("--arrivals", options.arrivals, ("constant", "poisson"))
    if options.rate is not None:
        stages.check_rate("--rate", options.rate)


def _is_closed(options: BenchOptions) -> bool:
    """Return whether the load is one closed loop."""
    return all(mode is None for mode in (options.rate, options.stages, options.sweep, options.find_max))


def _check_modes(options: BenchOptions) -> None:
    """Refuse modes that exclude each other."""
    modes = {
        "--rate": options.rate,
        "--stages": options.stages,
        "--sweep": options.sweep,
        "--find-max": options.find_max,
    }
    given = [name for name, value in modes.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} contradict each other: one says what the load is")
    limits = {"-n": options.requests, "-t": options.time_limit_s}
    if options.stages is not None:
        for flag, value in limits.items():
            if value is not None:
                raise UsageError(f"{flag} contradicts --stages: each stage says how long it lasts")
    if options.find_max is not None and options.requests is not None:
        raise UsageError("-n contradicts --find-max: -t bounds the search")
    if options.sweep is not None:
        _check_sweep(options, options.sweep)
    if options.rate is not None and not any(limits.values()) and options.until is None:
        raise UsageError("--rate: for how long? Give -n or -t")
    if options.arrivals != "constant" and not (options.rate or _by_rate(options)):
        raise UsageError(f"--arrivals {options.arrivals} needs a rate: --rate, --stages …@rate= or --sweep rate=")
    if options.until is not None and (options.stages or options.sweep or options.find_max):
        raise UsageError("--until needs a constant load: not --stages, --sweep or --find-max")
    if options.repeat is not None and (options.sweep or options.find_max or options.until):
        raise UsageError("--repeat needs equal runs: not --sweep, --find-max or --until")
    if options.against is not None and options.repeat is None:
        raise UsageError("--against needs --repeat K: a single run shows nothing about the noise between runs")


def _check_sweep(options: BenchOptions, sweep: str) -> None:
    if grid.is_grid(sweep):
        _check_grid(options)
    elif options.requests is None and options.time_limit_s is None:
        raise UsageError("--sweep: how much for each step? Give -n or -t")
    elif "c" in grid.swept(sweep) and options.concurrency is not None:
        raise UsageError("-c contradicts --sweep c=: the sweep sets the concurrency")


def _check_grid(options: BenchOptions) -> None:
    """Refuse options that cannot be combined with a sweep of batch sizes."""
    request = options.request
    contradictions = {
        "-n": (options.requests is not None, "-t says how long each point is measured"),
        "--abort-on-slo": (options.abort_on_slo, "a point that misses an objective is dropped by itself"),
        "--batch-rows": (request.batch_rows != BATCH_ROWS, "the sweep sets the rows of a body"),
        "-u": (request.put is not None, "its bodies are made of rows: name them with -p"),
        "-i": (request.head, "its bodies are made of rows"),
        "--expect": (options.expect is not None, "golden predictions need bodies that do not change"),
    }
    for flag, (given, why) in contradictions.items():
        if given:
            raise UsageError(f"{flag} contradicts --sweep rows=: {why}")
    if options.time_limit_s is None:
        raise UsageError("--sweep rows=: for how long is each point measured? Give -t")
    if len(request.payloads) > 1:
        raise UsageError("--sweep rows=: the rows come from one file: give -p once")


def _grid(options: BenchOptions) -> GridSpec | None:
    if options.sweep is None or not grid.is_grid(options.sweep):
        return None
    return grid.parse_grid(options.sweep, concurrency=options.concurrency, most_concurrency=MOST_CONCURRENCY)


def _by_rate(options: BenchOptions) -> bool:
    texts = (options.stages or "", options.sweep or "")
    return options.find_max is not None or any("rate=" in text for text in texts)


def _check_closed(options: BenchOptions) -> None:
    requests, concurrency = options.requests, options.concurrency or 1
    endless = requests is None and options.time_limit_s is None and options.until is None
    if endless and concurrency > 1:
        raise UsageError(f"-c {concurrency}: how many requests? Give -n (1 unless given) or -t")
    if requests is not None and concurrency > requests:
        raise UsageError(f"-c {concurrency} is more than -n {requests}: no more can be in flight than are sent")


def _phases(options: BenchOptions, most_open: int) -> tuple[Phase, ...]:
    """Return the phases of a run, including the warm-up.

    Raises:
        UsageError: the stages, the sweep or the warm-up cannot be parsed, or do not fit together.
    """
    phases = _measured(options, most_open)
    if options.warmup is None:
        return phases
    warmup = stages.parse_warmup(options.warmup, phases[0])
    if warmup.requests is not None and options.requests is not None and options.requests < warmup.requests:
        raise UsageError(
            f"--warmup {warmup.requests} is more than -n {options.requests}: the run would be mostly warm-up"
        )
    return (warmup, *phases)


def _measured(options: BenchOptions, most_open: int) -> tuple[Phase, ...]:
    arrivals: Arrivals = "poisson" if options.arrivals == "poisson" else "constant"
    most = options.concurrency or most_open
    time_limit_s = options.time_limit_s
    requests = options.requests
    if options.until is not None and requests is None and time_limit_s is None:
        time_limit_s = UNTIL_S
    duration_ns = None if time_limit_s is None else round(time_limit_s * 1e9)
    if options.stages is not None:
        return stages.parse_stages(
            options.stages, concurrency=most, most_concurrency=MOST_CONCURRENCY, arrivals=arrivals
        )
    if (spec := _grid(options)) is not None:
        # The common part of the points, with the highest concurrency; the rounds set the time and the concurrency.
        return (Phase(concurrency=spec.concurrencies[-1], duration_ns=duration_ns),)
    if options.sweep is not None:
        step = Phase(requests=requests, duration_ns=duration_ns, arrivals=arrivals)
        return stages.parse_sweep(options.sweep, step, concurrency=most, most_concurrency=MOST_CONCURRENCY)
    if options.find_max is not None:
        # The common part of the probes; the search sets the rate and the time of each.
        return (Phase(model="open", concurrency=most, duration_ns=duration_ns, rate=1.0, arrivals=arrivals),)
    if options.rate is not None:
        return (
            Phase(
                model="open",
                concurrency=most,
                requests=requests,
                duration_ns=duration_ns,
                rate=options.rate,
                arrivals=arrivals,
            ),
        )
    if requests is None and duration_ns is None:
        requests = 1
    return (Phase(concurrency=options.concurrency or 1, requests=requests, duration_ns=duration_ns),)
