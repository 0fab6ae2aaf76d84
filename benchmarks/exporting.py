"""Measures the cost of `--otlp` for `epkit bench`: `python benchmarks/exporting.py [--rounds 15] [--seconds 3]`.

The load is that of `run.py` at c=64, with nginx on the first core and epkit on the last. Within a round three variants
take turns: without `--otlp`, with a collector that accepts everything, and with a collector that cannot be reached. The
script compares the CPU of a request and the lag of the event loop, both from the report. A request that waits while
metrics are made shows as lag. Other processes of the machine can only raise a reading. So the goal is about the minima;
the median of the ratios within a round is printed with them. The parts are also measured alone: CPU of a request in a
block, of counting a second's requests, of sending them. Needs `epkit[otlp]`; takes about three minutes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from clients import PAYLOAD, epkit_program
from measure import environment, find_cores, run
from servers import free_port, nginx

GOAL = 1.02
"""Greatest ratio of the CPU of a request with `--otlp` to that without."""

BLOCKS = 40
"""Number of blocks of 512 requests per second."""

PLAIN, SENT, AWAY = "without", "`--otlp`", "`--otlp`, nobody there"


class Taker(BaseHTTPRequestHandler):
    """A collector that accepts everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Accept a request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Do nothing."""


@contextmanager
def collector() -> Iterator[str]:
    """Run a collector in this process; yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def parts(url: str) -> str:
    """Return the cost of the parts: CPU of this thread for a request and a second, of the exporter's for a second."""
    import numpy as np

    from epkit.core.load.phases import PhaseTimes
    from epkit.core.report.outcomes import Outcomes
    from epkit.core.samples.rows import SAMPLE
    from epkit.exporters.otlp import OtlpExporter
    from epkit.exporters.points import ExportedRun, ExportFrame

    block = np.zeros(512, SAMPLE)
    block["status"] = 200
    block["end"] = np.random.default_rng(0).lognormal(14.5, 0.5, 512)
    collected = Outcomes(PhaseTimes((0,)))
    exporter = OtlpExporter(f"{url}/v1/metrics", {}, "1")
    names = {"id": "r", "target": "t", "method": "POST", "scheme": "http", "address": "h", "phases": ("measure",)}
    run_ = ExportedRun(**names, port=80, started_ns=1)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "epkit-otlp")
    clock = time.pthread_getcpuclockid(thread.ident or 0)
    adding, counting, sending = [], [], []
    for second in range(30):
        begun = time.thread_time()
        for _ in range(BLOCKS):
            collected.add(block)
        added = time.thread_time()
        snapshot = collected.snapshot((second + 1) * 10**9)
        counting.append(time.thread_time() - added)
        adding.append((added - begun) / BLOCKS / len(block))
        before = time.clock_gettime(clock)
        exporter.deliver(ExportFrame(run=run_, snapshot=snapshot, now_ns=second), 10)
        sending.append(time.clock_gettime(clock) - before)
    exporter.close()
    row, count, send = (statistics.median(times) for times in (adding, counting, sending))
    return f"{row * 1e9:.0f} ns a request, {count * 1e3:.2f} ms to count {BLOCKS * 512:,}, {send * 1e3:.2f} ms to send"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds, default 15")
    parser.add_argument("--seconds", type=int, default=3, metavar="S", help="time of each run, default 3")
    options = parser.parse_args()
    cores, note = find_cores()
    if note:
        print(note, file=sys.stderr)
    if cores.server is not None:
        os.sched_setaffinity(0, {cores.server})
    reports: dict[str, list[dict[str, float]]] = {PLAIN: [], SENT: [], AWAY: []}
    with tempfile.TemporaryDirectory(prefix="epkit-benchmark-") as name, collector() as url:
        costs = parts(url)
        scratch = Path(name)
        flags = {PLAIN: [], SENT: ["--otlp", url], AWAY: ["--otlp", f"http://127.0.0.1:{free_port()}"]}
        with nginx(scratch, core=cores.server) as origins:
            for round_ in range(options.rounds):
                for place in range(len(flags)):
                    way = list(flags)[(round_ + place) % len(flags)]
                    command = [epkit_program(), "bench", "-t", str(options.seconds), "-c", "64", "-p", str(PAYLOAD)]
                    command += ["--no-validate", "--format", "json", *flags[way], f"{origins.plain}/score"]
                    done = run(command, core=cores.client, cwd=scratch, timeout_s=300, env=environment())
                    report = json.loads(done.stdout)
                    generator, rate = report["generator"], report["throughput"]["requests_per_s"]
                    reading = {"cpu": generator["cpu_us_per_request"], "rate": rate, **generator["lag_ms"]}
                    reports[way].append(reading)
                    print(f"round {round_ + 1}  {way:24} {reading}", file=sys.stderr, flush=True)
    print("| c=64 | CPU µs/request, least | × without | × in a round, median | requests/s | lag p99 ms | lag max ms |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    worst, alone = 0.0, min(reading["cpu"] for reading in reports[PLAIN])
    for way, readings in reports.items():
        ratio = statistics.median(
            mine["cpu"] / plain["cpu"] for mine, plain in zip(readings, reports[PLAIN], strict=True)
        )
        least = min(reading["cpu"] for reading in readings)
        worst = max(worst, least / alone)
        rate, p99, most = (statistics.median(reading[name] for reading in readings) for name in ("rate", "p99", "max"))
        cells = (f"{least:.2f}", f"{least / alone:.3f}", f"{ratio:.3f}", f"{rate:,.0f}", f"{p99:.2f}", f"{most:.2f}")
        print(f"| {way} | {' | '.join(cells)} |")
    print(f"\nparts: {costs}\ngoal: at most {GOAL} ×: {'pass' if worst <= GOAL else 'FAIL'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
