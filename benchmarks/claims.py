"""Checks what epkit claims in addition to speed: correct times, constant memory, a quick start."""

import json
from dataclasses import asdict
from statistics import median

import outputs
import servers
from clients import Client, Load, epkit_program
from measure import Bench, Finished, MeasureError, environment, run
from table import Goal, markdown

HEAVY = {"azure", "azureml", "dask", "matplotlib", "pandas", "plotly", "polars", "pyarrow"}
CONCURRENCY = 64
WAIT_MS = 10.0
LATE_MS = 0.5

Pair = dict[str, dict[str, float | None]]


def truth(bench: Bench, subject: Client, peer: Client, seconds: int) -> tuple[str, list[Goal], list[Pair]]:
    """Compare what two clients report of a server that waits 10 ms, c=64, in interleaved pairs.

    Args:
        subject: client whose report is judged.
        peer: client whose report is the reference.
        seconds: length of each run, at least 2, because the first reply of a connection waits longer.

    Returns:
        The table, the goals, and for each pair the reports of both clients and the server's waiting times.
    """
    pairs: list[Pair] = []
    for round_ in range(bench.rounds):
        pair: Pair = {}
        for client in (subject, peer) if round_ % 2 == 0 else (peer, subject):
            try:
                with servers.waiting(bench.cores, delay_ms=WAIT_MS) as server:
                    requests = round(seconds * CONCURRENCY * 1000 / WAIT_MS)
                    said, _ = client.send(load(bench, server.url, requests, seconds))
            except MeasureError as error:
                bench.complain(f"truth, {client.name}: {error}")
                continue
            pair[client.name] = asdict(said) | {f"server_{key}": value for key, value in server.waits.items()}
            bench.say(
                f"round {round_ + 1}/{bench.rounds}  truth       {client.name:7}  "
                f"p50 {said.p50_ms} ms, p99 {said.p99_ms} ms"
            )
        if len(pair) == 2:
            pairs.append(pair)

    def middle(client: str, key: str) -> float | None:
        known = [value for pair in pairs if (value := pair[client][key]) is not None]
        return median(known) if known else None

    def apart(key: str) -> float | None:
        found = [
            mine - theirs
            for pair in pairs
            if (mine := pair[subject.name][key]) is not None and (theirs := pair[peer.name][key]) is not None
        ]
        return abs(median(found)) if found else None

    def share(key: str) -> float | None:
        found = [
            mine / theirs
            for pair in pairs
            if (mine := pair[subject.name][key]) is not None and (theirs := pair[peer.name][key])
        ]
        return median(found) * 100 if found else None

    keys = ("requests_per_s", "p50_ms", "p99_ms", "server_p50_ms", "server_p99_ms")
    rows = []
    for name in (subject.name, peer.name):
        figures = [middle(name, key) for key in keys]
        rows.append([name, *("–" if figure is None else f"{figure:,.2f}" for figure in figures)])
    header = ["10 ms, c=64", "requests/s", "p50 ms", "p99 ms", "server waited: p50 ms", "p99 ms"]
    both = f"{subject.name} and {peer.name}"
    goals = [
        Goal(name=f"truth: p50 of {both} apart", measured=apart("p50_ms"), sense="below", limit=0.5, unit="ms"),
        Goal(name=f"truth: p99 of {both} apart", measured=apart("p99_ms"), sense="below", limit=1, unit="ms"),
        Goal(
            name=f"truth: throughput, {subject.name} : {peer.name}",
            measured=share("requests_per_s"),
            sense="at least",
            limit=95,
            unit="%",
        ),
    ]
    shown = markdown(header, rows, left=1)
    late_ms = max((middle(client.name, "server_p50_ms") or WAIT_MS) - WAIT_MS for client in (subject, peer))
    if late_ms > LATE_MS:
        shown += f"\n\nThe server itself was {late_ms:.1f} ms late: the machine was busy, and truth cannot be judged."
    return shown, goals, pairs


def memory(bench: Bench, subject: Client, url: str, requests: int) -> tuple[list[Goal], dict[str, float | None]]:
    """Send *requests* in one run, c=64; the goal is its peak memory.

    Returns:
        The goal, and the run's report and cost; empty if it failed.
    """
    bench.say(f"memory: {requests:,} requests in one run; at 20,000 a second that takes {requests / 1.2e6:.0f} min")
    facts: dict[str, float | None] = {}
    peak_mb = None
    try:
        said, finished = subject.send(load(bench, url, requests, 1))
    except MeasureError as error:
        bench.complain(f"memory: {error}")
    else:
        peak_mb = finished.peak_bytes / 1e6
        facts = {**asdict(said), "peak_mb": peak_mb, "wall_s": finished.wall_s, "cpu_s": finished.cpu_s}
    name = f"memory: peak in {requests:,} requests"
    return [Goal(name=name, measured=peak_mb, sense="below", limit=400, unit="MB")], facts


def start(bench: Bench) -> tuple[list[Goal], dict[str, list[float] | list[str]]]:
    """Measure the start of epkit: CPU of `--help`, wall time of ten requests compared with their own time, imports.

    Returns:
        The goals, and all figures.
    """
    help_s: list[float] = []
    over_s: list[float] = []
    heavy: set[str] = set()
    telling = [epkit_program(), "--help"]

    def once(command: list[str], env: dict[str, str] | None = None) -> Finished:
        return run(command, core=bench.cores.client, cwd=bench.scratch, timeout_s=60, env=env)

    try:
        with servers.waiting(bench.cores, delay_ms=WAIT_MS) as server:
            loading = [epkit_program(), "bench", "-n", "10", "--format", "json", server.url]
            # These runs also fill the file cache and write the byte code, so that no measured run does.
            for command in (telling, loading):
                traced = once(command, environment(PYTHONPROFILEIMPORTTIME="1"))
                heavy |= outputs.imported(traced.stderr) & HEAVY
            for _ in range(bench.rounds):
                help_s.append(once(telling).cpu_s)
                finished = once(loading)
                over_s.append(finished.wall_s - json.loads(finished.stdout)["run"]["duration_s"])
    except (MeasureError, ValueError, KeyError) as error:
        bench.complain(f"start: {error}")
    found = f" ({', '.join(sorted(heavy))})" if heavy else ""
    goals = [
        Goal(
            name="start: CPU of `epkit --help`",
            measured=median(help_s) if help_s else None,
            sense="below",
            limit=0.25,
            unit="s",
        ),
        Goal(
            name="start: `epkit bench -n 10 URL` beyond the requests' own time",
            measured=median(over_s) if over_s else None,
            sense="below",
            limit=1,
            unit="s",
        ),
        Goal(
            name=f"start: SDK, polars and plotting packages imported by either{found}",
            measured=len(heavy) if help_s else None,
            sense="at most",
            limit=0,
            unit="",
        ),
    ]
    return goals, {"help_cpu_s": help_s, "bench_over_s": over_s, "imported": sorted(heavy)}


def load(bench: Bench, url: str, requests: int, seconds: int) -> Load:
    """Return a load of 64 connections."""
    return Load(
        url=url,
        concurrency=CONCURRENCY,
        requests=requests,
        seconds=seconds,
        scratch=bench.scratch,
        core=bench.cores.client,
    )
