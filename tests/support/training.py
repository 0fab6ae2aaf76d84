"""Small tables for trainings."""

from pathlib import Path

import numpy as np

from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples, Feature, Label, Task
from epkit.core.train.progress import Progress
from epkit.files.training import TrainingJournal
from epkit.flows.train.search import Searched, search
from epkit.learners.folds import folds


def examples(task: Task, rows: int = 240, *, seed: int = 0, groups: int = 0, timed: bool = False) -> Examples:
    """Make a table of two numbers, one of them with missing values, a category, and noise.

    Args:
        groups: number of groups; 0 for none.
        timed: whether the rows have an order in time, which differs from that of the table.
    """
    draw = np.random.default_rng((seed, rows))
    matrix = draw.normal(size=(rows, 4))
    matrix[:, 2] = draw.integers(0, 5, rows)
    signal = matrix[:, 0] + np.array([-2.0, 1.0, 0.0, 2.0, -1.0])[matrix[:, 2].astype(int)] + matrix[:, 1] ** 2
    noisy = signal + draw.normal(scale=0.5, size=rows)
    matrix[draw.random(rows) < 0.1, 1] = np.nan
    if task == "regression":
        y, label = 1e6 + 250.0 * noisy, Label(name="y", task=task)
    else:
        classes: tuple[str, ...] = ("no", "yes") if task == "binary" else ("a", "b", "c")
        y = np.searchsorted(np.quantile(noisy, np.arange(1, len(classes)) / len(classes)), noisy).astype(np.int64)
        label = Label(name="y", task=task, classes=classes, positive=1 if task == "binary" else None)
    names = ("x", "holey", "kind", "noise")
    return Examples(
        label=label,
        card_columns=(),
        features=tuple(Feature(name=name, column=name, categories=5 if name == "kind" else 0) for name in names),
        matrix=matrix,
        y=y,
        groups=draw.integers(0, groups, rows) if groups else None,
        order=draw.permutation(rows).astype(np.float64) if timed else None,
        hashes=draw.integers(0, 1 << 63, rows).astype(np.uint64),
        texts={},
    )


def searched(directory: Path, table: Examples, plan: TrainPlan, *, restart: bool = False) -> Searched:
    """Run a complete search without output."""
    rows = np.arange(len(table))

    def show(progress: Progress) -> None:
        del progress

    with TrainingJournal(directory, restart=restart) as journal:
        return search(table, rows, folds(table, rows, plan).pairs, plan, journal, show=show, stopped=lambda: False)


def fingerprint(found: Searched) -> list[tuple[object, ...]]:
    """Return the values that must be equal in two equal searches."""
    return [
        (
            each.candidate,
            each.state,
            each.rounds,
            each.median,
            each.error,
            None if each.margins is None else each.margins.tobytes(),
        )
        for each in found.tried
    ]
