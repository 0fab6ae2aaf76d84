"""Measures `epkit train`, and prints Markdown tables: `python benchmarks/train.py [PART]…`.

    pip install ".[local,train]" && python benchmarks/train.py [course] [sets] [artefact] [memory] [tables] [peers]

Without a part, all parts except `tables` and `peers` are measured. `tables` uses five tables that need no download.
epkit and the installed AutoML libraries take turns at them. If a library has a separate environment, name its
interpreter with `--python FLAML=…/bin/python`. `course` and `peers` need the course's table (`--table`, a CSV file with
the label `y`). If it is missing, they are left out, and a line says so; `artefact` then uses a generated table.
Everything runs on one core. CPU is that of a process and of all processes that it started. `--quick` uses fewer runs,
splits and rows.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final

import numpy as np
from table import markdown
from train_peers import ON_TABLES, PEERS

HERE: Final = Path(__file__).parent
COURSE: Final = HERE.parent.parent / "shared" / "data" / "bank-marketing" / "bankmarketing_train.csv.gz"
GOALS: Final = {"accuracy": 0.91866, "AUC": 0.94615}
"""Figures of the course's best run on one holdout of a tenth."""

PARTS: Final = ("course", "sets", "artefact", "memory", "tables", "peers")
BUDGET_S: Final = 120


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--table", type=Path, default=COURSE, help="the course's table")
    parser.add_argument("--quick", action="store_true", help="few runs, one split, a tenth of the rows")
    parser.add_argument(
        "--budget", type=int, metavar="SECONDS", help=f"wall time for each of peers: {BUDGET_S}; more if it is busy"
    )
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH", help="the interpreter that has the library NAME"
    )
    parser.add_argument("--only", action="append", metavar="TABLE", help="a table of the part `tables`; default: all")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="divisions of the rows in the part `tables`")
    options = parser.parse_args()
    parts = options.parts or PARTS[:-2]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part: {', '.join(unknown)}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="epkit-benchmark-") as name:
        scratch = Path(name)
        for part in parts:
            if part in ("course", "peers") and not options.table.exists():
                print(f"{part}: {options.table} is missing, and left out", file=sys.stderr)
                continue
            print(f"measuring {part}", file=sys.stderr)
            if part == "tables":
                tables(scratch, options)
            elif part == "peers":
                peers(scratch, options.table.resolve(), options.budget or (20 if options.quick else BUDGET_S))
            else:
                MEASURED[part](scratch, options.table.resolve(), options.quick)
            sys.stdout.flush()
    return 0


def course(scratch: Path, table: Path, quick: bool) -> None:
    """Judge the model that a search chose, and LightGBM's default, on splits that the search did not use."""
    runs, splits = (10, 1) if quick else (85, 10)
    done = trained(scratch, table, "y", "model", "--runs", runs, "--test-size", 0)
    report = done["report"]
    examples = examples_of(table, "y")
    by_run = {run["run"]: run for run in report["runs"]}
    chosen = [(member["weight"], by_run[member["run"]]) for member in report["best"]["members"]]
    peers = {
        "chosen by the search": lambda rows, train: margins(chosen, examples, rows, train),
        "run 3, the first boosted": lambda rows, train: margins([(1.0, by_run[3])], examples, rows, train),
        "run 2, linear": lambda rows, train: margins([(1.0, by_run[2])], examples, rows, train),
        "LightGBM's default": lambda rows, train: default_margins(examples, rows, train),
    }
    lines, first = [], np.empty(0)
    for name, answer in peers.items():
        figures = []
        began = time.process_time()
        answer(np.arange(1), np.arange(len(examples)))
        cost = time.process_time() - began
        for split in range(splits):
            out = np.empty(len(examples))
            for train, valid in five_folds(examples.y, split):
                out[valid] = answer(valid, train)
            figures.append(figures_of(examples.y, out))
            first = out if not len(first) else first
        lines.append((name, *(f"{mean(each[key] for each in figures):.4f}" for key in GOALS), f"{cost:.1f}"))
    print(f"\n{len(examples):,} rows, mean of {splits} five-fold splits\n")
    print(shown(("model", "accuracy", "AUC", "CPU s of one fit"), lines))
    print(f"\nThe search of {runs} runs took {done['cpu_s']:.0f} CPU s, {done['wall_s']:.0f} s.\n")
    print_holdouts(examples.y, first)
    print_arrays(chosen, examples)
    leaks = {leak["column"]: leak["without"] for leak in report["leaks"] if leak["without"]}
    for column, figure in leaks.items():
        low, high = figure["ci95"]
        print(f"Without `{column}`: {report['metric']} {figure['value']:.4f} ({low:.4f} to {high:.4f}).")


def print_holdouts(y: np.ndarray, out: np.ndarray, draws: int = 2000) -> None:
    """Print how often one and the same model reaches the course's figures on a random tenth of the rows."""
    draw = np.random.default_rng(0)
    reached = dict.fromkeys(GOALS, 0)
    for _ in range(draws):
        rows = draw.choice(len(y), len(y) // 10, replace=False)
        for key, value in figures_of(y[rows], out[rows]).items():
            reached[key] += value >= GOALS[key]
    lines = [(key, f"{goal:.5f}", f"{reached[key] / draws:.1%}") for key, goal in GOALS.items()]
    print(shown(("figure", "of the course", f"part of {draws:,} random tenths that reach it"), lines), end="\n\n")


def print_arrays(members: Sequence[tuple[float, Mapping[str, Any]]], examples: Any) -> None:
    """Print how far the deployed arrays deviate from LightGBM's results, on all rows and on damaged ones."""
    from epkit.served.model import combine
    from epkit.served.model import margins as served

    fitted = [(weight, fit(run, examples, np.arange(len(examples)))) for weight, run in members]
    arrays = combine([(weight, each.arrays()) for weight, each in fitted])
    draw = np.random.default_rng(0)
    damaged = examples.matrix.copy()
    damaged[draw.random(damaged.shape) < 0.1] = np.nan  # missing numbers, and unknown categories
    for name, matrix in (("as they are", examples.matrix), ("a tenth of the values missing or unseen", damaged)):
        wanted = sum(weight * each.margins(matrix) for weight, each in fitted)
        print(
            f"Arrays and LightGBM, {len(matrix):,} rows, {name}: {np.abs(served(arrays, matrix) - wanted).max():.1e}\n"
        )


def sets(scratch: Path, _: Path, quick: bool) -> None:
    """Compare the chosen model with LightGBM's default on rows new to both, on data sets without a download."""
    import polars as pl

    seeds, runs = (range(2), 6) if quick else (range(5), 25)
    lines = []
    for name, (frame, metric) in public_sets().items():
        path = scratch / f"{name}.parquet"
        frame.write_parquet(path)
        own, theirs = [], []
        for seed in seeds:
            out = f"{name}-{seed}"
            trained(scratch, path, "label", out, "--runs", runs, "--seed", seed, "--metric", metric)
            said = pl.read_parquet(scratch / f"{out}.run" / "predictions.parquet")
            test = (said.filter(pl.col("judged") == "test")["row"] - 1).to_numpy()
            report = json.loads((scratch / f"{out}.run" / "train.json").read_bytes())
            own.append(report["test"]["metrics"][metric]["value"])
            theirs.append(default_figure(frame, test, metric))
        differences = [one - other for one, other in zip(own, theirs, strict=True)]
        half = T_95[len(differences)] * stdev(differences) / len(differences) ** 0.5
        middle = mean(differences)
        sure = f"{middle:+.4f} ({middle - half:+.4f} to {middle + half:+.4f})"
        lines.append((name, frame.height, metric, f"{mean(own):.4f}", f"{mean(theirs):.4f}", sure))
    print(f"\nTest rows (a fifth) of {len(seeds)} seeds, {runs} runs each\n")
    print(shown(("set", "rows", "metric", "epkit", "LightGBM's default", "difference, 95 % interval"), lines))


T_95: Final = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's 97.5 % quantile, by the number of differences."""


def tables(scratch: Path, options: argparse.Namespace) -> None:
    """Run epkit and its peers on tables in turns: the same rows, the same seconds, one core each."""
    pythons = dict.fromkeys(ON_TABLES, sys.executable) | dict(each.split("=", 1) for each in options.python)
    there = [name for name, (module, _) in ON_TABLES.items() if _has(pythons[name], module)]
    for name in set(ON_TABLES) - set(there):
        print(f"{name} is not installed, and left out (--python {name}=PATH)", file=sys.stderr)
    lines = []
    for table, (task, metric, budget_s, make) in TABLES.items():
        if options.only and table not in options.only:
            continue
        budget_s = options.budget or budget_s
        frame, found = make(), {name: [] for name in there}
        seeds = 1 if options.quick or frame.height >= 1_000_000 else options.seeds
        for seed in range(seeds):
            test = np.random.default_rng(seed).permutation(frame.height) < frame.height // 5
            for rows, part in ((~test, "train"), (test, "test")):
                frame.filter(rows).write_csv(scratch / f"{part}.csv", float_precision=6)
            turns = [*there[seed % len(there) :], *there[: seed % len(there)]]
            for name in turns:
                print(f"{table}, seed {seed}: {name}", file=sys.stderr)
                out = scratch / f"{table}-{name}-{seed}".replace(" ", "-")
                words = [pythons[name], "-c", ON_TABLES[name][1], "train.csv", "test.csv", out, task, metric]
                found[name].append(_measured([*words, budget_s, seed], scratch, 30 * budget_s + 300))
        lines += [_table_line(table, frame.height, name, found) for name in there]
    header = ("table", "rows", "library", "figures on a fifth", "less epkit, 95 % interval", "CPU s", "of epkit's",
              "peak", "model")  # fmt: skip
    print("\n" + shown(header, lines))


def _has(interpreter: str, module: str) -> bool:
    found = subprocess.run([interpreter, "-c", f"import {module}"], capture_output=True, timeout=120)
    return found.returncode == 0


def _table_line(table: str, rows: int, name: str, found: Mapping[str, list[dict[str, Any]]]) -> Sequence[str]:
    """Format the result of a library for a table."""
    own, first = found[name], found["epkit"]
    shown_figures, differences = [], []
    for metric in own[0]["report"]["figures"]:
        values = [one["report"]["figures"][metric] for one in own]
        apart = [value - one["report"]["figures"][metric] for value, one in zip(values, first, strict=True)]
        shown_figures.append(f"{metric} {mean(values):.4f}")
        half = T_95[len(apart)] * stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else None
        about = "" if half is None else f" ({mean(apart) - half:+.4f} to {mean(apart) + half:+.4f})"
        differences.append(f"{mean(apart):+.4f}{about}")
    cpu, base = mean(one["cpu_s"] for one in own), mean(one["cpu_s"] for one in first)
    return (
        table, f"{rows:,}", name, ", ".join(shown_figures), "" if name == "epkit" else ", ".join(differences),
        f"{cpu:.0f}", f"{cpu / base:.2f}", f"{mean(one['peak_bytes'] for one in own) / 2**20:,.0f} MiB",
        f"{mean(one['report']['bytes'] for one in own) / 2**10:,.0f} KiB",
    )  # fmt: skip


def artefact(scratch: Path, table: Path, quick: bool) -> None:
    """Time the written model: its loading, its predictions in process, and behind the genuine server."""
    if not table.exists():
        table = scratch / "bank.csv"
        epkit(scratch, "init", "--sample", table)
    done = trained(scratch, table, "y", "served", "--runs", 4 if quick else 20)
    size = sum(done["report"]["artefact"]["bytes"].values())
    code = (
        "import json, time; began = time.perf_counter()\n"
        "from epkit.served.model import Model\n"
        "m = Model.load('served'); loaded = time.perf_counter() - began\n"
        "row = m.card['example']\n"
        "def ask(n):\n"
        "    columns = {name: [value] * n for name, value in row.items()}\n"
        "    times = []\n"
        "    for _ in range(30):\n"
        "        at = time.perf_counter(); m.predict(columns); times.append(time.perf_counter() - at)\n"
        "    return sorted(times)[15] * 1e3\n"
        "print(json.dumps([loaded * 1e3, ask(2), ask(1000), row]))"
    )
    load_ms, two_ms, thousand_ms, row = json.loads(python(scratch, "-c", code))
    shutil.copy(HERE.parent / "payloads" / "bank-two-rows.json", scratch / "two.json")
    (scratch / "thousand.json").write_text(json.dumps({"data": [row] * 1000}))
    epkit(scratch, "deploy", "create", "served", "--model", "served", "--entry", "score.py", "--backend", "local")
    try:
        served = {}
        for name, count in (("two", 500), ("thousand", 30)):
            said = epkit(scratch, "bench", "-n", count, "-p", f"{name}.json", "--format", "json", "-q", "served")
            served[name] = json.loads(said)["latency_ms"]["service"]["median"]
    finally:
        epkit(scratch, "deploy", "delete", "served", "--backend", "local")
    members = len(done["report"]["best"]["members"])
    lines = [
        ("files", f"{size / 1024:.0f} KiB, {members} member(s)", ""),
        ("loaded in a fresh process, numpy included", f"{load_ms:.0f} ms", ""),
        ("2 rows, p50", f"{two_ms:.2f} ms", f"{served['two']:.2f} ms"),
        ("1,000 rows, p50", f"{thousand_ms:.1f} ms", f"{served['thousand']:.1f} ms"),
    ]
    print("\n" + shown(("", "in process", "behind the genuine server"), lines))


def memory(scratch: Path, _: Path, quick: bool) -> None:
    """Train on a large table, and measure the greatest memory of all processes of the training together."""
    import polars as pl

    rows = 100_000 if quick else 1_000_000
    draw = np.random.default_rng(0)
    columns = {f"c{place}": draw.normal(size=rows) for place in range(20)}
    yes = columns["c0"] + columns["c1"] * columns["c2"] + draw.normal(size=rows) > 1
    pl.DataFrame(columns | {"y": np.where(yes, "yes", "no")}).write_parquet(scratch / "large.parquet")
    del columns, yes
    done = trained(scratch, scratch / "large.parquet", "y", "large", "--runs", 3, "--holdout", 0.1)
    figure = done["report"]["test"]["metrics"]["AUC"]["value"]
    lines = [(f"{rows:,} × 20", f"{done['peak_bytes'] / 2**30:.2f} GiB", f"{done['wall_s']:.0f}", f"{figure:.4f}")]
    print("\n" + shown(("rows", "peak of all processes", "seconds of 3 runs", "AUC"), lines))


def peers(scratch: Path, table: Path, budget_s: int) -> None:
    """Run epkit and AutoML libraries, each in its own environment, with the same seconds on the same fold."""
    lines = []
    for name, (packages, script) in PEERS.items():
        home = scratch / name
        venv.create(home, with_pip=True)
        own = home / "bin" / "python"
        subprocess.run([own, "-m", "pip", "install", "-q", *packages], check=True, timeout=1800)
        weight = sum(path.lstat().st_size for path in home.rglob("*") if path.is_file())
        began = os.times()
        said = subprocess.run(
            [own, "-c", script, str(table), str(budget_s), str(scratch / f"{name}-model")],
            stdout=subprocess.PIPE, check=True, timeout=20 * budget_s, cwd=scratch,
        )  # fmt: skip
        ended = os.times()
        cpu = ended.children_user + ended.children_system - began.children_user - began.children_system
        found = json.loads(said.stdout.splitlines()[-1])
        lines.append(
            (name, f"{found['AUC']:.4f}", f"{found['accuracy']:.4f}", f"{cpu:.0f}", f"{weight / 2**20:,.0f} MiB",
             f"{found['bytes'] / 2**20:.1f} MiB")
        )  # fmt: skip
    print("\n" + shown(("library", "AUC", "accuracy", "CPU s", "environment", "model"), lines))


MEASURED: Final = {"course": course, "sets": sets, "artefact": artefact, "memory": memory}


def trained(scratch: Path, table: Path, label: str, out: str, *options: object) -> dict[str, Any]:
    """Run `epkit train`; return its report and its cost."""
    command = [sys.executable, "-m", "epkit", "train", table, "--label", label, "-o", out, "--workers", 1, "-q"]
    return _measured([*command, "--format", "json", *options], scratch, 24 * 3600)


def _measured(command: Sequence[object], scratch: Path, most_s: float) -> dict[str, Any]:
    """Run a command whose last line of output is JSON; return this line as `report`, and the cost."""
    began = time.perf_counter()
    own = os.environ | {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    with (
        tempfile.TemporaryFile() as stdout,
        subprocess.Popen([str(word) for word in command], cwd=scratch, stdout=stdout, env=own) as process,
    ):
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - began > most_s:
                process.kill()
            peak = max(peak, held_bytes(process.pid))
            time.sleep(0.5)  # to measure memory, the kernel walks through all of it
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}")
        stdout.seek(0)
        found = stdout.read()
        report = json.loads(found if found.startswith(b"{") else found.splitlines()[-1])
    cost = {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": time.perf_counter() - began, "peak_bytes": peak}
    return {"report": report, **cost}


def held_bytes(pid: int) -> int:
    """Return the memory of a process and its children in bytes, shared pages counted once: Linux's `Pss`, or 0."""
    found = 0
    try:
        for each in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            found += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    except OSError:  # a process that has just ended
        pass
    return found


def examples_of(table: Path, label: str) -> Any:
    """Return the table in the form for learners."""
    import polars as pl

    from epkit.core.train.columns import learn
    from epkit.core.train.plan import TrainPlan

    return learn(pl.read_csv(table), TrainPlan(label=label)).examples


def five_folds(y: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split rows into five folds."""
    from sklearn.model_selection import StratifiedKFold

    return iter(StratifiedKFold(5, shuffle=True, random_state=1000 + seed).split(y, y))


def margins(
    members: Sequence[tuple[float, Mapping[str, Any]]], examples: Any, rows: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """Fit runs on some rows as epkit does; return the margins of other rows."""
    out = np.zeros(len(rows))
    for weight, run in members:
        out += weight * fit(run, examples, train).margins(examples.matrix[rows])[:, 0]
    return out


def fit(run: Mapping[str, Any], examples: Any, rows: np.ndarray) -> Any:
    """Fit a run on some rows as epkit does."""
    from epkit.core.train.plan import Candidate, TrainPlan
    from epkit.flows.train.search import refit

    candidate = Candidate(run=run["run"], family=run["family"], parameters=run["parameters"])
    return refit(candidate, examples, rows, run["rounds"], TrainPlan(label="y"))


def default_margins(examples: Any, rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Fit LightGBM with its default parameters; return the margins of other rows."""
    import lightgbm

    categorical = [place for place, feature in enumerate(examples.features) if feature.categories]
    data = lightgbm.Dataset(examples.matrix[train], examples.y[train], categorical_feature=categorical)
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 100)
    return np.asarray(booster.predict(examples.matrix[rows], raw_score=True))


def figures_of(y: np.ndarray, out: np.ndarray) -> dict[str, float]:
    """Return accuracy at 0.5 and AUC of margins."""
    from sklearn.metrics import roc_auc_score

    return {"accuracy": float(((out > 0) == y).mean()), "AUC": float(roc_auc_score(y, out))}


def _of_sklearn(load: str) -> Any:
    import polars as pl
    from sklearn import datasets

    matrix, y = getattr(datasets, load)(return_X_y=True)
    return pl.DataFrame({f"c{place}": matrix[:, place] for place in range(matrix.shape[1])} | {"label": y})


def _million() -> Any:
    """Return 1,000,000 rows of 20 numbers; three of the numbers determine the label."""
    import polars as pl

    draw = np.random.default_rng(0)
    columns = {f"c{place}": draw.normal(size=1_000_000) for place in range(20)}
    yes = columns["c0"] + columns["c1"] * columns["c2"] + draw.normal(size=1_000_000) > 1
    return pl.DataFrame(columns | {"label": yes.astype(np.int64)})


TABLES: Final[dict[str, tuple[str, str, int, Any]]] = {
    "breast cancer": ("binary", "AUC", 10, lambda: _of_sklearn("load_breast_cancer")),
    "wine": ("multiclass", "log_loss", 10, lambda: _of_sklearn("load_wine")),
    "digits": ("multiclass", "log_loss", 30, lambda: _of_sklearn("load_digits")),
    "diabetes": ("regression", "r2", 10, lambda: _of_sklearn("load_diabetes")),
    "made": ("binary", "AUC", 60, _million),
}
"""For each table: its task, the metric that chooses the model, and the seconds for each library."""


def public_sets() -> dict[str, tuple[Any, str]]:
    """Return tables with the column `label`, and the metric of each."""
    import polars as pl
    from sklearn import datasets

    def table(matrix: np.ndarray, y: np.ndarray) -> Any:
        return pl.DataFrame({f"c{place}": matrix[:, place] for place in range(matrix.shape[1])} | {"label": y})

    found = {}
    for name, load in (("breast cancer", datasets.load_breast_cancer), ("wine", datasets.load_wine),
                       ("digits", datasets.load_digits)):  # fmt: skip
        found[name] = (table(*load(return_X_y=True)), "accuracy")
    found["diabetes"] = (table(*datasets.load_diabetes(return_X_y=True)), "r2")
    matrix, y = datasets.make_classification(3000, 20, n_informative=8, flip_y=0.05, random_state=0)
    found["made"] = (table(matrix, y), "accuracy")
    return found


def default_figure(frame: Any, test: np.ndarray, metric: str) -> float:
    """Return the figure of LightGBM's default on the test rows."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    matrix, y = frame.drop("label").to_numpy(), frame["label"].to_numpy()
    train = np.setdiff1d(np.arange(len(y)), test)
    model = (LGBMRegressor if metric == "r2" else LGBMClassifier)(n_jobs=1, verbosity=-1)
    return float(model.fit(matrix[train], y[train]).score(matrix[test], y[test]))


def shown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table whose first column is text."""
    return markdown(header, [[str(cell) for cell in row] for row in rows], left=1)


def epkit(scratch: Path, *arguments: object) -> str:
    """Run a command of epkit; return its output."""
    return python(scratch, "-m", "epkit", *arguments)


def python(scratch: Path, *arguments: object) -> str:
    """Run this Python; return its output."""
    command = [sys.executable, *map(str, arguments)]
    own = os.environ | {"HOME": str(scratch), "XDG_STATE_HOME": ""}  # deployments here must not affect the user's
    done = subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.PIPE, text=True, timeout=600, env=own)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
