"""Compares epkit with other clients in one command, and prints the tables of docs/performance.md.

Everything runs on this machine: the servers on separate loopback ports, pinned to the first core; one client at a time,
pinned to the last. Progress goes to stderr, the tables (Markdown) to stdout.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import claims
import servers
import speed
from clients import CLIENTS, Client
from measure import Bench, MeasureError, find_cores
from table import SUBJECT, Goal, Reading, goals_table, speed_goals, speed_table

QUICK_ROUNDS, ROUNDS = 1, 5
QUICK_REQUESTS, REQUESTS, MEMORY_REQUESTS = 10_000, 100_000, 10_000_000
QUICK_SECONDS, SECONDS = 2, 5
PARTS = ("plain", "tls", *(cell.key for cell in speed.CELLS), "truth", "start", "memory")
DEFAULT_PARTS = ("plain", "tls", "truth", "start")


class Results:
    """The measurements so far; an interrupted run prints them too."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.tables: list[str] = []
        self.goals: list[Goal] = []
        self.facts: dict[str, Any] = {}
        self.failures: list[str] = []
        self.cells: list[str] = []

    def complain(self, line: str) -> None:
        """Report and store a problem."""
        self.failures.append(line)
        say(f"failed: {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts that the command line selects.

    Returns:
        0 if all measurements succeeded, whether or not the goals are met; 1 if a measurement failed; 130 if the run was
        interrupted.
    """
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, terminate)
    results = Results()
    status = 0
    try:
        measure(options, results)
    except KeyboardInterrupt:
        say("interrupted: these are the figures so far")
        results.facts["interrupted"] = True
        status = 130
    except MeasureError as error:
        results.complain(str(error))
    goals = [*speed_goals(results.readings, results.cells), *results.goals]
    if results.readings:
        results.tables.insert(0, speed_table(results.readings))
    print("\n\n".join([machine(results), *results.tables, *([goals_table(goals)] if goals else [])]))
    if options.json:
        document = {
            "format": "epkit.benchmark/1",
            **results.facts,
            "readings": [asdict(reading) for reading in results.readings],
            "goals": [asdict(goal) | {"verdict": goal.verdict()} for goal in goals],
            "failures": results.failures,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return status or (1 if results.failures else 0)


def measure(options: argparse.Namespace, results: Results) -> None:
    """Run the selected parts, and store the measurements in *results*."""
    parts = set(options.only or DEFAULT_PARTS)
    cells = [cell for cell in speed.CELLS if parts & {cell.key, "tls" if cell.tls else "plain"}]
    clients = [client for client in CLIENTS if client.name in (options.clients or client.name)]
    clients = [client for client in clients if present(client)]
    by_name = {client.name: client for client in clients}
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    requests = options.requests or (QUICK_REQUESTS if options.quick else REQUESTS)
    cores, note = find_cores()
    if note:
        say(note)
    if cores.server is not None:
        # This process only waits, on another core than the client.
        os.sched_setaffinity(0, {cores.server})
    nginx = servers.nginx_version()
    results.facts = {
        "rounds": rounds,
        "requests": requests,
        "cores": asdict(cores) | {"count": os.cpu_count()},
        "nginx": nginx,
        "load_average": os.getloadavg()[0],
    }
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-benchmark-")))
        bench = Bench(cores=cores, scratch=scratch, rounds=rounds, say=say, complain=results.complain)
        if nginx is None and (cells or "memory" in parts):
            say("nginx: not installed, left out: no speed, no memory (Debian: nginx-light)")
        elif cells or "memory" in parts:
            origins = stack.enter_context(servers.nginx(scratch, core=cores.server))
            if cells and clients:
                results.cells = [cell.name for cell in cells]
                speed.speed(bench, cells, clients, origins, requests, results.readings)
            if "memory" in parts and SUBJECT in by_name:
                count = options.requests or MEMORY_REQUESTS
                url = f"{origins.plain}/score"
                goals, results.facts["memory"] = claims.memory(bench, by_name[SUBJECT], url, count)
                results.goals += goals
        if "truth" in parts and {SUBJECT, "wrk"} <= by_name.keys():
            seconds = QUICK_SECONDS if options.quick else SECONDS
            table, goals, results.facts["truth"] = claims.truth(bench, by_name[SUBJECT], by_name["wrk"], seconds)
            results.tables.append(table)
            results.goals += goals
        if "start" in parts and SUBJECT in by_name:
            goals, results.facts["start"] = claims.start(bench)
            results.goals += goals


def present(client: Client) -> bool:
    """Tell whether *client* can run here; if not, report the reason in one line."""
    missing = client.missing()
    if missing:
        say(missing)
    return missing is None


def machine(results: Results) -> str:
    """Return the line that describes the machine and the method."""
    facts = results.facts
    if "cores" not in facts:
        return "Nothing was measured."
    cores = facts["cores"]
    pinned = f"server on core {cores['server']}, client on core {cores['client']}"
    parts = [
        f"{cores['count']} cores ({'not pinned' if cores['server'] is None else pinned})",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"Python {platform.python_version()}",
        f"nginx {facts['nginx'] or 'missing'}",
        *(f"{name} {found}" for name in (SUBJECT, "uvloop", "aiohttp", "httpx") if (found := version(name))),
        f"load average before {facts['load_average']:.2f}",
    ]
    rounds = f"Medians of {facts['rounds']} interleaved rounds, least–greatest in brackets."
    if facts.get("interrupted"):
        rounds = f"Interrupted before the end of the {facts['rounds']} rounds: medians of what there is."
    return f"{', '.join(parts)}.\n{rounds}"


def version(package: str) -> str | None:
    """Return an installed package's version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument(
        "--quick", action="store_true", help="one short round, to see whether it works; the figures mean little"
    )
    made.add_argument("--only", nargs="+", metavar="NAME", choices=PARTS, help=f"parts: {', '.join(PARTS)}")
    names = [client.name for client in CLIENTS]
    made.add_argument("--clients", nargs="+", metavar="NAME", choices=names, help=f"clients: {', '.join(names)}")
    made.add_argument("--rounds", type=positive, metavar="N", help=f"rounds, default {ROUNDS}")
    made.add_argument(
        "--requests",
        type=positive,
        metavar="N",
        help=f"requests of a fast client in a fast cell, default {REQUESTS:,}; in `memory`, of the one run, "
        f"default {MEMORY_REQUESTS:,}",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write every reading to this file")
    return made


def positive(text: str) -> int:
    """Return a count of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Exit through every `finally`, as with Ctrl-C."""
    raise SystemExit(143)


def say(line: str) -> None:
    """Report the progress to the user."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
