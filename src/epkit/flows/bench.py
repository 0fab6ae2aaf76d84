"""Load, measurement, verdict: one run of `epkit bench`, from options to a report.

Plan → requests → engine → samples → summary → report. Nothing is printed here; the caller renders what it gets.
"""

import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from epkit import __version__
from epkit.core import ab
from epkit.core import url as urls
from epkit.core.criteria import FIND_MAX
from epkit.core.destination import Tls
from epkit.core.judging import Depth
from epkit.core.plan import Plan
from epkit.core.report import PayloadInfo, PlanInfo, Report
from epkit.endpoint.target import to_destination
from epkit.engines import runner
from epkit.engines.base import Engine
from epkit.errors import UsageError
from epkit.files.spill import Spill
from epkit.flows.aim import World, take_aim
from epkit.flows.bench_plan import check_load, make_plan, plan_info
from epkit.flows.bench_report import Facts, make_report, payload_infos, show_examples
from epkit.flows.bench_run import Measurement
from epkit.flows.knee import mark_knee
from epkit.flows.ready import Current, Ready
from epkit.flows.requests import RequestOptions, make_load
from epkit.flows.tokens import authorized, renewing
from epkit.flows.until import Until
from epkit.flows.verbose import make_log, show_request

if TYPE_CHECKING:
    from epkit.core.contract import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What `epkit bench` was asked for; see its help for each.

    Args:
        requests, time_limit_s: what ends the run; with both, whichever comes first; with neither, one request.
        concurrency: most in flight; None for 1 in a closed loop, 1,000 (httpx: 100) in an open one.
        rate, stages, sweep, find_max: at most one of them; without any the loop is closed.
        arrivals: `constant` or `poisson`, where there is a rate.
        warmup: requests, or a time such as `10s`, that are run first and reported apart.
        until: ends the run when an estimate is tight.
        repeat, against: so many runs, each followed by one against that other target.
        strict: whether a run that is not valid has missed its aim.
        timeout_s: one request's; None for the target's own.
        engine: `wire`, `httpx`, or None for what the other options need.
        rows_wanted: whether every row is kept, for ab's files and report.
    """

    target: str | None = None
    key_file: str | None = None
    requests: int | None = None
    concurrency: int | None = None
    time_limit_s: float | None = None
    timeout_s: float | None = None
    rate: float | None = None
    arrivals: str = "constant"
    stages: str | None = None
    sweep: str | None = None
    find_max: str | None = None
    warmup: str | None = None
    until: str | None = None
    repeat: int | None = None
    against: str | None = None
    strict: bool = False
    request: RequestOptions = field(default_factory=RequestOptions)
    engine: str | None = None
    http2: bool = False
    depth: Depth = Depth.REPLY
    connect_to: str | None = None
    bind: str | None = None
    buffer_bytes: int | None = None
    proxy: str | None = field(default=None, repr=False)
    proxy_basic: str | None = field(default=None, repr=False)
    tls: Tls = field(default_factory=Tls)
    sni: bool = True
    verbosity: int = 0
    keep_failures: str | None = None
    rows_wanted: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What came of a run.

    Args:
        ab_times: ab's four series, where every row was wanted.
        kept: the first reply of each kind of failure by the name of a file, masked; empty unless asked for.
        stopped_by: the signal that ended it early.
        runs: of `--repeat`, the reports of all runs in the order in which they were made.
    """

    report: Report
    ab_times: ab.AbTimes | None
    kept: Mapping[str, str]
    stopped_by: signal.Signals | None
    runs: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a run would send.

    Args:
        request: the first one, credentials masked.
        phases: name and load of each.
    """

    request: str
    plan: PlanInfo
    phases: tuple[tuple[str, str], ...]
    target: str
    payloads: tuple[PayloadInfo, ...]


def bench(
    options: BenchOptions,
    world: World,
    stdin: BinaryIO,
    *,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> BenchResult:
    """Run a load and report it.

    Args:
        progress: told some five times a second how many requests are done and how many of them failed.
        say: prints what `-v` shows.

    Raises:
        UsageError, EndpointError: nothing could be sent at all; a failed request is data.
    """
    with ExitStack() as stack:
        ready = stack.enter_context(prepare(options, world, stdin))
        shown = say or world.note
        if options.find_max is not None:
            from epkit.flows.find_max import find_max

            return find_max(options, ready, progress=progress, say=shown)
        if options.repeat is not None:
            from epkit.flows.repeat import repeat

            other = None
            if options.against is not None:
                other = stack.enter_context(prepare(replace(options, target=options.against), world, stdin))
            return repeat(options, ready, other, progress=progress, say=shown)
        return run(options, ready, ready.plan, progress=progress, say=shown)


def run(
    options: BenchOptions,
    ready: Ready,
    plan: Plan,
    *,
    progress: Callable[[int, int], None] | None,
    say: Callable[[str], None],
    watch: "Callable[[Measurement, Engine], Callable[[], None]] | None" = None,
) -> BenchResult:
    """Run one plan and report it.

    Args:
        watch: makes what is called some five times a second while the run goes on, and may end it.
    """
    load, engine = ready.load, ready.make_engine(plan)
    with ExitStack() as stack:
        spill = stack.enter_context(Spill()) if options.rows_wanted else None
        measured = Measurement(
            plan,
            load,
            sinks=() if spill is None else (spill,),
            depth=options.depth,
            log=make_log(options.verbosity, load.requests[0], ready.aim.secrets, say),
        )
        driver = measured.driver
        stop_rule = None if options.until is None else Until(options.until, measured, engine)
        ticks: list[Callable[[], None]] = [] if stop_rule is None else [stop_rule]
        ticks += [watch(measured, engine)] if watch is not None else []
        ticks += [lambda: progress(driver.sent, driver.failed)] if progress is not None else []
        ready.current.drive(driver)
        ran = runner.run(engine, driver, plan.slots, tick=_all(ticks))
        driver.flush()
        facts = Facts(
            aim=ready.aim,
            load=load,
            destination=ready.destination,
            plan=plan,
            engine=engine.name,
            warmup=options.warmup,
        )
        search = None if stop_rule is None else stop_rule.outcome()
        report = make_report(facts, measured, ran, search)
        if options.sweep is not None:
            report = mark_knee(report)
        times = None
        if spill is not None:
            offset_ns = measured.began_ns() - driver.began
            times = ab.from_samples(spill.blocks(), int(driver.started_at.timestamp() * 1e9) + offset_ns)
        kept = {} if options.keep_failures is None else show_examples(driver.examples.values(), ready.aim)
        return BenchResult(report=report, ab_times=times, kept=kept, stopped_by=ran.stopped_by)


def _all(ticks: Sequence[Callable[[], None]]) -> Callable[[], None] | None:
    """Make one call of several; None of none."""

    def tick() -> None:
        for each in ticks:
            each()

    return tick if ticks else None


def dry_run(options: BenchOptions, world: World, stdin: BinaryIO) -> DryRun:
    """Say what a run would send, and send nothing.

    Raises:
        UsageError, EndpointError: as `bench`.
    """
    with prepare(options, world, stdin) as ready:
        return DryRun(
            request=show_request(ready.load.requests[0], ready.aim.secrets, body=True),
            plan=plan_info(ready.plan, options.warmup),
            phases=tuple((phase.name, phase.load) for phase in ready.plan.phases),
            target=ready.aim.shown,
            payloads=payload_infos(ready.load),
        )


def exit_code(result: BenchResult, *, strict: bool = False) -> int:
    """Return the exit code of a run: 130 or 143 interrupted, 4 nothing succeeded, 5 something failed, else 0.

    Args:
        strict: whether a run that is not valid counts as missed, too.
    """
    reports = result.runs or (result.report,)
    if result.stopped_by is not None:
        return 128 + int(result.stopped_by)
    if not any(report.counts.ok for report in reports):
        return 4
    search = result.report.search
    missed = search is not None and search.kind == FIND_MAX and search.value is None
    failed = any(report.counts.failed for report in reports)
    return 5 if failed or missed or (strict and not all(report.validity.valid for report in reports)) else 0


@contextmanager
def prepare(options: BenchOptions, world: World, stdin: BinaryIO) -> Iterator[Ready]:
    """Find target, key, contract and payloads, and make the plan.

    Raises:
        UsageError, ContractError, EndpointError: nothing can be sent.
    """
    engine_name = _engine_name(options)
    make_engine = _engine(engine_name)
    check_load(options)
    _check(options)
    proxy = _proxy_url(options)
    _tell_of_proxies(world)
    agent = f"epkit/{__version__}"
    secrets = tuple(options.request.secrets())
    with take_aim(
        options.target, key_file=options.key_file, headers=options.request.headers, world=world, secrets=secrets
    ) as aim:
        destination = to_destination(
            aim.uri,
            tls=options.tls,
            sni=options.sni,
            connect_to=options.connect_to,
            bind=options.bind,
            buffer_bytes=options.buffer_bytes,
            proxy=proxy,
            http2=options.http2,
        )
        timeout_s = aim.target.timeout_s if options.timeout_s is None else options.timeout_s
        plan = make_plan(options, timeout_s, engine_name)

        def engine_of(plan: Plan) -> Engine:
            return make_engine(destination, timeout_ns=plan.timeout_ns, keepalive=plan.keepalive)

        engine_of(plan)  # before anything is asked of the endpoint: it refuses certificates that it cannot use

        def find_contract() -> "Contract":
            from epkit.flows import target_contract

            return target_contract.find(options.request.schema, aim, destination, make_engine, agent)

        load = make_load(
            options.request,
            aim,
            destination.authority,
            agent,
            stdin=stdin,
            note=world.note,
            find_contract=find_contract,
            seed=options.seed,
        )
        current = Current(load.requests)
        with renewing(aim, world, lambda value: current.replace(authorized(load.requests, value))):
            yield Ready(aim=aim, load=load, current=current, destination=destination, make_engine=engine_of, plan=plan)


def _check(options: BenchOptions) -> None:
    """Refuse what cannot be run, before anything is started or read."""
    if options.buffer_bytes is not None and not 0 < options.buffer_bytes < 2**31:
        raise UsageError(f"-b {options.buffer_bytes}: the bytes are more than 0, and less than 2^31")
    if options.bind is not None:
        _check_address(options.bind)


def _check_address(address: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except (OSError, UnicodeError):
        raise UsageError(f"-B {address}: not an address of this machine") from None


def _engine_name(options: BenchOptions) -> str:
    needs_httpx = "-X" if options.proxy else "--http2" if options.http2 else None
    name = options.engine or ("httpx" if needs_httpx else "wire")
    if name not in ("wire", "httpx"):
        raise UsageError(f"--engine {name}: not one of wire, httpx")
    if name == "wire" and needs_httpx:
        raise UsageError(f"{needs_httpx} needs --engine httpx")
    for flag, asked in (("-I", not options.sni), ("-b", options.buffer_bytes is not None)):
        if name == "httpx" and asked:
            why = f", which {needs_httpx} rules out" if needs_httpx else ""
            raise UsageError(f"{flag} needs --engine wire{why}")
    return name


def _engine(name: str) -> Callable[..., Engine]:
    if name == "wire":
        from epkit.engines.wire import WireEngine

        return WireEngine
    from epkit.engines.httpx import HttpxEngine

    return HttpxEngine


def _proxy_url(options: BenchOptions) -> str | None:
    if options.proxy is None:
        return None
    try:
        proxy = urls.parse(options.proxy if "://" in options.proxy else f"http://{options.proxy}")
    except UsageError as error:
        raise UsageError(f"-X: {error}") from None
    userinfo = proxy.userinfo.reveal() if options.proxy_basic is None and proxy.userinfo else options.proxy_basic
    if userinfo is None:
        return proxy.origin
    user, _, password = userinfo.partition(":")
    scheme, _, authority = proxy.origin.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{authority}"


def _tell_of_proxies(world: World) -> None:
    names = ("http_proxy", "https_proxy", "all_proxy")
    found = [name for name in world.environ if name.lower() in names and world.environ[name]]
    if found:
        world.note(f"the environment's proxies ({', '.join(sorted(found))}) are not used for load; -X names one")
