"""Measures what `--request-ids` costs a request, and prints a Markdown table: `python benchmarks/request_ids.py`.

    pip install . -r benchmarks/requirements.txt && python benchmarks/request_ids.py [--base ../other/src] [--rounds 9]

The load is that of `run.py` at c=64, over nginx, which at `/echo` sends the id back in its header. Within a round the
ways take turns, so that what else a machine does meets all of them. CPU is what the report says of its own generator,
user and system; the figure of a way is the least of its rounds, which other work can only raise, with the median beside
it. With `--base`, another checkout of epkit sends without ids too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import servers
from measure import environment, find_cores, pin

REQUESTS = 100_000
HERE = Path(__file__).parent


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", metavar="SRC", help="the src directory of another checkout")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="rounds, default 9")
    parser.add_argument("--requests", type=int, default=REQUESTS, metavar="N", help="of each run, default 100,000")
    options = parser.parse_args()
    cores, note = find_cores()
    if note:
        print(note, file=sys.stderr)
    own = str(HERE.parent / "src")
    ways: dict[str, tuple[str, str, tuple[str, ...]]] = {"no ids": (own, "score", ())}
    if options.base is not None:
        ways["no ids, base"] = (str(Path(options.base).resolve()), "score", ())
    ways |= {
        "--request-ids": (own, "score", ("--request-ids",)),
        "no ids, the server that echoes": (own, "echo", ()),
        "--request-ids, echoed": (own, "echo", ("--request-ids",)),
        "--request-ids=traceparent": (own, "score", ("--request-ids=traceparent",)),
    }
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-benchmark-")))
        origins = stack.enter_context(servers.nginx(scratch, core=cores.server))
        for _ in range(options.rounds):
            for name, (source, path, flags) in ways.items():
                costs[name].append(_cost(source, f"{origins.plain}/{path}", flags, options.requests, cores.client))
    print("| way | CPU µs/request: least | median |\n|---|--:|--:|")
    for name, found in costs.items():
        print(f"| {name} | {min(found):.2f} | {statistics.median(found):.2f} |")
    return 0


def _cost(source: str, url: str, flags: tuple[str, ...], requests: int, core: int | None) -> float:
    """Run a load, and return what a request of it cost the client, µs of CPU."""
    command = [sys.executable, "-m", "epkit", "bench", *flags, "-c", "64", "-n", str(requests)]
    command += ["-p", str(HERE / "payload.json"), "--no-validate", "--format", "json", "-q", url]
    done = subprocess.run(
        command,
        env=environment(PYTHONPATH=source),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        preexec_fn=pin(core),
        cwd=os.sep,
    )
    return float(json.loads(done.stdout)["generator"]["cpu_us_per_request"])


if __name__ == "__main__":
    sys.exit(main())
