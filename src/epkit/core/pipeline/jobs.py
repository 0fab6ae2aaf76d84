"""A job: one requested run of a published pipeline, as it is stored, and as both protocols of Azure show it."""

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
"""Status words of published pipelines (`azureml-pipeline-core` 1.62, `PipelineRunStatus`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedOrder:
    """The request for a run.

    Args:
        pipeline: name of the pipeline.
        number: counts the jobs of a published pipeline, from 1.
        experiment: the caller's name for it; None if there is none.
        changes: each is `KEY=VALUE`, as for `--set`.
        asked_ms: time of the request, ms since 1970.
        key: SHA-256 of the caller's Idempotency-Key, None if there was none. *body*: SHA-256 of the request's body.
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
    """The progress that the process of a job reports.

    Args:
        run: number of the pipeline's run; None before it starts, or if nothing had to be run.
        begun_ms: time of the start; None while the job waits for another run.
        steps: a line for each step that has ended, by the name of the step.
        exit_code: exit code of the run; None before its end.
        interrupted: whether somebody has cancelled it.
        reason: one line: why it stopped or failed.
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
    """A job and its current state.

    Args:
        reason: why it failed or was cancelled.
        ended_ms: None before its end.
    """

    order: PublishedOrder
    status: JobStatus
    progress: PublishedProgress | None
    reason: str | None
    ended_ms: int | None

    @property
    def over(self) -> bool:
        """Whether the job has ended, successfully or not."""
        return self.status in OVER


def to_job(job: PublishedJob) -> dict[str, Any]:
    """Return a job in the form of a batch endpoint. epkit's own fields are in `properties.properties`, as texts."""
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
    """Return a job in the form of the service of published pipelines (`PipelineRunEntity`)."""
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
