"""From a table to the input of a search: examples, test rows, folds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from epkit.core.train import columns, split
from epkit.core.train.columns import Learned
from epkit.core.train.curves import name_of
from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.report import DataInfo
from epkit.errors import UsageError
from epkit.flows.train.choosing import SearchRows
from epkit.flows.train.reading import Table
from epkit.learners.folds import folds

FEWEST_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingMaterial:
    """The input of a training.

    Args:
        test: places of the test rows in the examples; no choice uses them.
        warnings: one sentence each.
    """

    table: Table
    learned: Learned
    search: SearchRows
    test: np.ndarray
    warnings: tuple[str, ...]


def prepare(table: Table, plan: TrainPlan, check: Callable[[Examples], None]) -> TrainingMaterial:
    """Make examples, and split them.

    Args:
        check: raises an error if the options do not fit the examples; called before the folds, which take seconds.

    Raises:
        UsageError: the table is not usable; one line.
    """
    learned = columns.learn(table.frame, plan, table.name)
    examples = learned.examples
    check(examples)
    is_test = split.held_out(examples.hashes, plan.seed, plan.test_size, groups=examples.groups, order=examples.order)
    places, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if len(places) < FEWEST_ROWS and examples.groups is not None:
        count = len(np.unique(examples.groups))
        raise UsageError(
            f'--group "{plan.group}": {table.name} has {count:,} group{"s" * (count != 1)}, and {len(places)} rows are '
            "left to learn from where some are test rows: name a column with more values, or --test-size 0"
        )
    if len(places) < FEWEST_ROWS:
        raise UsageError(
            f"{table.name}: {len(places)} rows with a label are left to learn from, and {FEWEST_ROWS} are the fewest"
        )
    warnings = list(learned.warnings)
    if plan.test_size and not len(test):
        warnings.append("no row is a test row: the figures are those of the folds")
    found = folds(examples, places, plan)
    if found.warning is not None:
        warnings.append(found.warning)
    return TrainingMaterial(
        table=table,
        learned=learned,
        search=SearchRows.of(examples, places, found.pairs, plan),
        test=test,
        warnings=tuple(warnings),
    )


def data_of(table: Table, learned: Learned, test_rows: int) -> DataInfo:
    """Return the description of a table for the report."""
    examples = learned.examples
    label = examples.label
    counts: Mapping[str, int] = {}
    if label.task != "regression":
        counts = {
            name_of(label.class_of(k)): int((examples.y == k).sum())
            for k in sorted(range(len(label.classes)), key=lambda k: label.classes.index(label.class_of(k)))
        }
    return DataInfo(
        path=table.name,
        sha256=table.sha256,
        rows=len(examples),
        unlabelled=table.frame.height - len(examples),
        test_rows=test_rows,
        duplicates=learned.duplicates,
        label=label.name,
        task=label.task,
        positive=None if label.positive is None else name_of(label.classes[label.positive]),
        classes=counts,
        columns=learned.columns,
    )
