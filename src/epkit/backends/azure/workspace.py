"""Finds the Azure ML workspace: its `config.json`, in the places where the SDKs look for it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from epkit.errors import UsageError
from epkit.paths import foreign_owner
from epkit.reading import WORKSPACE, read_whole

DIRECTORIES: Final = (".azureml", "aml_config", "")
"""Directories to look in. For each of them, all parent directories are searched before the next one."""
FIELDS: Final = ("subscription_id", "resource_group", "workspace_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace.

    Args:
        path: path of the `config.json` that describes it.
    """

    subscription: str
    group: str
    name: str
    path: Path

    @property
    def id(self) -> str:
        """Its ARM id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )


def find_workspace(cwd: Path, *, expected: str | None) -> Workspace:
    """Read the nearest `config.json`.

    Args:
        expected: the workspace in `epkit.toml`, if it names one.

    Raises:
        UsageError: there is none, it cannot be read, it belongs to another user, or names another workspace.

    Source: azureml-core 1.61, `Workspace.from_config`; azure-ai-ml 1.35, `MLClient.from_config`.
    """
    path = _find(cwd)
    if path is None:
        raise UsageError(
            "no config.json here or above: download it from the workspace's page at ml.azure.com (Download config file)"
        )
    if (owner := foreign_owner(path, os.environ)) is not None:
        raise UsageError(f"{path}: not read, because {owner}: if you trust it, copy it into a directory of yours")
    try:
        document = json.loads(read_whole(path, WORKSPACE, name=str(path)).decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from None
    missing = [name for name in FIELDS if not (isinstance(document, dict) and isinstance(document.get(name), str))]
    if missing:
        raise UsageError(f"{path}: not a workspace's: it lacks {', '.join(missing)}")
    found = Workspace(
        subscription=document["subscription_id"],
        group=document["resource_group"],
        name=document["workspace_name"],
        path=path,
    )
    if expected is not None and expected != found.name:
        raise UsageError(f"{path}: it is of the workspace {found.name}, but epkit.toml says {expected}")
    return found


def _find(cwd: Path) -> Path | None:
    for directory in DIRECTORIES:
        for folder in (cwd, *cwd.parents):
            path = folder / directory / "config.json"
            if path.is_file():
                return path
    return None
