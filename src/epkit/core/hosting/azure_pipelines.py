"""Pipelines published at Azure as values: the publication, the schedule, and the state of their jobs."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from epkit.core.hosting.azure_jobs import ENDED, reason_of
from epkit.core.http.masking import clean

LONGEST_NAME: Final = 32
"""Greatest length of the name of a batch endpoint. Source: Azure ML's limits, `how-to-manage-quotas`."""


Frequency = Literal["minute", "hour", "day", "week"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberInput:
    """A number that a caller may set.

    Args:
        most: the greatest value that Azure accepts, None for no bound.
    """

    kind: Literal["integer", "number"]
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A schedule that counts from the time when it was made.

    Args:
        interval: number of units of *frequency* between two runs, ≥ 1.
    """

    frequency: Frequency
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """A schedule that depends on the time of day.

    Args:
        expression: five fields, as in cron.
    """

    expression: str


Schedule = Recurrence | Crontab


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedData:
    """The table with which jobs train.

    Args:
        name, version: name and version of the asset; the version depends on the content.
        path: the file or directory that is uploaded.
    """

    name: str
    version: str
    path: str
    is_directory: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOrder:
    """The request to publish a pipeline.

    Args:
        endpoint: name of the endpoint at Azure, and of the experiment of its jobs.
        pipeline: name of the pipeline in the project.
        version: version of the components, the environment and the deployment.
        code: directory that is uploaded.
        command: command of the step, in Azure's notation.
        conda: the environment, in the form of `conda.yml`.
        data: None if the job fetches its table itself.
        inputs: the numbers that a caller may set, by name.
    """

    endpoint: str
    pipeline: str
    version: str
    compute: str
    code: str
    command: str
    conda: Mapping[str, Any]
    data: PublishedData | None
    inputs: Mapping[str, NumberInput]

    @property
    def deployment(self) -> str:
        """Name of the deployment."""
        return f"v{self.version}"

    @property
    def component(self) -> str:
        """Name of the pipeline's component, and of its environment: lower-case letters, digits and underscores."""
        return f"epkit_{self.endpoint.replace('-', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineJobState:
    """The state of a job of a published pipeline.

    Args:
        status: Azure's own word.
        page: URL of the job's page in the studio.
    """

    name: str
    status: str
    experiment: str
    page: str | None

    @property
    def is_over(self) -> bool:
        """Tell whether it does not change any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A step of a job.

    Args:
        run: id of the run; its files are requested with it.
        error: one line if the step failed.
    """

    run: str
    name: str
    status: str
    error: str | None


def endpoint_name(pipeline: str, workspace: str) -> str:
    """Return the name of an endpoint. It is a part of a host name, so it must be unique among a region's workspaces.

    Args:
        workspace: ARM id of the workspace.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", pipeline).strip("-") or "pipeline"
    plain = plain if plain[0].isalpha() else f"p-{plain}"
    tail = hashlib.sha256(f"{workspace.lower()}\n{pipeline}".encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_NAME - len(tail) - 1].rstrip('-')}-{tail}".lower()


def step_of(document: Mapping[str, Any]) -> StepRun | None:
    """Read a child of a job from the list of the run history; None if it has no name."""
    run = document.get("runId")
    if not isinstance(run, str) or not run:
        return None
    return StepRun(
        run=run,
        name=clean(str(document.get("displayName") or run), 80),
        status=clean(str(document.get("status") or "Unknown"), 40),
        error=reason_of(document),
    )
