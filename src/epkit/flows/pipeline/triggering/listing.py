"""Lists and cancels runs at the server of a published pipeline, and lists the published pipelines of SDK v1."""

from collections.abc import Callable
from typing import Any, TypeVar

from epkit.core.pipeline import triggered, wires
from epkit.core.pipeline.triggered import PublishedPipelineV1, TriggeredRun
from epkit.errors import BackendError, EndpointError, UsageError
from epkit.flows.pipeline.triggering.asking import RemotePipeline, is_well, question, refuse

T = TypeVar("T")


def runs(published: RemotePipeline) -> tuple[TriggeredRun, ...]:
    """Return the runs of a published pipeline, in the server's order.

    Raises:
        UsageError: it is a batch endpoint, whose service cannot list runs.
        EndpointError, BackendError: there is no answer, or a wrong one; one line.
    """
    if published.azure and published.wire == "jobs":
        raise UsageError(
            f"{published.shown}: a batch endpoint lists no runs: name the run; az ml job list, or the studio, has them"
        )
    if published.azure:
        path, wire = wires.runs_path(published.wire, published.url.path), published.wire
    else:
        path, wire = wires.own_jobs_path(published.wire, published.url.path), "jobs"
    return _read(published, path, lambda reply: triggered.read_runs(wire, reply))


def pipelines(published: RemotePipeline) -> tuple[PublishedPipelineV1, ...]:
    """Return the active published pipelines (SDK v1) of the workspace that a URL belongs to.

    Raises:
        UsageError: the URL is not in a workspace.
        EndpointError, BackendError: there is no answer, or a wrong one; one line.
    """
    path = wires.pipelines_path(published.url.path)
    if path is None:
        raise UsageError(f"{published.shown} is not in a workspace of SDK v1, which is listed by its URL")
    return _read(published, f"{path}?activeOnly=true", triggered.read_pipelines)


def pipeline(published: RemotePipeline) -> PublishedPipelineV1:
    """Return a published pipeline (SDK v1).

    Raises:
        UsageError: it is of another kind.
        EndpointError, BackendError: there is no answer, or a wrong one; one line.
    """
    if not published.azure or published.wire != "submit" or wires.SUBMIT not in published.url.path:
        raise UsageError(f"{published.shown} is not a published pipeline of SDK v1: epkit pipeline status shows runs")
    return _read(published, wires.pipeline_path(published.url.path), triggered.read_pipeline)


def newest(published: RemotePipeline) -> TriggeredRun:
    """Return the run that is going on, otherwise the first one in the server's list.

    Raises:
        EndpointError: there is no run; and the errors of `runs`.
    """
    found = runs(published)
    if not found:
        raise EndpointError(f"{published.shown}: no run yet: epkit pipeline trigger {published.shown} begins one")
    return next((run for run in found if run.outcome is None), found[0])


def cancel(published: RemotePipeline, run: str) -> None:
    """Ask the server to cancel a run.

    Raises:
        UsageError: it is the run of a batch endpoint, which only Azure's control plane can cancel.
        EndpointError, BackendError: there is no answer, or the server refuses; one line.
    """
    if published.azure and published.wire == "jobs":
        raise UsageError(f"{published.shown}: a batch endpoint ends no runs: az ml job cancel --name {run} does")
    method, path = wires.cancelling(published.wire, published.url.path, run)
    reply = published.asker.ask(method, path)
    if not reply.failure and reply.status == 409:
        said = published.asker.words(reply)
        raise BackendError(f"{run}: it cannot be ended" + (f": {said}" if said else ""))
    if not is_well(reply):
        refuse(published.asker, published.url, reply)


def _read(published: RemotePipeline, path: str, read: Callable[[Any], T]) -> T:
    try:
        return read(question(published.asker, published.url, path))
    except ValueError as error:
        raise EndpointError(f"{published.url.shown}: {error}: check the URL") from None
