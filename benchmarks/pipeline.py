"""Measures the cost of `epkit pipeline run` without the work of its steps, and prints Markdown tables.

    pip install ".[local,train]" && python benchmarks/pipeline.py [--rounds N]

The script runs a pipeline of the sample's 8,000 rows once, up to the watched endpoint on this machine. Then everything
is reused: by the command in a separate process, and by its steps one by one. Each round is a new process. The cost of
the sequence in a first run is the time outside of its steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from measure import environment, run
from table import markdown

STEPS: Final = ("data", "train", "gate", "deploy", "prove", "bench", "switch", "watch")
TRAIN: Final = "train = { runs = 4, workers = 1 }"
GOALS: Final = {"step_ms": 10.0, "run_s": 1.0, "sequence": 0.01}

TIMED: Final = """
import json, os, time
from pathlib import Path
from epkit.flows.context import Context
from epkit.flows.pipeline.pipeline import PipelineOptions, run
from epkit.flows.pipeline.registry import STEPS

inside = 0.0

class Timed:
    def __init__(self, step):
        self.step, self.name, self.undo = step, step.name, step.undo

    def key(self, before, world):
        global at
        if self.name == "data":  # what goes before is the beginning of the run
            at = time.perf_counter()
        return self.step.key(before, world)

    def run(self, before, world):
        global inside
        began = time.perf_counter()
        try:
            return self.step.run(before, world)
        finally:
            inside += time.perf_counter() - began

found = []
for _ in range(2):
    inside, times = 0.0, []
    began = at = time.perf_counter()
    cpu = time.process_time()

    def show(result):
        global at
        now = time.perf_counter()
        times.append([result.step, result.state, (now - at) * 1e3])
        at = now

    context = Context(environ=dict(os.environ), cwd=Path.cwd())
    options = PipelineOptions(by="benchmark")
    ran = run("bank", options, context, show=show, say=lambda _: None, steps=tuple(map(Timed, STEPS)))
    assert ran.exit_code == 0, ran.reason
    whole = time.perf_counter() - began
    found.append({"steps": times, "whole_s": whole, "inside_s": inside, "cpu_s": time.process_time() - cpu})
print(json.dumps(found))
"""
"""Runs the pipeline twice in one process: before anything is imported, and after everything is."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="epkit-benchmark-") as name:
        scratch = Path(name)
        own = environment(HOME=name, XDG_STATE_HOME="")  # deployments here must not affect the user's
        _project(scratch, own)
        try:
            first = timed(scratch, own)
            reused = [timed(scratch, own) for _ in range(options.rounds)]
            commands = [command(scratch, own, "run", "bank") for _ in range(options.rounds)]
            starts = [command(scratch, own, "list", "--help") for _ in range(options.rounds)]
        finally:
            epkit(scratch, own, "deploy", "delete", "bank", "--backend", "local")
    print_steps(reused)
    print_whole(first[0], commands, starts)
    return 0


def print_steps(rounds: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Print the cost of a step that is reused, or that is skipped because the endpoint serves the model already."""
    lines = []
    for place, step in enumerate(STEPS):
        cold, warm = ([each[run]["steps"][place] for each in rounds] for run in (0, 1))
        times = [[one[2] for one in side] for side in (cold, warm)]
        lines.append((step, cold[0][1], *(f"{median(side):.1f} ({min(side):.1f})" for side in times)))
    print("\nA step of a run in which everything is reused: ms, median and least\n")
    print(shown(("step", "state", "first run of a process", "second"), lines))
    print(f"\nGoal: a step that is reused takes under {GOALS['step_ms']:g} ms.")


def print_whole(
    first: Mapping[str, Any], commands: Sequence[Sequence[float]], starts: Sequence[Sequence[float]]
) -> None:
    """Print the cost of the whole command, and the cost of the sequence in a run that does every step."""
    lines = []
    for name, found in (("epkit pipeline run bank", commands), ("epkit pipeline list --help", starts)):
        cpu_s, wall_s = zip(*found, strict=True)
        lines.append((name, *(f"{median(each):.2f} ({min(each):.2f})" for each in (cpu_s, wall_s))))
    print("\nThe whole command, everything reused: s, median and least\n")
    print(shown(("command", "CPU", "wall"), lines))
    print(f"\nGoal: `run` takes under {GOALS['run_s']:g} s.")
    added_s = first["whole_s"] - first["inside_s"]
    print(
        f"\nA first run took {first['whole_s']:.1f} s, {first['inside_s']:.1f} s of it in its steps: the sequence "
        f"added {added_s * 1e3:.0f} ms, {added_s / first['inside_s']:.2%}. Goal: under {GOALS['sequence']:.0%}."
    )


def _project(scratch: Path, own: Mapping[str, str]) -> None:
    epkit(scratch, own, "init", "--sample", "bank.csv")
    epkit(scratch, own, "pipeline", "init", "bank", "bank.csv", "--label", "y")
    path = scratch / "epkit.toml"
    path.write_text(path.read_text().replace("train = { runs = 30 }", TRAIN))


def timed(scratch: Path, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run the pipeline twice in a new process; return the measurements of both runs."""
    found: list[dict[str, Any]] = json.loads(_python(scratch, own, "-c", TIMED))
    return found


def command(scratch: Path, own: Mapping[str, str], *arguments: str) -> tuple[float, float]:
    """Return CPU and wall seconds of a command."""
    program = [sys.executable, "-m", "epkit", "pipeline", *arguments]
    done = run(program, core=None, cwd=scratch, timeout_s=120, env=dict(own))
    return done.cpu_s, done.wall_s


def epkit(scratch: Path, own: Mapping[str, str], *arguments: str) -> str:
    """Run a command of epkit; return its output."""
    return _python(scratch, own, "-m", "epkit", *arguments)


def _python(scratch: Path, own: Mapping[str, str], *arguments: str) -> str:
    program = [sys.executable, *arguments]
    done = subprocess.run(program, cwd=scratch, check=True, stdout=subprocess.PIPE, text=True, timeout=600, env=own)
    return done.stdout


def shown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first columns are text."""
    return markdown(header, rows, left=1)


if __name__ == "__main__":
    raise SystemExit(main())
