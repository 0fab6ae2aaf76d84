"""Compares the cost of a row with that of another checkout: `python benchmarks/versions.py --base ../other/src`.

    python benchmarks/versions.py --base DIR [--rows 200000] [--rounds 7]

The course's rows come from a CSV file. Both sides take turns, in an order that changes with every round, so other work
on the machine affects both. The figure is the median of the rounds' ratios of CPU (user and system, of the whole
process, start included). `score` sends to nginx, which sends a fixed reply, as in `score.py`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import servers
from score import BATCH, REPLY, SCHEMA, make
from table import markdown

HERE = Path(__file__).parent


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--base", type=Path, required=True, metavar="DIR", help="the directory of the other package `epkit`"
    )
    parser.add_argument("--rows", type=int, default=200_000, metavar="N", help="rows of the table, default 200,000")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds, default 7")
    options = parser.parse_args()
    sides = {"base": options.base.resolve(), "this": (HERE.parent / "src").resolve()}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-benchmark-")))
        make(scratch / "rows.csv", options.rows)
        (scratch / "nginx").mkdir()
        url = stack.enter_context(servers.nginx(scratch / "nginx", core=None, reply=REPLY)).plain + "/score"
        score = ["score", "rows.csv", "--target", url, "-o", "out.csv", "--overwrite", "--restart", "-q", "-c", "4"]
        score += ["--batch-rows", str(BATCH)]
        jobs = {
            "validate": ["validate", "rows.csv", "--schema", str(SCHEMA)],
            "score": [*score, "--schema", str(SCHEMA)],
            "score, no contract": [*score, "--no-validate"],
        }
        table = []
        for name, command in jobs.items():
            found: dict[str, list[float]] = {side: [] for side in sides}
            for number in range(options.rounds + 1):
                for side in sorted(sides, reverse=bool(number % 2)):
                    cpu = _cpu_s(command, sides[side], scratch)
                    if number:  # the first round fills caches
                        found[side].append(cpu)
            ratios = [this / base for this, base in zip(found["this"], found["base"], strict=True)]
            micros = [median(found[side]) / options.rows * 1e6 for side in ("base", "this")]
            shown = [f"{micros[0]:.2f}", f"{micros[1]:.2f}", f"{median(ratios):.3f}"]
            table.append([name, *shown, f"{min(ratios):.3f} to {max(ratios):.3f}"])
    print(markdown([f"{options.rows:,} course rows from CSV", "base", "this", "ratio", "of the rounds"], table, left=1))
    print("\nCPU µs/row")
    return 0


def _cpu_s(command: list[str], package: Path, scratch: Path) -> float:
    """Run a command of one side, and return its CPU time."""
    environment = {**os.environ, "PYTHONPATH": str(package)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "epkit", *command],
        cwd=scratch,
        env=environment,
        check=True,
        timeout=170,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
