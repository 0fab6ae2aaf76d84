"""Pipelines as batch endpoints, with azure-ai-ml (SDK v2): component, endpoint, deployment, schedule, and jobs.

For some requests the SDK uses preview versions of the API; `core.hosting.azure_errors` names a version that Azure
refuses. This module starts no job, because the SDK's `invoke` repeats the request even after it has started one.
"""

import contextlib
import itertools
from typing import Any, Final

from epkit.backends.azure.jobs import NO_GIT, WorkspaceJobs
from epkit.backends.azure.sdk import calling, is_missing
from epkit.backends.azure.v2 import IMAGE, wait, word
from epkit.backends.base import Say
from epkit.core.hosting.azure_pipelines import (
    Crontab,
    PipelineJobState,
    PipelineOrder,
    PublishedData,
    Schedule,
)
from epkit.errors import BackendError
from epkit.process import environment

STEP: Final = "train"
"""Name of the one step of the pipeline at Azure."""

DATA: Final = "data"
"""Name of the step's input for the table."""

TIME_ZONE: Final = "UTC"
"""Of schedules."""

MOST_JOBS: Final = 2000
"""Greatest number of a workspace's jobs that are searched for those of an endpoint."""


class PipelineEndpoints(WorkspaceJobs):
    """The published pipelines of a workspace. Its methods raise the errors of `WorkspaceJobs`."""

    def publish(self, order: PipelineOrder, say: Say) -> str:
        """Publish a pipeline or a new version of it. The new deployment becomes the default; the old one is deleted.

        Returns:
            The URL that starts a job.

        Raises:
            BackendError: the old version is still published, and the deployment of the new one is removed.
        """
        with calling(say, order.endpoint) as say, environment(NO_GIT):
            component = self._component(order, say)
            new = self._ensure_endpoint(order, say)
            try:
                self._deploy(order, component, say)
                url = self._move(order, say)
            except Exception:
                with contextlib.suppress(Exception):  # only the first failure is reported
                    self._take_back(order, say, new=new)
                raise
            self._delete_others(order, say)
            return url

    def schedule(self, order: PipelineOrder, schedule: Schedule | None, say: Say) -> None:
        """Let the published version run by itself, in UTC; None ends the schedule.

        Args:
            order: the published version.
        """
        with calling(say, f"the schedule {order.endpoint}") as say, environment(NO_GIT):
            if schedule is None:
                self._delete_schedule(order.endpoint, say)
                return
            from azure.ai.ml.entities import (
                CronTrigger,
                JobSchedule,
                PipelineJob,
                PipelineJobSettings,
                RecurrenceTrigger,
            )

            trigger: Any
            if isinstance(schedule, Crontab):
                trigger = CronTrigger(expression=schedule.expression, time_zone=TIME_ZONE)
            else:
                trigger = RecurrenceTrigger(
                    frequency=schedule.frequency, interval=schedule.interval, time_zone=TIME_ZONE
                )
            component = self._patience(lambda: self._client.components.get(order.component, version=order.version))
            job = PipelineJob(
                component=component,
                display_name=order.pipeline,
                experiment_name=order.endpoint,
                settings=PipelineJobSettings(**_settings(order)),
            )
            made = JobSchedule(name=order.endpoint, trigger=trigger, create_job=job)
            poller = self._patience(lambda: self._client.schedules.begin_create_or_update(made))
            wait(poller, f"scheduling {order.pipeline}", say)

    def unpublish(self, endpoint: str, say: Say) -> bool:
        """Delete an endpoint, its deployments and its schedule; jobs, their files and the data stay.

        Returns:
            Whether the endpoint existed.
        """
        with calling(say, endpoint) as say:
            self._delete_schedule(endpoint, say)
            if self._endpoint(endpoint) is None:
                return False
            poller = self._patience(lambda: self._client.batch_endpoints.begin_delete(endpoint))
            wait(poller, f"deleting the endpoint {endpoint}", say)
            return True

    def state(self, name: str) -> PipelineJobState:
        """Return the state of a job."""
        with calling(self._say, f"the job {name}"):
            return _state(self._patience(lambda: self._client.jobs.get(name)))

    def listed(self, endpoint: str, most: int) -> tuple[PipelineJobState, ...]:
        """Return the last jobs of an endpoint, the newest first.

        They are the jobs of the experiment with the endpoint's name: the service refuses to list an endpoint's jobs.

        Source: azure-sdk-for-python, issue 45212.
        """
        with calling(self._say, endpoint):
            jobs = self._patience(lambda: list(itertools.islice(self._client.jobs.list(), MOST_JOBS)))
            of_it = (job for job in jobs if job is not None and getattr(job, "experiment_name", None) == endpoint)
            return tuple(_state(job) for job in itertools.islice(of_it, most))

    def _component(self, order: PipelineOrder, say: Say) -> Any:
        """Upload code, environment and data, and register the pipeline that consists of them."""
        from azure.ai.ml import Input
        from azure.ai.ml.entities import CommandComponent, Environment, PipelineComponent

        if order.data is not None:
            self._ensure_data(order.data, say)
        say("uploading epkit and the pipeline")
        optional = _optional(order)
        kind = "uri_folder" if order.data is not None and order.data.is_directory else "uri_file"
        step = CommandComponent(
            name=f"{order.component}_{STEP}",
            version=order.version,
            display_name=STEP,
            code=order.code,
            command=order.command,
            environment=Environment(
                name=order.component, version=order.version, image=IMAGE, conda_file=dict(order.conda)
            ),
            inputs=({} if order.data is None else {DATA: Input(type=kind)}) | optional,
            is_deterministic=False,  # otherwise Azure reuses the output of another job
        )
        bound: dict[str, Any] = {name: f"${{{{parent.inputs.{name}}}}}" for name in order.inputs}
        if order.data is not None:
            bound[DATA] = Input(type=kind, path=f"azureml:{order.data.name}:{order.data.version}")
        registered = self._patience(lambda: self._client.components.create_or_update(step))
        pipeline = PipelineComponent(
            name=order.component,
            version=order.version,
            display_name=order.pipeline,
            inputs=_optional(order),
            jobs={STEP: registered(**bound)},
        )
        return self._patience(lambda: self._client.components.create_or_update(pipeline))

    def _ensure_data(self, data: PublishedData, say: Say) -> None:
        from azure.ai.ml.entities import Data

        try:
            self._patience(lambda: self._client.data.get(data.name, version=data.version))
        except Exception as error:
            if not is_missing(error):
                raise
        else:
            return
        say("uploading the table")
        kind = "uri_folder" if data.is_directory else "uri_file"
        made = Data(name=data.name, version=data.version, path=data.path, type=kind)
        self._patience(lambda: self._client.data.create_or_update(made))

    def _endpoint(self, name: str) -> Any:
        """Return an endpoint; None if it does not exist."""
        try:
            return self._patience(lambda: self._client.batch_endpoints.get(name))
        except Exception as error:
            if is_missing(error):
                return None
            raise

    def _ensure_endpoint(self, order: PipelineOrder, say: Say) -> bool:
        """Create the endpoint if it does not exist; return whether it was created."""
        from azure.ai.ml.entities import BatchEndpoint

        if self._endpoint(order.endpoint) is not None:
            return False
        made = BatchEndpoint(name=order.endpoint, description=f"the pipeline {order.pipeline} of epkit")
        poller = self._patience(lambda: self._client.batch_endpoints.begin_create_or_update(made))
        wait(poller, f"creating the endpoint {order.endpoint}", say)
        return True

    def _deploy(self, order: PipelineOrder, component: Any, say: Say) -> None:
        from azure.ai.ml.entities import PipelineComponentBatchDeployment

        made = PipelineComponentBatchDeployment(
            name=order.deployment, endpoint_name=order.endpoint, component=component, settings=_settings(order)
        )
        poller = self._patience(lambda: self._client.batch_deployments.begin_create_or_update(made))
        wait(poller, f"creating the deployment {order.deployment}", say)

    def _move(self, order: PipelineOrder, say: Say) -> str:
        """Make the new deployment the default."""
        endpoint = self._patience(lambda: self._client.batch_endpoints.get(order.endpoint))
        endpoint.defaults = {"deployment_name": order.deployment}
        poller = self._patience(lambda: self._client.batch_endpoints.begin_create_or_update(endpoint))
        wait(poller, f"making {order.deployment} the default", say)
        found = self._patience(lambda: self._client.batch_endpoints.get(order.endpoint))
        if not found.scoring_uri:
            raise BackendError(f"{order.endpoint}: Azure names no URL of it")
        return str(found.scoring_uri)

    def _take_back(self, order: PipelineOrder, say: Say, *, new: bool) -> None:
        if new:
            poller = self._client.batch_endpoints.begin_delete(order.endpoint)
        else:
            poller = self._client.batch_deployments.begin_delete(order.deployment, order.endpoint)
        wait(poller, "taking back what was begun", say)

    def _delete_others(self, order: PipelineOrder, say: Say) -> None:
        """Delete the deployments of earlier versions. A failure is only reported: such a deployment costs nothing."""
        there = self._patience(lambda: list(self._client.batch_deployments.list(order.endpoint)))
        for old in (str(each.name) for each in there if each.name != order.deployment):
            try:
                poller = self._client.batch_deployments.begin_delete(old, order.endpoint)
                wait(poller, f"deleting the deployment {old}", say)
            except Exception as error:  # noqa: BLE001 - SDKs raise what they like
                say(f"{order.deployment} is published, but {old} is there still ({type(error).__name__})")

    def _delete_schedule(self, name: str, say: Say) -> None:
        """Delete a schedule, if it exists."""
        schedules = self._client.schedules
        try:
            found = self._patience(lambda: schedules.get(name))
        except Exception as error:
            if is_missing(error):
                return
            raise
        if found.is_enabled:  # an enabled schedule cannot be deleted
            wait(self._patience(lambda: schedules.begin_disable(name)), f"disabling the schedule {name}", say)
        wait(self._patience(lambda: schedules.begin_delete(name)), f"deleting the schedule {name}", say)


def _optional(order: PipelineOrder) -> dict[str, Any]:
    """Return the SDK's objects for the parameters that a caller may set."""
    from azure.ai.ml import Input

    found: dict[str, Any] = {}
    for name, each in order.inputs.items():
        bound: dict[str, Any] = (
            {} if each.most is None else {"max": int(each.most) if each.kind == "integer" else each.most}
        )
        found[name] = Input(type=each.kind, optional=True, **bound)
    return found


def _settings(order: PipelineOrder) -> dict[str, Any]:
    return {"continue_on_step_failure": False, "default_compute": order.compute}


def _state(job: Any) -> PipelineJobState:
    studio = (getattr(job, "services", None) or {}).get("Studio")
    return PipelineJobState(
        name=str(job.name),
        status=str(word(getattr(job, "status", None)) or "Unknown"),
        experiment=str(getattr(job, "experiment_name", None) or ""),
        page=None if studio is None else getattr(studio, "endpoint", None),
    )
