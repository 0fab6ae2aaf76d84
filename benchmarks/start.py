"""Measures what starting costs, compared with another epkit: `python benchmarks/start.py --base PYTHON`.

    python benchmarks/start.py --base ../old/.venv/bin/python [--own .venv/bin/python] [--rounds 15]

The measure is the CPU of a whole `epkit bench -n 10 URL`: user and system time, child processes included. Each side is
an interpreter with an epkit installed. The sides take turns, and the order changes from round to round. One run of each
comes first and does not count: it fills the file cache and writes byte code. The server publishes no contract, answers
at once, and runs on another core if there is one.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import servers
import table
from measure import MeasureError, find_cores, run


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", metavar="PYTHON", help="interpreter of the epkit to compare with")
    parser.add_argument("--own", metavar="PYTHON", default=sys.executable, help="interpreter to measure, default this")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds, default 15")
    options = parser.parse_args()
    # Not resolved: Python recognises a virtual environment by the link.
    sides = {"epkit": Path(options.own).absolute()}
    if options.base is not None:
        sides["base"] = Path(options.base).absolute()
    try:
        spent = _measure(sides, options.rounds)
    except MeasureError as error:
        print(error, file=sys.stderr)
        return 1
    rows = [(name, f"{median(found):.0f}", f"{min(found):.0f}") for name, found in spent.items()]
    print(table.markdown(("`epkit bench -n 10 URL`", "CPU ms, median", "least"), rows, left=1))
    if "base" in spent:
        ratio = median(spent["epkit"]) / median(spent["base"])
        print(f"\nepkit : base, medians of {options.rounds} rounds: {ratio:.2f}")
    return 0


def _measure(sides: dict[str, Path], rounds: int) -> dict[str, list[float]]:
    """Return the CPU of each run of each side, in ms."""
    cores, complaint = find_cores()
    if complaint is not None:
        print(complaint, file=sys.stderr)
    spent: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as directory, servers.waiting(cores, delay_ms=0) as server:
        arguments = ["-m", "epkit", "bench", "-n", "10", server.url]

        def once(python: Path) -> float:
            command = [str(python), *arguments]
            return run(command, core=cores.client, cwd=Path(directory), timeout_s=60).cpu_s * 1000

        for python in sides.values():
            once(python)
        for number in range(rounds):
            turns = list(sides.items())
            for name, python in turns if number % 2 else reversed(turns):
                spent[name].append(once(python))
    return spent


if __name__ == "__main__":
    sys.exit(main())
