"""Pipelines published at Azure as values: the publication, the schedule, and the state of their jobs."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from epkit.core.hosting.azure_jobs import ENDED, reason_of
from epkit.core.http.masking import clean

LONGEST_NAME: Final = 32
"""Of a batch endpoint. Source: Azure ML's limits, `how-to-manage-quotas`."""


Frequency = Literal["minute", "hour", "day", "week"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberInput:
    """What a caller may set.

    Args:
        most: that Azure takes, None for no bound.
    """

    kind: Literal["integer", "number"]
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A schedule that counts from when it was made.

    Args:
        interval: how many of *frequency* are between two runs, ≥ 1.
    """

    frequency: Frequency
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """A schedule that goes by the clock.

    Args:
        expression: five fields, as cron has them.
    """

    expression: str


Schedule = Recurrence | Crontab


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedData:
    """The table that jobs learn from.

    Args:
        name, version: of the asset; the version goes by the content.
        path: of what is uploaded.
    """

    name: str
    version: str
    path: str
    is_directory: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOrder:
    """A pipeline that is to be published.

    Args:
        endpoint: its name at Azure, and of the experiment of its jobs.
        pipeline: its name here.
        version: of the components, the environment and the deployment.
        code: directory that is uploaded.
        command: of the step, as Azure writes it.
        conda: the environment, as `conda.yml` has it.
        data: None where the job fetches its table itself.
        inputs: what a caller may set, by name.
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
        """Name of the pipeline's component, and of its environment: lower letters, digits and underscores."""
        return f"epkit_{self.endpoint.replace('-', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineJobState:
    """How a job of a published pipeline is.

    Args:
        status: in Azure's own word.
        page: of the job in the studio.
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
        run: by which its files are asked for.
        error: in one line, where it failed.
    """

    run: str
    name: str
    status: str
    error: str | None


def endpoint_name(pipeline: str, workspace: str) -> str:
    """Return what an endpoint is called: its name is a host's, and two workspaces of a region share them.

    Args:
        workspace: its ARM id.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", pipeline).strip("-") or "pipeline"
    plain = plain if plain[0].isalpha() else f"p-{plain}"
    tail = hashlib.sha256(f"{workspace.lower()}\n{pipeline}".encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_NAME - len(tail) - 1].rstrip('-')}-{tail}".lower()


def step_of(document: Mapping[str, Any]) -> StepRun | None:
    """Read a child of a job, as run history lists it; None for what has no name."""
    run = document.get("runId")
    if not isinstance(run, str) or not run:
        return None
    return StepRun(
        run=run,
        name=clean(str(document.get("displayName") or run), 80),
        status=clean(str(document.get("status") or "Unknown"), 40),
        error=reason_of(document),
    )
