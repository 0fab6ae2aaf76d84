"""Checks whether the batch size that a sweep proposes scores a table fastest: `python benchmarks/batch_size.py`.

    pip install '.[local]' && python benchmarks/batch_size.py [--rows 20000] [--rounds 5] [--seconds 5]

`epkit bench --sweep` proposes rows per request and requests in flight for the embedded endpoint. Then `epkit score`
sends a table with every point of the grid, in turns. The best rounds are compared: the time of the command (its start
included), the rows per second that it reports, and the CPU of client and server together, on which other work on the
machine has the smallest effect. Client and server share the machine's cores. A point that takes five times as long as
the fastest in the first round is not measured again.
"""

import argparse
import json
import os
import random
import re
import sys
import tempfile
from pathlib import Path

from clients import epkit_program
from measure import Finished, MeasureError, environment, run
from score import make
from table import Goal, goals_table, markdown

from epkit.endpoint.embedded import Embedded, start

GRID = "rows=1,10,100,1000;c=1,4,16"
SLO = "p99<500ms"
RATE = re.compile(r"([\d,]+) rows/s")
WITHIN = 1.1
SLOW = 5.0


def main() -> int:
    """Sweep, score, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000, metavar="N", help="rows of the table, default 20000")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of scoring, default 5")
    parser.add_argument("--seconds", default="5", metavar="TIME", help="time of each point of the sweep, default 5")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="epkit-benchmark-") as scratch, start() as endpoint:
        try:
            return measure(Path(scratch), endpoint, options)
        except MeasureError as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1


def measure(scratch: Path, endpoint: Embedded, options: argparse.Namespace) -> int:
    """Take the readings, print the tables, and return the exit code."""
    make(scratch / "rows.csv", options.rows)
    own = environment(EPKIT_KEY=endpoint.key.reveal())

    def epkit(*arguments: str) -> Finished:
        for old in scratch.glob("out.csv*"):
            old.unlink()
        return run([epkit_program(), *arguments], core=None, cwd=scratch, timeout_s=600, env=own)

    sweep = epkit("bench", endpoint.uri, "-p", "rows.csv", "--sweep", GRID, "-t", options.seconds,
                  "--slo", SLO, "--format", "json")  # fmt: skip
    report = json.loads(sweep.stdout)
    points, chosen = report["grid"]["points"], report["grid"]["chosen"]
    print(f"{report['search']['words']}\n{report['grid']['command']}\n")
    if chosen is None:
        return 1
    readings: list[list[tuple[float, float, float]]] = [[] for _ in points]
    still = range(len(points))
    for number in range(options.rounds):
        for place in random.Random(number).sample(still, len(still)):
            point, before = points[place], server_cpu_s()
            scored = epkit("score", "rows.csv", "--target", endpoint.uri, "-o", "out.csv",
                           "--batch-rows", str(point["rows"]), "-c", str(point["concurrency"]))  # fmt: skip
            said = RATE.search(scored.stderr)
            if said is None:
                raise MeasureError(f"epkit score: reported no rate: {scored.stderr[-200:]}")
            cpu_s = scored.cpu_s + server_cpu_s() - before
            readings[place].append((scored.wall_s, int(said[1].replace(",", "")), cpu_s))
        fastest = min(readings[place][0][0] for place in still)
        still = [place for place in still if readings[place][0][0] < SLOW * fastest or place == chosen]
    shown = [(min(walls), max(rates), min(cpus)) for walls, rates, cpus in (zip(*one, strict=True) for one in readings)]
    head = [f"{options.rows:,} rows", "sweep, rows/s", "p99 ms", "score, s", "score, rows/s", "CPU, s", ""]
    print(markdown(head, [row(points[i], shown[i], chosen=i == chosen) for i in range(len(points))], left=1))
    print()
    goals = [
        goal("time", shown[chosen][0] / min(one[0] for one in shown)),
        goal("time for each row, by its own account", max(one[1] for one in shown) / shown[chosen][1]),
        goal("CPU of client and server", shown[chosen][2] / min(one[2] for one in shown)),
    ]
    print(goals_table(goals))
    return 0


def row(point: dict[str, object], best: tuple[float, float, float], *, chosen: bool) -> list[str]:
    """Write a line of the table."""
    service = point["service"]
    p99 = f"{service['percentiles']['99']:.1f}" if isinstance(service, dict) else "–"
    wall_s, rate, cpu_s = best
    mark = "proposed" if chosen else str(point["state"]) if point["state"] != "measured" else ""
    name = f"{point['rows']} rows, {point['concurrency']} in flight"
    return [name, f"{point['rows_per_s']:,.0f}", p99, f"{wall_s:.2f}", f"{rate:,.0f}", f"{cpu_s:.2f}", mark]


def goal(what: str, ratio: float) -> Goal:
    """Compare the proposal with the best point of the grid, even if that point misses the objective."""
    return Goal(name=f"{what}, proposed : best", measured=ratio, sense="at most", limit=WITHIN, unit="×")


def server_cpu_s() -> float:
    """Return the CPU time, user and system, of the embedded endpoint: of all sessions that our children began."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
    leaders = {pid for pid, fields in found.items() if int(fields[1]) == os.getpid() and int(fields[3]) == pid}
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in found.values() if int(fields[3]) in leaders)
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
