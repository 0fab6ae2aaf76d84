"""Jobs of Azure AutoML, with azure-ai-ml (SDK v2): the compute, the job, and the model of the job."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from epkit.backends.azure.patience import Patience
from epkit.backends.azure.runs import RunHistory
from epkit.backends.azure.sdk import LOGGERS, calling, is_missing
from epkit.backends.azure.v2 import ml_client, wait, word
from epkit.backends.azure.workspace import Workspace
from epkit.backends.base import Say
from epkit.core.hosting.azure_jobs import TAG, AzureJob, JobOrder
from epkit.core.http.masking import clean
from epkit.core.http.secret import Secret
from epkit.errors import BackendError, UsageError
from epkit.process import environment, silenced

AUDIENCE: Final = "https://ml.azure.com/.default"
"""Scope of the token for run history. Source: azure-ai-ml 1.35, `_restclient/runhistory/_configuration.py`."""

IDLE_S: Final = 1800
"""Idle time after which a node of a new cluster is released."""

NO_GIT: Final[Mapping[str, str]] = {
    # The SDK sends the remote's URL, branch and commit with each job; blank values prevent that.
    "AZUREML_GIT_REPOSITORY_URI": " ",
    "AZUREML_GIT_BRANCH": " ",
    "AZUREML_GIT_COMMIT": " ",
    "AZUREML_GIT_DIRTY": "0",
}


class WorkspaceJobs:
    """The jobs of a workspace, of any kind.

    Every method raises `BackendError` if the service refuses, after retries for errors that can pass. It raises
    `UsageError` if there is no login.
    """

    def __init__(
        self,
        workspace: Workspace,
        credential: Callable[[], Any],
        say: Say,
        know: Callable[[Secret], None],
        pause: Callable[[float], None],
    ) -> None:
        """Prepare the client. Nothing is imported, nothing is sent.

        Args:
            credential: makes a credential of azure-identity.
            say: called with the SDK's output, and with each retry.
            know: called with every token before it is sent.
            pause: waits before a retry; an exception that it raises ends the call.
        """
        self.workspace = workspace
        self._make_credential = credential
        self._say = say
        self._know = know
        self._patience = Patience(say, pause)

    @cached_property
    def _credential(self) -> Any:
        return self._make_credential()

    @cached_property
    def _client(self) -> Any:
        return ml_client(self.workspace, self._credential, retry_total=0)  # `Patience` repeats requests

    def most_nodes(self, compute: str) -> int | None:
        """Return the greatest number of nodes of a compute, 1 if it has only one; None if there is no such compute."""
        with calling(self._say, f"the compute {compute}"):
            try:
                found = self._patience(lambda: self._client.compute.get(compute))
            except Exception as error:
                if is_missing(error):
                    return None
                raise
            return int(getattr(found, "max_instances", None) or 1)

    def create_compute(self, name: str, size: str, nodes: int, say: Say) -> None:
        """Create a cluster without nodes while nothing runs, and wait until it exists."""
        with calling(say, f"the compute {name}") as tell:
            from azure.ai.ml.entities import AmlCompute

            made = AmlCompute(
                name=name, size=size, min_instances=0, max_instances=nodes, idle_time_before_scale_down=IDLE_S
            )
            poller = self._patience(lambda: self._client.compute.begin_create_or_update(made))
            wait(poller, f"creating the compute {name}", tell)

    def has(self, name: str) -> bool:
        """Tell whether there is a job with this name."""
        with calling(self._say, f"the job {name}"):
            try:
                self._patience(lambda: self._client.jobs.get(name))
            except Exception as error:
                if is_missing(error):
                    return False
                raise
            return True

    def cancel(self, name: str, say: Say) -> None:
        """Cancel a job; a job that has ended does not change."""
        with calling(say, f"the job {name}") as tell:
            poller = self._patience(lambda: self._client.jobs.begin_cancel(name))
            wait(poller, f"cancelling the job {name}", tell)

    def history(self) -> RunHistory:
        """Return a client for the trials of jobs."""
        with calling(self._say, f"the workspace {self.workspace.name}"):
            found = self._patience(lambda: self._client.workspaces.get(self.workspace.name))
        return RunHistory(self.workspace, str(found.discovery_url or ""), self._token, self._patience)

    def _token(self) -> Secret:
        # azure-identity caches the token, and gets another one five minutes before it expires.
        with silenced(*LOGGERS):  # azure-identity logs every credential that it tries
            token = Secret(self._credential.get_token(AUDIENCE).token)
        self._know(token)
        return token


class AutoMLJobs(WorkspaceJobs):
    """The AutoML jobs of a workspace. Its methods raise the errors of `WorkspaceJobs`."""

    def submit(self, order: JobOrder, say: Say) -> AzureJob:
        """Upload the table, and start a job."""
        with calling(say, f"the job {order.name}") as tell, environment(NO_GIT):
            job = _entity(order)
            tell("uploading the table, beginning the job")
            return _describe(self._patience(lambda: self._client.jobs.create_or_update(job)))

    def job(self, name: str) -> AzureJob:
        """Return the state of a job."""
        with calling(self._say, f"the job {name}"):
            return _describe(self._patience(lambda: self._client.jobs.get(name)))

    def register(self, name: str, job: str, path: str, kind: str) -> str:
        """Register the model of a job, unless it is already registered.

        Args:
            name: name of the model.
            path: path of its files, `azureml://jobs/…`.
            kind: `mlflow_model` or `custom_model`.

        Returns:
            Its name and version, `bank:3`.
        """
        with calling(self._say, f"the model {name}"):
            from azure.ai.ml.entities import Model

            tag = f"{TAG}job"
            try:
                there = self._patience(lambda: list(self._client.models.list(name=name)))
            except Exception as error:
                if not is_missing(error):
                    raise
                there = []
            for each in there:
                if (each.tags or {}).get(tag) == job:
                    return f"{name}:{each.version}"
            made = Model(name=name, path=path, type=kind, tags={tag: job}, description=f"the best of the job {job}")
            return f"{name}:{self._patience(lambda: self._client.models.create_or_update(made)).version}"


def _entity(order: JobOrder) -> Any:
    """Return the SDK's object for a job."""
    from azure.ai.ml import Input, automl

    options: dict[str, Any] = {
        "name": order.name,
        "display_name": order.name,
        "experiment_name": order.experiment,
        "compute": order.compute,
        "training_data": Input(type="mltable", path=order.data),
        "target_column_name": order.label,
        "primary_metric": order.metric,
        "n_cross_validations": order.folds,
        "validation_data_size": order.holdout,
        "tags": dict(order.tags),
    }
    if order.task == "classification":
        job = automl.classification(**options)
        job.positive_label = order.positive
    else:
        job = automl.regression(**options)
    job.set_limits(
        max_trials=order.trials,
        max_concurrent_trials=order.concurrent,
        timeout_minutes=order.timeout_minutes,
        enable_early_termination=True,
    )
    job.set_training(
        enable_vote_ensemble=True,
        enable_model_explainability=True,
        blocked_training_algorithms=list(order.blocked) or None,
    )
    return job


def _describe(job: Any) -> AzureJob:
    """Turn the SDK's object of a job into a value.

    Raises:
        UsageError: it is not an AutoML job for a table.
    """
    task = str(word(getattr(job, "task_type", None)) or "").lower()
    if task not in ("classification", "regression"):
        raise UsageError(f"--job {clean(str(getattr(job, 'name', '')), 100)} is not an AutoML job of a table")
    limits, studio = getattr(job, "limits", None), (job.services or {}).get("Studio")
    trials = getattr(limits, "max_trials", None)
    folds = job.n_cross_validations
    name = str(job.name)
    if job.status is None:
        raise BackendError(f"the job {name}: Azure does not say how it is")
    return AzureJob(
        name=name,
        status=str(word(job.status)),
        experiment=str(job.experiment_name or ""),
        task=task,
        label=str(job.target_column_name),
        metric=_snake(job.primary_metric),
        positive=None if getattr(job, "positive_label", None) is None else str(job.positive_label),
        folds=folds if isinstance(folds, int) else None,
        holdout=None if job.validation_data_size is None else float(job.validation_data_size),
        trials=None if trials is None else int(trials),
        compute=None if job.compute is None else str(job.compute).rpartition("/")[2],
        tags={str(key): str(value) for key, value in (job.tags or {}).items()},
        page=None if studio is None else getattr(studio, "endpoint", None),
    )


def _snake(metric: Any) -> str:
    """Return a metric's name in the form of AutoML's documents: `norm_macro_recall`, `AUC_weighted`."""
    name = getattr(metric, "name", None)
    text = name if isinstance(name, str) else str(metric)
    return text.lower().replace("auc_", "AUC_")
