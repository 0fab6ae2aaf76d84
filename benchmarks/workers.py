"""Measures the costs and benefits of several workers: `bench --workers 2` and `--cluster`, against one process.

`python benchmarks/workers.py` prints one table:

- *in flight*: with a server that waits 50 ms and accepts any concurrency, two workers with C slots each are compared
  with one worker with C slots: requests/s (this gives the requests in flight, by Little's law), p50, and the CPU of a
  request, for each worker alone. The server has the first core, and all that is measured has the last. On cores that
  other processes share, a request costs up to twice as much, also for two processes started by hand.
- *scaling*: throughput of two workers divided by that of one, with nginx. Measured only if there are two cores more
  than workers; otherwise the server and the workers would share the cores.
- *merging*: 16 workers of 10 million samples each, sent as workers send them (rows up to their share, then counts each
  second): the time from the first message to the report.
- *start*: the time of `--cluster` on a running cluster minus that of `--workers 2`, for one request each.

Everything is repeated, in turns; the table has the median.
"""

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measure import Cores, MeasureError, environment, find_cores, pin
from servers import free_port, nginx, waiting

PLACES, SECONDS, ROUNDS = 64, 4.0, 5
WORKERS, SAMPLES = 16, 10_000_000
RATE = 50_000
"""Requests/s of each worker whose samples are merged: the number that is counted at once."""

GOALS = {"CPU": 1.10, "scaling": 1.7, "merging": 2.0, "start": 3.0}


def epkit(scratch: Path, *arguments: str, core: int | None = None) -> tuple[dict, float]:
    """Run a bench, on one core or one that the system chooses; return its report and the command's duration in s."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "epkit", "bench", "--no-validate", "--format", "json", *arguments],
        cwd=scratch, env=environment(), capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=pin(core),
    )  # fmt: skip
    if done.returncode:
        raise MeasureError(f"epkit: exit {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout), time.perf_counter() - began


def in_flight(scratch: Path, rounds: int) -> list[str]:
    """Compare one worker with two, with equal numbers of slots, on a server that waits."""
    ones, twos, cpus = [], [], []
    cores, _ = find_cores()
    with waiting(cores, delay_ms=50) as server:
        for _ in range(rounds):
            load = ["-t", str(SECONDS), server.url]
            one, _ = epkit(scratch, "-c", str(PLACES), *load, core=cores.client)
            two, _ = epkit(scratch, "-c", str(2 * PLACES), "--workers", "2", *load, core=cores.client)
            ones.append(one)
            twos.append(two)
            alone = one["generator"]["cpu_us_per_request"]
            cpus.append([worker["cpu_us_per_request"] / alone for worker in two["workers"]])

    def median(reports: list[dict], *path: str) -> float:
        found = []
        for value in reports:
            for key in path:
                value = value[key]
            found.append(value)
        return statistics.median(found)

    lines = []
    for name, reports in (("one process, c=64", ones), ("`--workers 2`, c=128", twos)):
        rate = median(reports, "throughput", "requests_per_s")
        p50 = median(reports, "latency_ms", "service", "median")
        cpu = median(reports, "generator", "cpu_us_per_request")
        flying = rate * median(reports, "latency_ms", "service", "mean") / 1000
        lines.append(f"| {name} | {flying:.1f} in flight | {rate:.0f}/s, p50 {p50:.2f} ms | {cpu:.1f} µs a request |")
    worst = statistics.median(max(pair) for pair in cpus)
    lines.append(
        f"| CPU of a request: the more expensive worker, compared with one alone | {worst:.2f} × "
        f"| goal: {GOALS['CPU']:.2f} × | |"
    )
    return lines


def scaling(scratch: Path, rounds: int) -> list[str]:
    """Compare the throughput of two workers with that of one, if there are enough cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 4:
        return [
            f"| throughput of two workers, compared with one | not measured: {cores} cores, needs 4 | goal: 1.7 × | |"
        ]
    ratios = []
    with nginx(scratch, core=find_cores()[0].server) as origins:
        for _ in range(rounds):
            one, _ = epkit(scratch, "-t", "4", "-c", "64", f"{origins.plain}/score")
            two, _ = epkit(scratch, "-t", "4", "-c", "128", "--workers", "2", f"{origins.plain}/score")
            ratios.append(two["throughput"]["requests_per_s"] / one["throughput"]["requests_per_s"])
    return [f"| throughput of two workers, compared with one | {statistics.median(ratios):.2f} × | goal: 1.7 × | |"]


def messages(seed: int) -> list[object]:
    """Return the messages of a worker about its samples, pickled and unpickled as on arrival."""
    from epkit.core.load.plan import Phase, Plan
    from epkit.core.report.summary import EXACT
    from epkit.core.samples.rows import SAMPLE
    from epkit.flows.bench.workers.streaming import Stream

    said: list[object] = []

    class Wire:
        def send(self, message: object) -> None:
            said.append(pickle.dumps(message, protocol=5))

    plan = Plan(phases=(Phase(concurrency=16, requests=SAMPLES),), timeout_ns=10**9)
    stream = Stream(plan, EXACT // WORKERS, Wire(), [0])  # type: ignore[arg-type]
    stream.document = 33
    dice = np.random.default_rng(seed)
    block = np.zeros(RATE // 5, dtype=SAMPLE)
    block["status"], block["server"], block["received"], block["body"] = 200, -1, 300, 33
    spent = (dice.lognormal(0, 0.5, len(block)) * 1e6).astype(np.int64)
    now = 0
    for _ in range(SAMPLES // len(block)):
        block["end"] = now + np.arange(len(block)) * (200_000_000 // len(block))
        for name in ("due", "start", "tcp", "connected", "sent"):
            block[name] = np.maximum(0, block["end"] - spent)
        block["first"] = block["end"]
        stream.add(block)
        now += 200_000_000
        stream.ship(now, now=now)
    stream.ship(now)
    return said


def merging() -> list[str]:
    """Merge the samples of 16 workers, and report on them."""
    from epkit.core.report.assembly import EngineFacts, KnownRun, Peer, assemble
    from epkit.core.report.report import PlanInfo, Run, Tool
    from epkit.core.report.summary import Summary
    from epkit.core.samples.merging import Merger
    from epkit.core.samples.rows import SAMPLE
    from epkit.flows.bench.workers.messages import RowsMessage

    shown = [messages(seed) for seed in range(WORKERS)]
    # In the order of time, in which they arrive.
    queue = [(worker, message) for turn in range(max(map(len, shown))) for worker, said in enumerate(shown)
             for message in said[turn : turn + 1]]  # fmt: skip
    began, cpu = time.perf_counter(), time.process_time()
    summary = Summary()
    merger = Merger(range(WORKERS), summary.add)
    for worker, frame in queue:
        message = pickle.loads(frame)
        if isinstance(message, RowsMessage):
            merger.add(worker, np.frombuffer(bytearray(message.data), dtype=SAMPLE), message.complete_ns)
        else:
            summary.merge(message.whole)
            merger.add(worker, np.empty(0, dtype=SAMPLE), message.complete_ns)
    for worker in range(WORKERS):
        merger.end(worker)
    merged = time.perf_counter() - began
    seconds = SAMPLES // RATE
    known = KnownRun(
        tool=Tool(version="", engine="wire", python="", platform=""),
        run=Run(
            id="",
            started_at="",
            duration_s=float(seconds),
            target="",
            method="POST",
            partial=False,
            seed=0,
            payloads=(),
        ),
        plan=PlanInfo(model="closed", concurrency=256, requests=None, duration_s=None),
        peer=Peer(server="", host="", port=0, path=""),
        engine=EngineFacts(wire_bytes=[0]),
        max_in_flight=256,
    )
    report = assemble(known, summary)
    whole = time.perf_counter() - began
    assert report.counts.sent == WORKERS * SAMPLES
    size = sum(len(frame) for _, frame in queue) / 1e6
    spent = f"{merged:.2f} s, with the report {whole:.2f} s"
    of = f"{len(queue)} messages, {size:.0f} MB over {seconds} s, {time.process_time() - cpu:.1f} s CPU"
    what = f"merging {WORKERS} × {SAMPLES / 1e6:.0f} million samples"
    return [f"| {what} | {spent} | goal: {GOALS['merging']:.0f} s | {of} |"]


@contextmanager
def cluster(scratch: Path) -> Iterator[str]:
    """Run a scheduler and two workers on loopback."""
    address = f"tcp://127.0.0.1:{free_port()}"
    log = scratch / "dask.log"
    started = []

    def start(role: str, *arguments: str) -> None:
        with log.open("ab") as out:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments], stdout=out, stderr=out
                )
            )

    port = address.rpartition(":")[2]
    try:
        start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        for number in range(2):
            start(
                "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(scratch / f"w{number}")
            )
        deadline = time.monotonic() + 60
        while log.read_text().count("Register worker") < 2:
            if time.monotonic() > deadline:
                raise MeasureError("dask: the cluster does not come up")
            time.sleep(0.1)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def starting(scratch: Path, rounds: int) -> list[str]:
    """Compare the duration of a bench of two requests on a running cluster and with two processes."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        return [
            "| start of `--cluster`, more than `--workers 2` | not measured: epkit[cluster] is missing | goal: 3 s | |"
        ]
    local, remote = [], []
    with waiting(Cores(server=None, client=None), delay_ms=1) as server, cluster(scratch) as address:
        for _ in range(rounds):
            local.append(epkit(scratch, "-n", "2", "-c", "2", "--workers", "2", server.url)[1])
            remote.append(epkit(scratch, "-n", "2", "-c", "2", "--cluster", address, server.url)[1])
    two, far = statistics.median(local), statistics.median(remote)
    whole = f"{far:.2f} s and {two:.2f} s for the whole command"
    name, goal = "start of `--cluster`, more than `--workers 2`", f"goal: {GOALS['start']:.0f} s"
    return [f"| {name} | {far - two:.2f} s | {goal} | {whole} |"]


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=("in-flight", "scaling", "merging", "start"), nargs="*")
    asked = parser.parse_args()
    parts = asked.only or ("in-flight", "scaling", "merging", "start")
    print("| | | | |\n|---|---|---|---|")
    try:
        with tempfile.TemporaryDirectory(prefix="epkit-bench-") as directory:
            scratch = Path(directory)
            for name, measure in (
                ("in-flight", lambda: in_flight(scratch, asked.rounds)),
                ("scaling", lambda: scaling(scratch, asked.rounds)),
                ("merging", merging),
                ("start", lambda: starting(scratch, asked.rounds)),
            ):
                if name in parts:
                    print("\n".join(measure()), flush=True)
    except MeasureError as error:
        print(f"workers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
