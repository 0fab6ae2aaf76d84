"""What epkit records when it starts a training job at Azure: enough to finish the job later without the table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.hosting.azure_jobs import TAG, AzureJob
from epkit.core.json.documents import DocumentFormat
from epkit.core.train.metrics import canonical
from epkit.core.train.report import DataInfo

_NUMBERS: Final = ("rows", "test-rows", "validated-rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A training whose job was started.

    Args:
        job: name of the job.
        workspace: its ARM id.
        model: the name that the model is registered under.
        started_at: ISO 8601, UTC.
        metric: epkit's name of the metric that chooses.
        data: description of the table.
        plan: as in the report.
        validated_rows: number of rows from which Azure computes its metrics.
        card: `card.json` without the results of the job.
        warnings: one sentence each.
        gates: as the user wrote them.
        finished: whether the model is written.
    """

    job: str
    workspace: str
    model: str
    started_at: str
    metric: str
    data: DataInfo
    plan: Mapping[str, Any]
    validated_rows: int
    card: Mapping[str, Any]
    warnings: tuple[str, ...]
    gates: tuple[str, ...]
    finished: bool = False


RECORDS: Final = DocumentFormat("epkit.job/1", JobRecord)


def tags_of(record: JobRecord, version: str) -> dict[str, str]:
    """Return tags for a job, so that it can be followed from another machine."""
    data = record.data
    return {
        f"{TAG}version": version,
        f"{TAG}model": record.model,
        f"{TAG}started": record.started_at,
        f"{TAG}table": data.path[:200],
        f"{TAG}sha256": data.sha256,
        f"{TAG}task": data.task,
        f"{TAG}rows": str(data.rows),
        f"{TAG}test-rows": str(data.test_rows),
        f"{TAG}validated-rows": str(record.validated_rows),
    }


def record_of(job: AzureJob, workspace: str) -> JobRecord | None:
    """Make a record from the tags of a job; None if epkit did not start it.

    Args:
        workspace: its ARM id.
    """
    known = {name.removeprefix(TAG): text for name, text in job.tags.items() if name.startswith(TAG)}
    numbers = {name: int(known[name]) for name in _NUMBERS if re.fullmatch("[0-9]{1,15}", known.get(name, ""))}
    task = known.get("task")
    if len(numbers) != len(_NUMBERS) or not known.get("model") or task not in ("binary", "multiclass", "regression"):
        return None
    data = DataInfo(
        path=known.get("table", ""),
        sha256=known.get("sha256", ""),
        rows=numbers["rows"],
        unlabelled=0,
        test_rows=numbers["test-rows"],
        duplicates=0,
        label=job.label,
        task=task,
        positive=job.positive,
        classes={},
        columns=(),
    )
    plan = {"label": job.label, "metric": job.metric, "runs": job.trials, "folds": job.folds, "holdout": job.holdout}
    return JobRecord(
        job=job.name,
        workspace=workspace,
        model=known["model"],
        started_at=known.get("started", ""),
        metric=canonical(job.metric),
        data=data,
        plan={**plan, "compute": job.compute},
        validated_rows=numbers["validated-rows"],
        card=_plain_card(data),
        warnings=("it was begun elsewhere: the card does not say what the columns are",),
        gates=(),
    )


def _plain_card(data: DataInfo) -> dict[str, Any]:
    """Return a card without a description of the columns."""
    return {
        "format": "epkit.card/1",
        "label": {"name": data.label, "task": data.task, "classes": [], "positive": None},
        "threshold": None,
        "columns": [],
        "features": [],
        "ignored": [],
        "example": {},
        "cohorts": [],
        "data": {"sha256": data.sha256, "rows": data.rows, "unlabelled": 0, "columns": 0},
        "test": {"rows": data.test_rows},
        "reference": {"columns": {}, "label": {}},
        "licence": None,
        "versions": {},
    }
