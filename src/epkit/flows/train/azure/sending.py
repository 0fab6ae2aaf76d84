"""Prepares the table for Azure, as an MLTable: the columns to learn from, without the test rows."""

import re
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

import epkit
from epkit.core.hosting.azure_jobs import JobOrder
from epkit.core.train import card as cards
from epkit.core.train import columns, gates, split
from epkit.core.train.azure import (
    METRICS,
    check_algorithms,
    check_metric,
    check_time,
    task_of,
)
from epkit.core.train.columns import Learned
from epkit.core.train.job_record import JobRecord, tags_of
from epkit.core.train.plan import TrainPlan
from epkit.core.train.report import Best, DataInfo
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.train.azure.options import AzureOptions, AzureTrainOrder
from epkit.flows.train.examples import FEWEST_ROWS, data_of
from epkit.flows.train.options import TrainOptions
from epkit.flows.train.reading import Table, read_table
from epkit.flows.train.unseen import column_names

if TYPE_CHECKING:
    import polars as pl

EXPERIMENT: Final = "epkit-train"
LONGEST_STEM: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sendable:
    """A table, prepared for a job.

    Args:
        sent: the rows and columns that Azure gets.
        test: the rows that Azure does not get, with all columns.
        texts: columns of *sent* that are texts, whatever they look like.
        metric: epkit's name of the metric that chooses.
        blocked: Azure's names of algorithms that are not tried.
        stem: base of the names of the job and the model.
    """

    data: DataInfo
    learned: Learned
    plan: TrainPlan
    sent: "pl.DataFrame"
    test: "pl.DataFrame"
    texts: tuple[str, ...]
    metric: str
    blocked: tuple[str, ...]
    timeout_minutes: int | None
    warnings: tuple[str, ...]
    stem: str

    @property
    def validated_rows(self) -> int:
        """Number of rows from which Azure computes its metrics: all rows, or the holdout."""
        holdout = self.plan.holdout
        return self.sent.height if holdout is None else round(self.sent.height * holdout)


def prepare_table(
    options: TrainOptions, azure: AzureOptions, order: AzureTrainOrder, context: Context, stdin: BinaryIO
) -> Sendable:
    """Read the table, set the test rows apart, and check that Azure supports the options.

    Raises:
        UsageError: the table is not usable, or an option does not fit it.
    """
    table = options.table or read_table(
        options.file, stdin, context, encoding=options.encoding, decimal=options.decimal
    )
    learned = columns.learn(table.frame, order.plan, table.name)
    examples = learned.examples
    task = task_of(examples.label.task)
    metric = next(iter(METRICS[task])) if order.plan.metric is None else check_metric(order.plan.metric, task)
    gates.check(order.gates, examples.label, column_names(examples), base=False)
    is_test = split.held_out(examples.hashes, order.plan.seed, order.plan.test_size)
    left = int((~is_test).sum())
    if left < FEWEST_ROWS:
        raise UsageError(
            f"{table.name}: {left} rows with a label are left to learn from, and {FEWEST_ROWS} are the fewest"
        )
    sent, texts = _sent(table, learned, np.flatnonzero(~is_test))
    check_time(order.timeout_minutes, sent.height, sent.width)
    return Sendable(
        data=data_of(table, learned, int(is_test.sum())),
        learned=learned,
        plan=replace(order.plan, metric=metric),
        sent=sent,
        test=table.frame[learned.rows[is_test]],
        texts=texts,
        metric=metric,
        blocked=check_algorithms(azure.blocked, task),
        timeout_minutes=order.timeout_minutes,
        warnings=learned.warnings,
        stem=_stem(table.name),
    )


def _sent(table: Table, learned: Learned, places: np.ndarray) -> tuple["pl.DataFrame", tuple[str, ...]]:
    """Return the frame for Azure, and the names of its text columns."""
    import polars as pl

    examples, rows = learned.examples, learned.rows[places]
    numbers = {feature.column: at for at, feature in enumerate(examples.features) if feature.column == feature.name}
    found, texts = [], []
    for column in examples.card_columns:
        name = column["name"]
        series = table.frame.get_column(name)[rows]
        if series.dtype == pl.String and column["kind"] == "number":
            # A word means a missing number.
            series = pl.Series(name, examples.matrix[places, numbers[name]]).fill_nan(None)
        elif series.dtype == pl.String and column["kind"] == "category":
            texts.append(name)
        found.append(series)
    label = table.frame.get_column(examples.label.name)[rows]
    if label.dtype == pl.String and examples.label.task == "regression":
        label = pl.Series(examples.label.name, examples.y[places])
    elif label.dtype == pl.String:
        texts.append(label.name)
    return pl.DataFrame([*found, label]), tuple(texts)


def record_for(sendable: Sendable, azure: AzureOptions, workspace: str) -> JobRecord:
    """Choose the name of a job, and make its record."""
    data, plan, metric = sendable.data, sendable.plan, sendable.metric
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items()}
    shown = {key: value for key, value in plain.items() if key not in ("threshold", "gates", "workers")}
    return JobRecord(
        job=f"epkit-{sendable.stem}-{secrets.token_hex(4)}",
        workspace=workspace,
        model=sendable.stem,
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        metric=metric,
        data=data,
        plan={**shown, "backend": "azureml", "compute": azure.compute, "block": list(sendable.blocked)},
        validated_rows=sendable.validated_rows,
        card=_card(sendable),
        warnings=sendable.warnings,
        gates=plan.gates,
    )


def order_for(record: JobRecord, sendable: Sendable, azure: AzureOptions, data: Path, concurrent: int) -> JobOrder:
    """Make the description of a job.

    Args:
        data: directory of the MLTable.
        concurrent: number of trials that run at a time.
    """
    label, plan = sendable.learned.examples.label, sendable.plan
    task = task_of(label.task)
    assert azure.compute is not None
    return JobOrder(
        name=record.job,
        experiment=EXPERIMENT,
        compute=azure.compute,
        data=str(data),
        task=task,
        label=label.name,
        metric=METRICS[task][sendable.metric],
        positive=None if label.positive is None else str(sendable.data.positive),
        folds=plan.folds if plan.holdout is None else None,
        holdout=plan.holdout,
        trials=plan.runs,
        timeout_minutes=sendable.timeout_minutes,
        concurrent=concurrent,
        blocked=sendable.blocked,
        tags=tags_of(record, epkit.__version__),
    )


def steps_of(order: JobOrder, sendable: Sendable, azure: AzureOptions) -> tuple[dict[str, Any], ...]:
    """Return what would be sent, step by step."""
    make = {} if azure.create_compute is None else {"size": azure.create_compute, "unless": "it is there"}
    return (
        {"step": "create the compute" if make else "look for the compute", "name": order.compute, **make},
        {"step": "upload the table", "rows": sendable.sent.height, "columns": sendable.sent.columns,
         "kept here": f"{sendable.test.height:,} test rows"},
        {"step": "begin the job", "task": order.task, "target_column_name": order.label,
         "primary_metric": order.metric, "positive_label": order.positive, "n_cross_validations": order.folds,
         "validation_data_size": order.holdout, "max_trials": order.trials,
         "timeout_minutes": order.timeout_minutes, "blocked_training_algorithms": list(order.blocked)},
        {"step": "wait, fetch the best model, register it", "name": sendable.stem},
    )  # fmt: skip


def _card(sendable: Sendable) -> dict[str, Any]:
    """Return `card.json` without the results of the job."""
    found = cards.card(
        learned=sendable.learned,
        data=sendable.data,
        plan=sendable.plan,
        best=Best(kind="run", members=(), validation={}, optimism=None),
        threshold=None,
        test=None,
        cohorts=(),
        versions={"epkit": epkit.__version__},
        files=(),
    )
    return {key: value for key, value in found.items() if key not in ("model", "metrics", "files")}


def _stem(table: str) -> str:
    """Return a name for the table in characters that Azure accepts."""
    name = re.split(r"[/\\]", table.rstrip("/\\"))[-1].partition(".")[0]
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:LONGEST_STEM].strip("-") or "table"
