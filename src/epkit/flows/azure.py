"""Opens Azure's backends: for those who host endpoints there, and for targets whose tokens they give out."""

from epkit.backends.azure.sdk import require
from epkit.backends.azure.workspace import find_workspace
from epkit.backends.base import Backend
from epkit.core.hosting.deployments import AzureName
from epkit.endpoint.tokens import credential
from epkit.flows.context import Context


def open_azure(name: AzureName, context: Context, *, workspace: str | None) -> Backend:
    """Make a backend.

    Args:
        workspace: that `epkit.toml` names; another one than `config.json` has is refused.

    Raises:
        UsageError: its extra is missing.
    """
    if name == "azureml":
        require("azure.ai.ml", "azure-v2", name)
        from epkit.backends.azure.v2 import AzureMLBackend

        return AzureMLBackend(find_workspace(context.cwd, expected=workspace), credential, context.note)
    require("azureml.core", "azure-v1", name)
    from epkit.backends.azure.v1 import AzureMLv1Backend

    return AzureMLv1Backend(find_workspace(context.cwd, expected=workspace), credential, context.note)
