"""epkit from Python and notebooks: what the commands do, as functions that return values and print nothing."""

import asyncio
import io
import logging
from collections.abc import Mapping, Sequence

from epkit.core.report import Report
from epkit.flows.aim import World
from epkit.flows.bench import bench as run
from epkit.flows.bench_options import BenchOptions
from epkit.flows.requests import RequestOptions

_log = logging.getLogger("epkit")


def run_bench(
    target: str | None = None,
    *,
    requests: int | None = None,
    concurrency: int | None = None,
    seconds: float | None = None,
    rate: float | None = None,
    arrivals: str = "constant",
    stages: str | None = None,
    sweep: str | None = None,
    find_max: str | None = None,
    warmup: str | None = None,
    until: str | None = None,
    timeout_s: float | None = None,
    payloads: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    key_file: str | None = None,
    schema: str | None = None,
    validate: bool = True,
    keepalive: bool = True,
    engine: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Load an endpoint and measure it; `epkit bench` in Python. Notes go to the logger `epkit`.

    Args:
        target: a URL or a name in `epkit.toml`; None for EPKIT_TARGET, the default, or the embedded endpoint.
        requests: how many; with *seconds*, whichever comes first; 1 with neither.
        concurrency: most in flight; None for 1, or for what suits a rate.
        rate, stages, sweep, find_max: the load, as on the command line; at most one of them.
        arrivals: `constant` or `poisson`, where there is a rate.
        warmup: requests, or a time such as `10s`, that are run first and reported apart.
        until: ends the run when an estimate is tight, such as `ci(p99)<5%`.
        timeout_s: of one request; None for the target's own.
        payloads: files, sent in turn; none for the contract's example.
        headers: sent along; an Authorization among them is the key.
        schema: a contract to use instead of the target's own.
        validate: False asks for no contract.
        engine: `wire`, or `httpx`.
        workers: how many processes of this machine make the load together.
        cluster: address of a Dask scheduler (`tcp://host:port`) whose workers do.

    Raises:
        UsageError, ContractError, EndpointError: nothing could be sent. A failed request is data in the report.
    """
    options = BenchOptions(
        target=target,
        key_file=key_file,
        requests=requests,
        concurrency=concurrency,
        time_limit_s=seconds,
        rate=rate,
        arrivals=arrivals,
        stages=stages,
        sweep=sweep,
        find_max=find_max,
        warmup=warmup,
        until=until,
        timeout_s=timeout_s,
        request=RequestOptions(
            payloads=tuple(payloads),
            headers=tuple((headers or {}).items()),
            schema=schema,
            validate=validate,
            keepalive=keepalive,
        ),
        engine=engine,
        workers=workers,
        cluster=cluster,
    )
    return run(options, World(note=_log.info), io.BytesIO()).report


async def bench(
    target: str | None = None,
    *,
    requests: int | None = None,
    concurrency: int | None = None,
    seconds: float | None = None,
    rate: float | None = None,
    arrivals: str = "constant",
    stages: str | None = None,
    sweep: str | None = None,
    find_max: str | None = None,
    warmup: str | None = None,
    until: str | None = None,
    timeout_s: float | None = None,
    payloads: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    key_file: str | None = None,
    schema: str | None = None,
    validate: bool = True,
    keepalive: bool = True,
    engine: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Do what `run_bench` does, from a notebook or another running event loop.

    The load has a loop and a thread of its own, so that nothing else on this one disturbs what is measured.
    Cancelling does not end a run: bound it with *requests* or *seconds*.
    """
    return await asyncio.to_thread(
        run_bench,
        target,
        requests=requests,
        concurrency=concurrency,
        seconds=seconds,
        rate=rate,
        arrivals=arrivals,
        stages=stages,
        sweep=sweep,
        find_max=find_max,
        warmup=warmup,
        until=until,
        timeout_s=timeout_s,
        payloads=payloads,
        headers=headers,
        key_file=key_file,
        schema=schema,
        validate=validate,
        keepalive=keepalive,
        engine=engine,
        workers=workers,
        cluster=cluster,
    )
