"""Opens the Azure backends: for hosting, for training, and for the tokens of targets."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from epkit.backends.azure.sdk import require
from epkit.backends.azure.workspace import find_workspace
from epkit.backends.base import Backend
from epkit.core.hosting.deployments import AzureName
from epkit.endpoint.tokens import credential
from epkit.flows.context import Context

if TYPE_CHECKING:
    # The re-exports are for modules that must not import backends.
    from epkit.backends.azure.jobs import AutoMLJobs as AutoMLJobs
    from epkit.backends.azure.publishing import PipelineEndpoints as PipelineEndpoints
    from epkit.backends.azure.runs import RunHistory as RunHistory


def open_azure(name: AzureName, context: Context, *, workspace: str | None) -> Backend:
    """Make a backend.

    Args:
        workspace: the name in `epkit.toml`; a `config.json` that names another workspace is refused.

    Raises:
        UsageError: the extra of this backend is not installed.
    """
    if name == "azureml":
        require("azure.ai.ml", "azure-v2", name)
        from epkit.backends.azure.v2 import AzureMLBackend

        return AzureMLBackend(find_workspace(context.cwd, expected=workspace), credential, context.note)
    require("azureml.core", "azure-v1", name)
    from epkit.backends.azure.v1 import AzureMLv1Backend

    return AzureMLv1Backend(find_workspace(context.cwd, expected=workspace), credential, context.note)


def open_jobs(context: Context, pause: Callable[[float], None]) -> "AutoMLJobs":
    """Make a client that starts and follows AutoML jobs, in the workspace of the nearest `config.json`.

    Args:
        pause: waits before the next poll; an exception that it raises ends the call.

    Raises:
        UsageError: the extra is not installed, or there is no workspace.
    """
    require("azure.ai.ml", "azure-v2", "azureml")
    from epkit.backends.azure.jobs import AutoMLJobs

    workspace = find_workspace(context.cwd, expected=None)
    return AutoMLJobs(workspace, credential, context.note, lambda secret: context.know((secret,)), pause)


def open_pipelines(context: Context, pause: Callable[[float], None]) -> "PipelineEndpoints":
    """Make a client that publishes pipelines and polls their jobs, in the workspace of the nearest `config.json`.

    Args:
        pause: as in `open_jobs`.

    Raises:
        UsageError: the extra is not installed, or there is no workspace.
    """
    require("azure.ai.ml", "azure-v2", "azureml")
    from epkit.backends.azure.publishing import PipelineEndpoints

    workspace = find_workspace(context.cwd, expected=None)
    return PipelineEndpoints(workspace, credential, context.note, lambda secret: context.know((secret,)), pause)
