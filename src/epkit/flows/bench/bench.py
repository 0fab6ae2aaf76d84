"""Load, measurement, verdict: one run of `epkit bench`, from options to a report.

Plan → requests → engine → samples → summary → report. Nothing is printed here; the caller renders what it gets.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, BinaryIO

from epkit.core.http.destination import Destination
from epkit.core.load.criteria import BATCH_ROWS, FIND_MAX
from epkit.core.load.shares import most_workers
from epkit.core.replies.judging import Depth
from epkit.core.report.live import Live
from epkit.endpoint.target import to_destination
from epkit.engines.base import Engine
from epkit.engines.deferred import Check
from epkit.errors import UsageError
from epkit.flows.bench import checks
from epkit.flows.bench.generators import check_workers, hire
from epkit.flows.bench.options import BenchOptions, BenchResult, DryRun, Shown
from epkit.flows.bench.plan import AskedBench, grid_in_words, parse, plan_info
from epkit.flows.bench.ready import Current, PreparedRun, Workers
from epkit.flows.bench.report import payload_infos
from epkit.flows.bench.run import run
from epkit.flows.context import Context
from epkit.flows.target.opening import open_target
from epkit.flows.target.requests import Requests, contract_finder, make_load
from epkit.flows.target.target import Target
from epkit.flows.target.transport import engine_class, proxy_of
from epkit.flows.target.unlocking import unlocked
from epkit.flows.target.verbose import show_request


def bench(
    options: BenchOptions,
    context: Context,
    stdin: BinaryIO,
    *,
    progress: Callable[[int, int], None] | None = None,
    live: Live | None = None,
    say: Callable[[str], None] | None = None,
) -> BenchResult:
    """Run a load and report it.

    Args:
        progress: called about five times a second with the numbers of completed and failed requests.
        live: collects the additional data of the live panel.
        say: prints the lines that `-v` adds.

    Raises:
        UsageError, EndpointError: nothing could be sent at all; a failed request is data.
    """
    asked = _parse(options)
    with ExitStack() as stack:
        collector = None
        if options.otlp is not None:
            from epkit.flows.bench.exporting import exporting

            collector = stack.enter_context(exporting(options.otlp, context))
        workers = stack.enter_context(hire(options.workers, options.cluster, context))
        ready = stack.enter_context(prepare(asked, context, stdin, workers=workers))
        shown = Shown(progress=progress, live=live, say=say or context.note, exporting=collector)
        writer = None
        if options.save is not None:
            from epkit.files.runs import RunWriter

            writer = stack.enter_context(RunWriter(options.save))
        if options.find_max is not None:
            from epkit.flows.bench.find_max import find_max

            return find_max(asked, ready, shown, writer=writer)
        if asked.grid is not None:
            from epkit.flows.bench.grid import sweep_grid

            context.note(grid_in_words(asked.grid, ready.plan))
            return sweep_grid(asked, ready, asked.grid, shown, writer=writer)
        if options.repeat is not None:
            from epkit.flows.bench.repeat import repeat

            other = None
            if options.against is not None:
                against = replace(asked, options=replace(options, target=options.against))
                other = stack.enter_context(prepare(against, context, stdin, workers=workers))
            return repeat(asked, ready, other, shown, writer=writer)
        return run(asked, ready, ready.plan, shown, writer=writer)


def dry_run(options: BenchOptions, context: Context, stdin: BinaryIO) -> DryRun:
    """Describe what a run would send; send nothing.

    Raises:
        UsageError, EndpointError: as `bench`.
    """
    asked = _parse(options)
    with prepare(asked, context, stdin) as ready:
        return DryRun(
            request=show_request(ready.load.requests[0], ready.target.secrets, body=True),
            plan=plan_info(ready.plan, options.warmup, options.workers or 1),
            phases=tuple((phase.name, phase.load) for phase in ready.plan.phases),
            target=ready.target.shown,
            payloads=payload_infos(ready.load),
            grid=None if asked.grid is None else grid_in_words(asked.grid, ready.plan),
        )


def exit_code(result: BenchResult, *, strict: bool = False) -> int:
    """Return the exit code of a run: 130 or 143 interrupted, 4 nothing succeeded, 5 a threshold was missed, else 0.

    One of the thresholds is that no request fails, unless an SLO allows failures.

    Args:
        strict: whether a run that is not valid also counts as a miss.
    """
    reports = result.runs or (result.report,)
    if result.stopped_by is not None:
        return 128 + int(result.stopped_by)
    if not any(report.counts.ok for report in reports):
        return 4
    search = result.report.search
    missed = search is not None and search.kind in (FIND_MAX, BATCH_ROWS) and search.value is None
    missed |= any(not threshold.passed for report in reports for threshold in report.thresholds)
    return 5 if missed or (strict and not all(report.validity.valid for report in reports)) else 0


@contextmanager
def prepare(
    asked: AskedBench, context: Context, stdin: BinaryIO, *, workers: Workers | None = None
) -> Iterator[PreparedRun]:
    """Find target, key, contract and payloads, and make the plan.

    Args:
        workers: the workers that make the load; None for this process.

    Raises:
        UsageError, ContractError, EndpointError: nothing can be sent.
    """
    options = asked.options
    make_engine = engine_class(asked.engine)
    proxy = proxy_of(options.request, context, "load")
    with open_target(options.target, options.request, context, key_file=options.key_file) as target:
        destination = to_destination(
            target.uri,
            tls=unlocked(options.tls, context),
            sni=options.sni,
            connect_to=options.connect_to,
            bind=options.bind,
            buffer_bytes=options.buffer_bytes,
            proxy=proxy,
            http2=options.http2,
        )
        if workers is not None:
            workers.check_reach(destination)
        timeout_s = target.spec.timeout_s if options.timeout_s is None else options.timeout_s
        plan = asked.plan(timeout_s, (options.workers or 1) if workers is None else len(workers))

        def new_engine() -> Engine:
            return make_engine(destination, timeout_ns=plan.timeout_ns, keepalive=plan.keepalive)

        # Before the first request to the endpoint: the engine refuses certificates that it cannot use.
        first = [new_engine()]

        load, check, replies = _load(asked, target, destination, context, stdin)
        current = Current(load.requests)
        with _renewing(target, load, current, context):
            yield PreparedRun(
                target=target,
                load=load,
                current=current,
                destination=destination,
                engine=asked.engine,
                make_engine=lambda: first.pop() if first else new_engine(),
                plan=plan,
                check=check,
                replies=replies,
                workers=workers,
            )


def _renewing(target: Target, load: Requests, current: Current, context: Context) -> AbstractContextManager[None]:
    """Replace the target's token while the block lasts; the import is only needed for such a target."""
    if target.renewal is None:
        return nullcontext()
    from epkit.flows.target.tokens import authorized, renewing

    return renewing(target, context, lambda value: current.replace(authorized(load.requests, value)))


def _load(
    asked: AskedBench, target: Target, destination: Destination, context: Context, stdin: BinaryIO
) -> tuple[Requests, Check | None, tuple[Mapping[str, Any], str] | None]:
    """Make the requests, and the check that runs on their replies in parallel with the run.

    Returns:
        The requests, the check, and the data from which workers make the same check: a contract's document and the path
        in it.
    """
    options = asked.options
    request = options.request if asked.grid is None else replace(options.request, sizes=asked.grid.rows)
    find = contract_finder(request, target, destination, engine_class(asked.engine))
    load = make_load(
        request,
        target,
        destination,
        stdin=stdin,
        note=context.note,
        find_contract=find,
        seed=options.seed,
        id_header=options.request_ids,
    )
    check = checks.make_check(options.depth, options.expect, load, find)
    if options.depth is not Depth.CONTRACT:
        return load, check, None
    contract = find()
    return load, check, (contract.document, contract.path)


def _parse(options: BenchOptions) -> AskedBench:
    """Parse the options; refuse a run that is not possible, before anything is started or read.

    Raises:
        UsageError: a flag is refused; the message names it and the reason.
    """
    if options.otlp is not None:
        from epkit.flows.bench.exporting import check_otlp

        check_otlp(options.otlp)
    check_workers(options.workers, options.cluster)
    asked = parse(options)
    if options.buffer_bytes is not None and not 0 < options.buffer_bytes < 2**31:
        raise UsageError(f"-b {options.buffer_bytes}: must be more than 0 and less than 2^31 bytes")
    if options.bind is not None:
        _check_address(options.bind)
    if options.workers is None or options.find_max is not None:
        return asked
    most = most_workers(asked.phases_for(options.workers))
    if options.workers > most:
        raise UsageError(
            f"--workers {options.workers}: no more than {most} workers are of use, because no more requests are in "
            f"flight at once (-n, -c)"
        )
    return asked


def _check_address(address: str) -> None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except (OSError, UnicodeError):
        raise UsageError(f"-B {address}: not an address of this machine") from None
