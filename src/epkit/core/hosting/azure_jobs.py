"""Jobs of Azure AutoML as values: the request for a job, and the state of a job and its trials."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from epkit.core.hosting.azure_errors import said
from epkit.core.http.masking import clean

DONE: Final = "Completed"
FAILED: Final = "Failed"
CANCELLED: Final = "Canceled"
ENDED: Final = frozenset({DONE, FAILED, CANCELLED})
"""The final states of a job or a trial. Source: azure-ai-ml 1.35, `RunHistoryConstants`."""

BEST_CHILD: Final = "automl_best_child_run_id"
"""Tag of a finished job, with the name of its best child. Source: azureml-examples, the notebooks of AutoML."""

TAG: Final = "epkit-"
"""Prefix of the names of epkit's own tags of a job."""

AUTOML_PICKLE: Final = "azure-automl-pickle"
"""Kind of a model in its card: a pickle by Azure AutoML, which epkit never opens."""

MOST_PARAMETERS: Final = 40

_NUMBER: Final = re.compile(r"_(\d{1,5})")
_WAITING: Final = frozenset({"NotStarted", "Queued", "Preparing", "Provisioning", "Starting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """The request for an AutoML job.

    Args:
        name: name of the job. epkit chooses it, so a repeated request makes no second job.
        data: directory with `MLTable` and the table.
        metric: Azure's name of the metric.
        positive: the positive class of two, as a text.
        folds, holdout: one of them is None.
        timeout_minutes: None for Azure's own limit.
        blocked: Azure's names of algorithms that are not tried.
        tags: texts that Azure returns with the job.
    """

    name: str
    experiment: str
    compute: str
    data: str
    task: Literal["classification", "regression"]
    label: str
    metric: str
    positive: str | None
    folds: int | None
    holdout: float | None
    trials: int
    timeout_minutes: int | None
    concurrent: int
    blocked: tuple[str, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureJob:
    """An AutoML job.

    Args:
        task, label, metric: as requested.
        trials: greatest number of trials, None if the job does not report it.
        page: URL of the job's page in the studio.
    """

    name: str
    status: str
    experiment: str
    task: str
    label: str
    metric: str
    positive: str | None
    folds: int | None
    holdout: float | None
    trials: int | None
    compute: str | None
    tags: Mapping[str, str]
    page: str | None

    @property
    def is_over(self) -> bool:
        """Tell whether it does not change any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRun:
    """A trial of a job.

    Args:
        name: name of the child, `JOB_7`.
        number: Azure's number of the trial, `7`; it counts from 0.
        score: value of the metric that chooses the best trial; None while it is not known.
        parameters: parameters of the estimator, by its own names.
        error: one line if the trial failed.
    """

    name: str
    number: int
    status: str
    algorithm: str
    preprocessor: str | None
    score: float | None
    parameters: Mapping[str, Any]
    duration_s: float | None
    error: str | None

    @property
    def is_over(self) -> bool:
        """Tell whether it does not change any more."""
        return self.status in ENDED

    @property
    def is_running(self) -> bool:
        """Tell whether it runs now."""
        return not self.is_over and self.status not in _WAITING


def children_of(job: str, documents: Iterable[Any]) -> tuple[ChildRun, ...]:
    """Read the children of a job from the list of the run history.

    Runs that try no model are left out: they set up, examine the data, or explain the best model.

    Args:
        job: name of the job.

    Returns:
        The trials, by ascending number.
    """
    found = {}
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        name, properties = str(document.get("runId") or ""), _mapping(document.get("properties"))
        number = _NUMBER.fullmatch(name.removeprefix(job)) if name.startswith(job) else None
        if number is not None:
            found[int(number[1])] = _child(name, int(number[1]), document, properties)
    return tuple(found[number] for number in sorted(found))


def _child(name: str, number: int, document: Mapping[str, Any], properties: Mapping[str, Any]) -> ChildRun:
    return ChildRun(
        name=name,
        number=number,
        status=clean(str(document.get("status") or "Unknown"), 40),
        algorithm=clean(str(properties.get("run_algorithm") or ""), 60) or "unknown",
        preprocessor=clean(str(properties.get("run_preprocessor") or ""), 60) or None,
        score=finite(properties.get("score")),
        parameters=_parameters(properties.get("pipeline_spec")),
        duration_s=_duration_s(document.get("startTimeUtc"), document.get("endTimeUtc")),
        error=reason_of(document),
    )


def reason_of(document: Any) -> str | None:
    """Return why a run failed, from the run history: code and message; None if there is no reason in it.

    Source: azure-ai-ml 1.35, `stream_logs_until_completion` (`RunDetails.error`).
    """
    error = _mapping(_mapping(document).get("error"))
    error = _mapping(error.get("error")) or error
    parts = [str(error[key]) for key in ("code", "message") if error.get(key)]
    return said(": ".join(parts)) or None


def metrics_of(document: Any) -> dict[str, float]:
    """Return those metrics of a run that are finite numbers, by Azure's names, from MLflow's `runs/get`."""
    listed = _run_data(document).get("metrics")
    found = {}
    for each in listed if isinstance(listed, list) else ():
        value = finite(_mapping(each).get("value"))
        if value is not None:
            found[clean(str(each.get("key")), 80)] = value
    return found


def best_child_of(document: Any) -> str | None:
    """Return the name of the best child, from MLflow's `runs/get` of the job."""
    listed = _run_data(document).get("tags")
    for each in listed if isinstance(listed, list) else ():
        if _mapping(each).get("key") == BEST_CHILD and each.get("value"):
            return str(each["value"])
    return None


def finite(value: Any) -> float | None:
    """Return a number, which may be written as a text; None if it is not a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _run_data(document: Any) -> Mapping[str, Any]:
    return _mapping(_mapping(_mapping(document).get("run")).get("data"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _parameters(spec: Any) -> dict[str, Any]:
    """Return those parameters of the last step of a pipeline that are numbers, texts or booleans."""
    try:
        objects = json.loads(spec)["objects"] if isinstance(spec, str) else []
        given = _mapping(objects[-1].get("param_kwargs")) if objects else {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    found = {}
    for key, value in list(given.items())[:MOST_PARAMETERS]:
        if isinstance(value, str | bool) or finite(value) is not None:
            found[clean(str(key), 60)] = clean(value, 60) if isinstance(value, str) else value
    return found


def _duration_s(start: Any, end: Any) -> float | None:
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (TypeError, ValueError):
        return None
