"""The options of a training, and the plan that they make. Everything is checked before anything is read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from epkit.core.near import hint
from epkit.core.quantities import read_ns
from epkit.core.shortening import cut
from epkit.core.train import gates, threshold
from epkit.core.train.gates import GateExpression
from epkit.core.train.metrics import CLASSIFICATION, REGRESSION, canonical
from epkit.core.train.plan import Metric, TrainPlan
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.flows.train.reading import Table

MOST_RUNS: Final = 10_000
MOST_WORKERS: Final = 64
EXPORTS: Final = ("lightgbm", "onnx")
TASKS: Final = ("classification", "regression")
REPORT: Final = "train.json"
"""File name of the report, in the directory next to the model."""

RUN: Final = ".run"
"""Suffix of the name of that directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """The options of `epkit train`; its help explains each.

    Args:
        file: a path, a directory of Parquet files, a URL, or `-`.
        table: a table in memory, in place of *file*.
        encoding, decimal: how to read the text of the table.
        out: directory of the model; other files go to `OUT.run`.
        shown: name of that directory in the report; None: *out*.
        base: directory of the model in use.
        exports: some of `EXPORTS`.
    """

    file: str = ""
    label: str = ""
    table: "Table | None" = None
    out: str = "model"
    shown: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    task: str | None = None
    drop: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    positive: str | None = None
    metric: str | None = None
    runs: int = 85
    time_limit: str | None = None
    seed: int = 0
    folds: int = 5
    holdout: float | None = None
    group: str | None = None
    time: str | None = None
    test_size: float = 0.2
    threshold: str = "0.5"
    balanced: bool = False
    workers: int | None = None
    custom: tuple[str, ...] = ()
    cohorts: tuple[str, ...] | None = None
    pairs: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    base: str | None = None
    exports: tuple[str, ...] = ()
    overwrite: bool = False
    restart: bool = False


DEFAULTS: Final = TrainOptions()
"""The defaults, for Python and the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOrder:
    """The parsed options: the plan of the search, and the gates."""

    plan: TrainPlan
    gates: tuple[GateExpression, ...]


def order_of(options: TrainOptions) -> TrainOrder:
    """Parse the options.

    Raises:
        UsageError: an option is wrong; one line that names the flag.
    """
    _check_numbers(options)
    for flag, value, known in (
        ("--task", options.task, TASKS),
        *(("--export", each, EXPORTS) for each in options.exports),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{flag} {cut(value, 40)} must be one of {', '.join(known)}")
    _check_columns(options)
    expressions = tuple(gates.parse(text) for text in options.gates)
    if options.base is None and any(each.base for each in expressions):
        text = next(each.expression for each in expressions if each.base)
        raise UsageError(f"--gate {text}: compares with the model that is in use: name its directory with --base")
    task: Any = options.task
    return TrainOrder(
        gates=expressions,
        plan=TrainPlan(
            label=options.label,
            task=task,
            drop=options.drop,
            ids=options.ids,
            positive=options.positive,
            metric=None if options.metric is None else _metric(options.metric),
            runs=options.runs,
            time_limit_s=_time_limit_s(options.time_limit),
            seed=options.seed,
            folds=options.folds,
            holdout=options.holdout,
            group=options.group,
            time=options.time,
            test_size=options.test_size,
            threshold=threshold.parse(options.threshold),
            balanced=options.balanced,
            workers=options.workers or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1),
            custom=options.custom,
            cohorts=options.cohorts,
            pairs=tuple(_pair(text) for text in options.pairs),
            gates=options.gates,
        ),
    )


def _check_numbers(options: TrainOptions) -> None:
    for flag, value, least, most in (
        ("--runs", options.runs, 1, MOST_RUNS),
        ("--folds", options.folds, 2, 50),
        ("--seed", options.seed, 0, 2**31 - 1),
        ("--workers", options.workers or 1, 1, MOST_WORKERS),
    ):
        if not least <= value <= most:
            raise UsageError(f"{flag} {value}: must be from {least} to {most:,}")
    if not 0 <= options.test_size < 0.9:
        raise UsageError(f"--test-size {options.test_size:g}: must be a part of the rows: 0 for none, else below 0.9")
    if options.holdout is not None and not 0 < options.holdout < 0.9:
        raise UsageError(f"--holdout {options.holdout:g}: must be a part of the rows: above 0, below 0.9")


def _metric(text: str) -> Metric:
    name = canonical(text)
    known = [*CLASSIFICATION, *REGRESSION]
    if name not in known:
        raise UsageError(f"--metric {cut(text, 40)}: no metric: {hint(text, known, there='there are')}")
    return name


def _time_limit_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = read_ns(text) / 1e9
    except ValueError:
        seconds = 0.0
    if not seconds:
        raise UsageError(f"--time-limit {cut(text, 40)}: write a time as 90s, 10m or 1h")
    return seconds


def _check_columns(options: TrainOptions) -> None:
    """Refuse a column that two options name."""
    seen: dict[str, str] = {}
    named = [("--label", options.label), ("--group", options.group), ("--time", options.time)]
    named += [("--drop", name) for name in options.drop] + [("--id", name) for name in options.ids]
    for flag, name in named:
        if name is None:
            continue
        other = seen.setdefault(name, flag)
        if other != flag and {other, flag} != {"--group", "--id"}:
            raise UsageError(f'{flag} "{cut(name, 60)}" is also named by {other}: name a column only once')
    if options.group is not None and options.time is not None:
        raise UsageError("--group and --time contradict each other: each says which rows a model is judged on")
    if options.holdout is not None and options.folds != 5:
        raise UsageError("--holdout and --folds contradict each other: rows are judged in one part, or in folds")


def _pair(text: str) -> tuple[str, str]:
    first, colon, second = text.partition(":")
    if not colon or not first or not second or first == second:
        raise UsageError(f"--pairs {cut(text, 60)}: write two columns as A:B")
    return first, second


def run_directory(out: Path) -> Path:
    """Return the directory of the journal and the reports, next to the model."""
    return out.with_name(out.name + RUN)
