"""Publishes pipelines at Azure, takes them back, and reports the state of their jobs."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.hosting.azure_pipelines import (
    PipelineJobState,
    PipelineOrder,
    Schedule,
    StepRun,
    endpoint_name,
    step_of,
)
from epkit.core.pipeline import document
from epkit.core.pipeline.run import PipelineRun, gate_figures
from epkit.endpoint.config_writing import remove_entry, write_entry
from epkit.endpoint.finding import find_config
from epkit.errors import BackendError, UsageError
from epkit.flows.azure import open_pipelines
from epkit.flows.context import Context
from epkit.flows.pipeline.loading import load
from epkit.flows.pipeline.publishing.azure_upload import LEFT, inputs_of, make_upload

if TYPE_CHECKING:
    from epkit.flows.azure import PipelineEndpoints, RunHistory

LOG: Final = "user_logs/std_log.txt"
"""The file with the output of a step. Source: azure-ai-ml 1.35, `_job_ops_helper`."""

REPORT: Final = f"{LEFT}/runs/1/report.json"
MOST_LOG_BYTES: Final = 16 << 20
MOST_REPORT_BYTES: Final = 16 << 20
MOST_DEPTH: Final = 3
"""Greatest depth of steps: a batch endpoint may wrap the pipeline's run into another run."""

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AzurePublication:
    """A pipeline that is published at Azure.

    Args:
        endpoint: its name at Azure; the experiment and the schedule have the same name.
        url: a POST to it starts a job.
        inputs: Azure's names of the parameters that a caller may set.
    """

    pipeline: str
    endpoint: str
    url: str
    deployment: str
    workspace: str
    inputs: tuple[str, ...]
    schedule: Schedule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFiles:
    """The files of a step.

    Args:
        run: run id of the step, for `RunHistory.fetch`.
        files: their paths.
    """

    run: str
    files: tuple[str, ...]


def publish_at_azure(
    name: str,
    context: Context,
    pause: Pause,
    *,
    compute: str | None,
    schedule: Schedule | None = None,
) -> AzurePublication:
    """Publish a pipeline at Azure, or a new version of it.

    Args:
        compute: name of the workspace's compute that runs its jobs.
        schedule: when it runs by itself, in UTC; None: never, and an existing schedule ends.

    Raises:
        UsageError: it cannot be published in its present form.
        BackendError: Azure refused; the earlier publication stays.
    """
    loaded = load(name, context)
    config = loaded.config
    if not compute:
        raise UsageError("--backend azureml: where are its jobs to run? --compute NAME, of the workspace")
    inputs = inputs_of(config)
    endpoints = open_pipelines(loaded.context, pause)
    if endpoints.most_nodes(compute) is None:
        raise UsageError(
            f"--compute {compute}: there is none in the workspace {endpoints.workspace.name}: az ml compute create "
            f"--name {compute} --type amlcompute --size STANDARD_DS12_V2 --min-instances 0 --max-instances 1"
        )
    for gate in config.gate:
        if "base" in gate:
            context.note(f"{gate} is judged here when the model is fetched: at Azure there is no champion")
    with tempfile.TemporaryDirectory(prefix="epkit-") as directory:
        upload = make_upload(loaded, Path(directory))
        order = PipelineOrder(
            endpoint=endpoint_name(name, endpoints.workspace.id),
            pipeline=name,
            version=datetime.now(UTC).strftime("%Y%m%d%H%M%S"),
            compute=compute,
            code=str(upload.code),
            command=upload.command,
            conda=upload.conda,
            data=upload.data,
            inputs=inputs,
        )
        url = endpoints.publish(order, context.note)
        found = find_config(context.cwd, context.environ)
        assert found is not None  # it was found above
        entry = {"url": url, "backend": "azureml", "auth": "aad", "workspace": endpoints.workspace.name}
        write_entry(found.path.absolute(), name, {**entry, "key_file": None, "key_env": None}, "published")
        endpoints.schedule(order, schedule, context.note)
    return AzurePublication(
        pipeline=name,
        endpoint=order.endpoint,
        url=url,
        deployment=order.deployment,
        workspace=endpoints.workspace.name,
        inputs=tuple(inputs),
        schedule=schedule,
    )


def unpublish_at_azure(name: str, context: Context, pause: Pause) -> bool:
    """Delete the endpoint and the schedule of a pipeline; data, components, jobs and their files stay.

    Returns:
        Whether the endpoint existed.

    Raises:
        BackendError: Azure refused.
    """
    loaded = load(name, context)
    endpoints = open_pipelines(loaded.context, pause)
    there = endpoints.unpublish(endpoint_name(name, endpoints.workspace.id), context.note)
    found = find_config(context.cwd, context.environ)
    if found is not None and (spec := found.published.get(name)) is not None and spec.backend == "azureml":
        remove_entry(found.path.absolute(), name, "published")
    return there


def backend_of(name: str, context: Context) -> str:
    """Return where `epkit.toml` says that a pipeline is published; `local` if it does not say."""
    found = find_config(context.cwd, context.environ)
    spec = None if found is None else found.published.get(name)
    return (spec.backend if spec is not None else None) or "local"


class AzureJobs:
    """The jobs of the published pipelines of a workspace."""

    def __init__(self, context: Context, pause: Pause) -> None:
        """Prepare the client. Nothing is sent.

        Raises:
            UsageError: the extra is missing, or there is no workspace.
        """
        self._context = context
        self._endpoints: PipelineEndpoints = open_pipelines(context, pause)

    def state(self, job: str) -> PipelineJobState:
        """Return the state of a job."""
        return self._endpoints.state(job)

    def listed(self, pipeline: str, most: int = 20) -> tuple[PipelineJobState, ...]:
        """Return the last jobs of a published pipeline, the newest first."""
        return self._endpoints.listed(endpoint_name(pipeline, self._endpoints.workspace.id), most)

    def cancel(self, job: str) -> PipelineJobState:
        """Cancel a job, and return its state; a job that has ended does not change."""
        found = self.state(job)
        if found.is_over:
            return found
        self._endpoints.cancel(job, self._context.note)
        return self.state(job)

    def children(self, job: str) -> tuple[StepRun, ...]:
        """Return the steps of a job, at all depths."""
        with self._endpoints.history() as history:
            return _steps(job, history)

    def log(self, job: str) -> tuple[str, ...]:
        """Return the output of the steps of a job, line by line.

        Raises:
            BackendError: there is no output yet, or Azure refused.
        """
        with self._endpoints.history() as history:
            found = _with_file(job, history, LOG)
            if found is None:
                raise BackendError(f"the job {job}: it has no log yet")
            return tuple(history.fetch(found.run, LOG, MOST_LOG_BYTES).decode("utf-8", "replace").splitlines())

    def artefacts(self, job: str) -> JobFiles | None:
        """Return the files of a job's run; None if there are none yet."""
        with self._endpoints.history() as history:
            return _with_file(job, history, REPORT)

    def report(self, job: str) -> PipelineRun | None:
        """Return the report of a job's run; None if there is none yet.

        Raises:
            BackendError: the file is not a report, or Azure refused.
        """
        found = self.artefacts(job)
        if found is None:
            return None
        try:
            return document.from_document(json.loads(self.fetch(found, REPORT, MOST_REPORT_BYTES)))
        except (ValueError, RecursionError) as error:
            raise BackendError(f"the job {job}: {REPORT} is no report of a run: {error}") from None

    def metrics(self, job: str) -> dict[str, float]:
        """Return the metrics of a job's model on the rows of the gate; empty if there are none yet."""
        report = self.report(job)
        return {} if report is None else {name: figure.value for name, figure in gate_figures(report).items()}

    def fetch(self, files: JobFiles, path: str, most_bytes: int) -> bytes:
        """Return a file of `artefacts`.

        Raises:
            BackendError: it is larger than *most_bytes*, or Azure refused.
        """
        with self._endpoints.history() as history:
            return history.fetch(files.run, path, most_bytes)

    def why(self, job: str) -> str:
        """Return one line with the reason why a job failed, if Azure gives one."""
        with self._endpoints.history() as history:
            from epkit.core.hosting.azure_jobs import reason_of

            found = reason_of(history.details(job)) or next(
                (step.error for step in _steps(job, history) if step.error), None
            )
        return found or "Azure gives no reason"


def newest(jobs: AzureJobs, pipeline: str) -> str:
    """Return the newest job of a pipeline.

    Raises:
        UsageError: there is no job.
    """
    found = jobs.listed(pipeline, 1)
    if not found:
        raise UsageError(f"{pipeline}: there is no job of it at Azure: epkit pipeline trigger {pipeline} begins one")
    return found[0].name


def _steps(job: str, history: "RunHistory") -> tuple[StepRun, ...]:
    found: list[StepRun] = []
    level = [job]
    for _ in range(MOST_DEPTH):
        documents = [each for run in level for each in history.children(run)]
        below = [step for each in documents if isinstance(each, dict) and (step := step_of(each)) is not None]
        found += below
        level = [step.run for step in below]
    return tuple(found)


def _with_file(job: str, history: "RunHistory", path: str) -> JobFiles | None:
    """Find the step that has a certain file."""
    for step in reversed(_steps(job, history)):
        files = history.files(step.run)
        if path in files:
            return JobFiles(run=step.run, files=tuple(files))
    return None
