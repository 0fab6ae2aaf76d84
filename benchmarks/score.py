"""Compares `epkit score` with a hand-written script, and prints Markdown tables: `python benchmarks/score.py`.

    pip install . -r benchmarks/requirements.txt && python benchmarks/score.py [--quick] [--rounds 3]

The course's rows come from a CSV file, a hundred in each request. nginx, on a separate core, reads each body and sends
a fixed reply of a hundred predictions, so the server costs nothing. CPU is that of the whole process: start, check
against the contract and output included. *Waiting* is a server that answers after 100 ms.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import servers
from clients import epkit_program
from measure import Cores, Finished, MeasureError, find_cores, run
from table import Goal, goals_table, markdown

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "swagger" / "bank.swagger2.json"
BATCH = 100
SLOTS, WAIT_MS = 64, 100.0
REPLY = json.dumps({"result": ["yes", "no"] * (BATCH // 2)}).encode()
RATE = re.compile(r"([\d,]+) requests.* ([\d,]+) rows/s")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds, default 3")
    parser.add_argument("--make", metavar="NAME=ROWS,…", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        for name, _, count in (part.partition("=") for part in options.make.split(",")):
            make(Path(f"{name}.csv"), int(count))
        return 0
    scale, rounds = (10, 1) if options.quick else (1, options.rounds)
    cores, note = find_cores()
    if note:
        print(note, file=sys.stderr)
    if cores.server is not None:
        os.sched_setaffinity(0, {cores.server})
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-benchmark-")))
        try:
            measure(stack, scratch, cores, 1_000_000 // scale, rounds)
        except MeasureError as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    return 0


def measure(stack: ExitStack, scratch: Path, cores: Cores, rows: int, rounds: int) -> None:
    """Take all figures and print the tables."""
    # In a separate process, because Linux counts the memory of this one as that of its children.
    making = ",".join(f"{name}={count}" for name, count in (("rows", rows), ("many", 5 * rows), ("few", BATCH)))
    run([sys.executable, __file__, "--make", making], core=cores.server, cwd=scratch, timeout_s=60)
    folder = scratch / "nginx"
    folder.mkdir()
    url = stack.enter_context(servers.nginx(folder, core=cores.server, reply=REPLY)).plain + "/score"

    def epkit(source: str, url: str, *flags: str) -> Finished:
        for old in scratch.glob("out.csv*"):
            old.unlink()
        command = [epkit_program(), "score", source, "--target", url, "-o", "out.csv", "--batch-rows", str(BATCH)]
        return run([*command, *flags], core=cores.client, cwd=scratch, timeout_s=170)

    def peer() -> Finished:
        command = [sys.executable, str(HERE / "score_peer.py"), url, "rows.csv", "peer.csv", str(BATCH), "16"]
        return run(command, core=cores.client, cwd=scratch, timeout_s=170)

    found: dict[str, list[Finished]] = {"epkit": [], "epkit, no contract": [], "aiohttp + csv + orjson": []}
    for _ in range(rounds):
        found["epkit"].append(epkit("rows.csv", url, "-c", "16", "--schema", str(SCHEMA)))
        found["aiohttp + csv + orjson"].append(peer())
        if (scratch / "out.csv").read_bytes() != (scratch / "peer.csv").read_bytes().replace(b"\r\n", b"\n"):
            raise MeasureError("epkit and its peer do not write the same")
        found["epkit, no contract"].append(epkit("rows.csv", url, "-c", "16", "--no-validate"))
    many = epkit("many.csv", url, "-c", "16", "--schema", str(SCHEMA))
    few = [epkit("few.csv", url, "--schema", str(SCHEMA)).wall_s for _ in range(rounds + 1)][1:]
    with servers.waiting(cores, delay_ms=WAIT_MS, predictions=BATCH) as server:
        waited = epkit("rows.csv", server.url, "-c", str(SLOTS), "--schema", str(SCHEMA))
    said = RATE.search(waited.stderr)
    if said is None:
        raise MeasureError(f"epkit: reported no rate: {waited.stderr[-200:]}")
    share = int(said[2].replace(",", "")) / BATCH / (SLOTS * 1000 / WAIT_MS)
    cpu = {name: median(one.cpu_s for one in runs) / rows * 1e6 for name, runs in found.items()}
    table = [
        [
            name,
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu['epkit']:.2f}",
            f"{median(rows / one.wall_s for one in runs):,.0f}",
            f"{max(one.peak_bytes for one in runs) / 1e6:,.0f}",
        ]
        for name, runs in found.items()
    ]
    table.append(
        [
            f"epkit, {5 * rows:,} rows",
            f"{many.cpu_s / rows / 5 * 1e6:.2f}",
            f"{many.cpu_s / rows / 5 * 1e6 / cpu['epkit']:.2f}",
            f"{5 * rows / many.wall_s:,.0f}",
            f"{many.peak_bytes / 1e6:,.0f}",
        ]
    )
    header = [f"{rows:,} course rows from CSV", "CPU µs/row", "× epkit", "rows/s", "peak MB"]
    print(markdown(header, table, left=1))
    print()
    ratio = cpu["epkit"] / cpu["aiohttp + csv + orjson"]
    memory = max(one.peak_bytes for one in found["epkit"]) / 1e6
    print(
        goals_table(
            [
                Goal(name="CPU a row", measured=cpu["epkit"], sense="at most", limit=5, unit="µs"),
                Goal(name="CPU a row, epkit : script", measured=ratio, sense="at most", limit=0.5, unit="×"),
                Goal(name="memory", measured=memory, sense="below", limit=300, unit="MB"),
                Goal(
                    name="memory of five times the rows",
                    measured=many.peak_bytes / 1e6,
                    sense="below",
                    limit=300,
                    unit="MB",
                ),
                Goal(
                    name=f"batches a second at {WAIT_MS:.0f} ms, -c {SLOTS}, of those possible",
                    measured=share * 100,
                    sense="at least",
                    limit=95,
                    unit="%",
                ),
                Goal(name="start to end of one batch", measured=median(few), sense="below", limit=1, unit="s"),
            ]
        )
    )


def make(path: Path, rows: int) -> None:
    """Write the course's two rows alternately; two columns vary."""
    import numpy as np
    import polars as pl

    names = json.loads((HERE / "payload.json").read_bytes())["data"]
    number = pl.int_range(rows)
    frame = pl.DataFrame(names)[np.arange(rows) % 2]
    frame.with_columns(pdays=number % 1000, euribor3m=(number % 977) / 1000 + 0.5).write_csv(path)


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
