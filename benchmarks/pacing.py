"""Measures how well an open loop keeps its schedule: 10,000 requests/s for 10 s from one core.

`python benchmarks/pacing.py` runs nginx on the first core, and the client, pinned, on the last. It prints one table.
The start lag of a request is the time from when it was due to just before its first byte is written, on a kept
connection. `--stall` checks something else: a server, at 200/s, stalls for 500 ms every 5 s. Are the response times
those that the arithmetic of the schedule gives?
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import MeasureError, find_cores, pin
from servers import nginx

RATE, SECONDS, WARMUP_S = 10_000.0, 10.0, 1.0
SLOTS = 200
PAYLOAD = Path(__file__).parents[1] / "payloads" / "bank-two-rows.json"


def measure(url: str, rate: float, seconds: float, arrivals: str, *, core: int | None) -> dict[str, float]:
    """Run an open loop on a separate core and return how well it kept its schedule.

    Returns:
        Achieved and planned requests/s, percentiles of the start lag in ms, CPU in µs per request, failures.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "epkit",
            "bench",
            "--rate",
            f"{rate:g}",
            "--arrivals",
            arrivals,
            "-c",
            str(SLOTS),
        ]
        command += ["-t", f"{seconds:g}", "--warmup", f"{WARMUP_S:g}s", "-p", str(PAYLOAD), "--no-validate"]
        child = subprocess.run(
            [*command, "--samples", "samples.csv", "--format", "json", url],
            stdout=subprocess.PIPE,
            timeout=60 + 2 * seconds,
            check=False,
            cwd=scratch,
            preexec_fn=pin(core),
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        if child.returncode:
            raise MeasureError(f"{arrivals}: exit {child.returncode}")
        report = json.loads(child.stdout)
        with (Path(scratch) / "samples.csv").open(newline="") as file:
            lag_ms = np.sort([float(row["start_ms"]) - float(row["due_ms"]) for row in csv.DictReader(file)])
    return {
        "planned": rate,
        "achieved": report["throughput"]["requests_per_s"],
        "p50": float(np.percentile(lag_ms, 50)),
        "p99": float(np.percentile(lag_ms, 99)),
        "p99.9": float(np.percentile(lag_ms, 99.9)),
        "max": float(lag_ms[-1]),
        "cpu_us": report["generator"]["cpu_us_per_request"],
        "failed": float(report["counts"]["failed"]),
    }


def stall() -> None:
    """Compare the percentiles at 200/s, served one at a time by a server that stalls, with arithmetic; print a table.

    In a stall of 500 ms, the i-th of its 100 arrivals waits 500 - 5 i ms. These arrivals are a tenth of all requests: 1
    % of all wait longer than 450 ms, 5 % longer than 250 ms. In a closed loop, the latency shows one request per stall.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.fault_server import FaultServer

    with tempfile.TemporaryDirectory() as scratch, FaultServer() as server:
        command = [sys.executable, "-m", "epkit", "bench", "--rate", "200", "-t", "20", "-c", "1", "--no-validate"]
        url = server.url("stall?every_ms=5000&for_ms=500")
        said = subprocess.run(
            [*command, "-p", str(PAYLOAD), "--format", "json", url],
            stdout=subprocess.PIPE, cwd=scratch, timeout=90, check=True,
        ).stdout  # fmt: skip
    times = json.loads(said)["latency_ms"]
    print("| percentile | service ms | response ms | arithmetic ms | off by |")
    print("|---|--:|--:|--:|--:|")
    for key, expected in (("95", 250.0), ("98", 400.0), ("99", 450.0)):
        service, response = (times[name]["percentiles"][key] for name in ("service", "response"))
        print(f"| p{key} | {service:.1f} | {response:.1f} | {expected:.0f} | {abs(response / expected - 1):.1%} |")


def main() -> int:
    """Measure constant and Poisson arrivals and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--stall", action="store_true")
    options = parser.parse_args()
    if options.stall:
        stall()
        return 0
    cores, note = find_cores()
    if note:
        print(note, file=sys.stderr)
    print("| arrivals | planned/s | achieved/s | lag p50 ms | p99 | p99.9 | max | CPU µs/request | failed |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch, nginx(Path(scratch), core=cores.server) as origins:
        for arrivals in ("constant", "poisson"):
            r = measure(f"{origins.plain}/score", options.rate, options.seconds, arrivals, core=cores.client)
            print(
                f"| {arrivals} | {r['planned']:,.0f} | {r['achieved']:,.1f} | {r['p50']:.3f} | {r['p99']:.3f} | "
                f"{r['p99.9']:.3f} | {r['max']:.3f} | {r['cpu_us']:.1f} | {r['failed']:.0f} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
