"""A run that was asked for at a published pipeline: a job, as it is remembered and as both wires show it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

JobStatus = Literal["Queued", "Running", "CancelRequested", "Completed", "Failed", "Canceled"]
"""Azure's words."""

OVER: Final[tuple[JobStatus, ...]] = ("Completed", "Failed", "Canceled")

_STATUS_CODES: Final[Mapping[JobStatus, str]] = {
    "Queued": "NotStarted",
    "Running": "Running",
    "CancelRequested": "Running",
    "Completed": "Finished",
    "Failed": "Failed",
    "Canceled": "Canceled",
}
"""The words of published pipelines (`azureml-pipeline-core` 1.62, `PipelineRunStatus`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedOrder:
    """What was asked for.

    Args:
        pipeline: its name.
        number: counts the jobs of a published pipeline, from 1.
        experiment: as the caller calls it, None for nothing.
        changes: `KEY=VALUE` each, as `--set` takes them.
        asked_ms: since 1970.
        key: SHA-256 of the caller's Idempotency-Key, None where there was none; *body*: of what was asked with it.
    """

    id: str
    pipeline: str
    number: int
    experiment: str | None
    changes: tuple[str, ...]
    asked_ms: int
    key: str | None
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedProgress:
    """What the process of a job says of itself.

    Args:
        run: number of the pipeline's run, None before it has begun, or where nothing had to be run.
        begun_ms: when it began, None while it waits for another run.
        steps: line a step that has ended, by name.
        exit_code: of the run; None before it is over.
        interrupted: whether somebody has ended it.
        reason: why it stopped or failed, in one line.
    """

    pid: int
    run: int | None = None
    begun_ms: int | None = None
    steps: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    interrupted: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedOutcome:
    """How a job ended."""

    status: Literal["Completed", "Failed", "Canceled"]
    reason: str | None
    ended_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedJob:
    """A job at this moment.

    Args:
        reason: why it failed or was cancelled.
        ended_ms: None before it is over.
    """

    order: PublishedOrder
    status: JobStatus
    progress: PublishedProgress | None
    reason: str | None
    ended_ms: int | None

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in OVER


def to_job(job: PublishedJob) -> dict[str, Any]:
    """Show a job as a batch endpoint does; what epkit adds is below `properties.properties`, as texts."""
    progress = job.progress
    own = {
        "epkit.run": None if progress is None else progress.run,
        "epkit.exit_code": None if progress is None else progress.exit_code,
        "epkit.reason": job.reason,
        "epkit.set": " ".join(job.order.changes) or None,
        **{f"epkit.step.{step}": line for step, line in ((progress and progress.steps) or {}).items()},
    }
    return {
        "name": job.order.id,
        "properties": {
            "jobType": "Pipeline",
            "status": job.status,
            "displayName": f"{job.order.pipeline} {job.order.number}",
            "experimentName": job.order.experiment or job.order.pipeline,
            "creationContext": {"createdAt": _time(job.order.asked_ms)},
            "startTimeUtc": _time(None if progress is None else progress.begun_ms),
            "endTimeUtc": _time(job.ended_ms),
            "properties": {name: str(value) for name, value in own.items() if value is not None},
        },
    }


def to_pipeline_run(job: PublishedJob) -> dict[str, Any]:
    """Show a job as the service of published pipelines does (`PipelineRunEntity`)."""
    return {
        "Id": job.order.id,
        "Description": f"{job.order.pipeline} {job.order.number}",
        "Status": {
            "StatusCode": _STATUS_CODES[job.status],
            "StatusDetail": job.reason,
            "CreationTime": _time(job.order.asked_ms),
            "EndTime": _time(job.ended_ms),
        },
        "RunHistoryExperimentName": job.order.experiment or job.order.pipeline,
        "PipelineId": job.order.pipeline,
        "ParameterAssignments": dict(change.split("=", 1) for change in job.order.changes),
        "Properties": to_job(job)["properties"]["properties"],
    }


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
