"""Load, measurement, verdict: one run of `epkit bench`, from options to a report.

Plan → requests → engine → samples → summary → report. Nothing is printed here; the caller renders what it gets.
"""

import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote

from epkit import __version__
from epkit.core import ab
from epkit.core import url as urls
from epkit.core.destination import Destination, Tls
from epkit.core.judging import Depth
from epkit.core.plan import Phase, Plan
from epkit.core.report import PayloadInfo, PlanInfo, Report
from epkit.core.summary import Summary
from epkit.endpoint.target import to_destination
from epkit.engines import runner
from epkit.engines.base import Engine
from epkit.engines.driver import ClosedLoop
from epkit.errors import UsageError
from epkit.files.spill import Spill
from epkit.flows.aim import Aim, World, take_aim
from epkit.flows.bench_report import Facts, make_report, payload_infos, plan_info, show_examples
from epkit.flows.requests import Load, RequestOptions, make_load
from epkit.flows.tokens import authorized, renewing
from epkit.flows.verbose import make_log, show_request

if TYPE_CHECKING:
    from epkit.core.contract import Contract

MOST_CONCURRENCY: Final = 20_000
"""ab's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What `epkit bench` was asked for; see its help for each.

    Args:
        requests, time_limit_s: what ends the run; with both, whichever comes first; with neither, one request.
        timeout_s: one request's; None for the target's own.
        engine: `wire`, `httpx`, or None for what the other options need.
        rows_wanted: whether every row is kept, for ab's files and report.
    """

    target: str | None = None
    key_file: str | None = None
    requests: int | None = None
    concurrency: int = 1
    time_limit_s: float | None = None
    timeout_s: float | None = None
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
    """

    report: Report
    ab_times: ab.AbTimes | None
    kept: Mapping[str, str]
    stopped_by: signal.Signals | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a run would send.

    Args:
        request: the first one, credentials masked.
    """

    request: str
    plan: PlanInfo
    target: str
    payloads: tuple[PayloadInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A run that can begin."""

    aim: Aim
    load: Load
    destination: Destination
    engine: Engine
    plan: Plan


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
        ready = stack.enter_context(_prepare(options, world, stdin))
        plan, load, engine = ready.plan, ready.load, ready.engine
        phase = plan.phases[0]
        summary = Summary()
        spill = stack.enter_context(Spill()) if options.rows_wanted else None
        driver = ClosedLoop(
            phase,
            load.requests,
            load.rows,
            sinks=[summary.add] if spill is None else [summary.add, spill],
            depth=options.depth,
            log=make_log(options.verbosity, load.requests[0], ready.aim.secrets, say or world.note),
        )
        slots = min(phase.concurrency, phase.requests or phase.concurrency)
        tick = None if progress is None else lambda: progress(driver.sent, driver.failed)
        with renewing(ready.aim, world, lambda value: driver.replace(authorized(load.requests, value))):
            ran = runner.run(engine, driver, slots, tick=tick)
        driver.flush()
        facts = Facts(aim=ready.aim, load=load, destination=ready.destination, plan=plan, engine=engine.name)
        report = make_report(facts, driver, ran, summary, max_in_flight=slots)
        times = None if spill is None else ab.from_samples(spill.blocks(), int(driver.started_at.timestamp() * 1e9))
        kept = {} if options.keep_failures is None else show_examples(driver.examples.values(), ready.aim)
        return BenchResult(report=report, ab_times=times, kept=kept, stopped_by=ran.stopped_by)


def dry_run(options: BenchOptions, world: World, stdin: BinaryIO) -> DryRun:
    """Say what a run would send, and send nothing.

    Raises:
        UsageError, EndpointError: as `bench`.
    """
    with _prepare(options, world, stdin) as ready:
        return DryRun(
            request=show_request(ready.load.requests[0], ready.aim.secrets, body=True),
            plan=plan_info(ready.plan),
            target=ready.aim.shown,
            payloads=payload_infos(ready.load),
        )


def exit_code(result: BenchResult) -> int:
    """Return the exit code of a run: 130 or 143 interrupted, 4 nothing succeeded, 5 something failed, else 0."""
    counts = result.report.counts
    if result.stopped_by is not None:
        return 128 + int(result.stopped_by)
    if not counts.ok:
        return 4
    return 5 if counts.failed else 0


@contextmanager
def _prepare(options: BenchOptions, world: World, stdin: BinaryIO) -> Iterator[_Ready]:
    make_engine = _engine(options)
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
        plan = _plan(options, aim.target.timeout_s if options.timeout_s is None else options.timeout_s)
        # Before anything is asked of the endpoint: an engine refuses certificates and ciphers that it cannot use.
        engine = make_engine(destination, timeout_ns=plan.timeout_ns, keepalive=plan.keepalive)

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
        yield _Ready(aim=aim, load=load, destination=destination, engine=engine, plan=plan)


def _check(options: BenchOptions) -> None:
    """Refuse what cannot be run, before anything is started or read."""
    requests, concurrency = options.requests, options.concurrency
    if requests is not None and requests < 1:
        raise UsageError(f"-n {requests}: the number of requests is 1 or more")
    if not 1 <= concurrency <= MOST_CONCURRENCY:
        raise UsageError(f"-c {concurrency}: the concurrency is 1 to {MOST_CONCURRENCY}")
    if requests is None and options.time_limit_s is None and concurrency > 1:
        raise UsageError(f"-c {concurrency}: how many requests? Give -n (1 unless given) or -t")
    if requests is not None and concurrency > requests:
        raise UsageError(f"-c {concurrency} is more than -n {requests}: no more can be in flight than are sent")
    for flag, value in (("-t", options.time_limit_s), ("-s", options.timeout_s)):
        if value is not None and not 0 < value < 1e9:
            raise UsageError(f"{flag} {value:g}: the seconds are more than 0, and less than 10^9")
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


def _plan(options: BenchOptions, timeout_s: float) -> Plan:
    requests = 1 if options.requests is None and options.time_limit_s is None else options.requests
    phase = Phase(
        concurrency=options.concurrency,
        requests=requests,
        duration_ns=None if options.time_limit_s is None else round(options.time_limit_s * 1e9),
    )
    return Plan(
        phases=(phase,), timeout_ns=round(timeout_s * 1e9), keepalive=options.request.keepalive, seed=options.seed
    )


def _engine(options: BenchOptions) -> Callable[..., Engine]:
    needs_httpx = "-X" if options.proxy else "--http2" if options.http2 else None
    name = options.engine or ("httpx" if needs_httpx else "wire")
    if name == "wire" and needs_httpx:
        raise UsageError(f"{needs_httpx} needs --engine httpx")
    if name == "wire":
        from epkit.engines.wire import WireEngine

        return WireEngine
    if name == "httpx":
        for flag, asked in (("-I", not options.sni), ("-b", options.buffer_bytes is not None)):
            if asked:
                why = f", which {needs_httpx} rules out" if needs_httpx else ""
                raise UsageError(f"{flag} needs --engine wire{why}")
        from epkit.engines.httpx import HttpxEngine

        return HttpxEngine
    raise UsageError(f"--engine {name}: not one of wire, httpx")


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
