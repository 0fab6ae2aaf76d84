"""Measures the memory of a day of load: the summary of a run gets 24 hours at 1,000 requests/s, in simulated time.

`python benchmarks/day.py` makes the rows that a driver would pass on, in blocks of the same size. It reports on them,
and prints the peak memory of the process and the cost of a row. `--hours` shortens the day.
"""

import argparse
import resource
import sys
import time

import numpy as np

from epkit.core.report.assembly import EngineFacts, KnownRun, Peer, assemble
from epkit.core.report.report import PlanInfo, Run, Tool
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import SAMPLE
from epkit.engines.driver import BLOCK_ROWS

RATE, HOURS = 1_000, 24.0


def main() -> int:
    """Simulate the day and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=HOURS)
    rows = int(parser.parse_args().hours * 3600 * RATE)
    dice = np.random.default_rng(1)
    block = np.zeros(BLOCK_ROWS, dtype=SAMPLE)
    block["status"], block["server"], block["received"], block["body"] = 200, -1, 300, 33
    waits = (dice.lognormal(0, 0.5, (64, BLOCK_ROWS)) * 20e6).astype(np.int64)
    summary = Summary()
    began = time.process_time()
    for number, first in enumerate(range(0, rows, BLOCK_ROWS)):
        due = (np.arange(first, first + BLOCK_ROWS) * (10**9 // RATE)).astype(np.int64)
        for name in ("due", "start", "tcp", "connected", "sent"):
            block[name] = due
        block["first"] = block["end"] = due + waits[number % len(waits)]
        summary.add(block)
    spent = time.process_time() - began
    run = Run(
        id="", started_at="", duration_s=rows / RATE, target="", method="", partial=False, seed=0, payloads=()
    )  # fmt: skip
    known = KnownRun(
        tool=Tool(version="", engine="", python="", platform=""),
        run=run,
        plan=PlanInfo(model="open", concurrency=1000, requests=None, duration_s=rows / RATE, rate=float(RATE)),
        peer=Peer(server="", host="", port=0, path=""),
        engine=EngineFacts(wire_bytes=[0]),
        drifts_ns=np.zeros(1000, dtype=np.int64),
    )
    report = assemble(known, summary)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{report.counts.sent:,} rows, {rows / RATE / 3600:g} h at {RATE:,}/s: peak {peak / 1e6:.0f} MB, "
        f"{spent / max(1, report.counts.sent) * 1e6:.2f} µs a row, {len(report.series)} windows"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
