"""Makes the copy that an endpoint on this machine serves: the model, the script, and the files next to the script."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from epkit.backends.copies import copy_tree
from epkit.backends.local.state import Home
from epkit.core.hosting.deployments import Order, Replacement, Script
from epkit.core.hosting.mlflow_models import MLMODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A complete copy that is not yet in the place where a server looks for it.

    Args:
        settings: the settings that change with the copy.
    """

    home: Home
    name: str
    settings: dict[str, Any]

    def publish(self) -> None:
        """Move it to the place where servers look for it.

        Raises:
            OSError: the directory cannot be written.
        """
        (self.home.copies / f".{self.name}").rename(self.home.copies / self.name)


@contextlib.contextmanager
def copying(home: Home, order: Order | Replacement, script: Script | None) -> Iterator[Copy]:
    """Copy a model and its script. A copy that is not published is deleted; a published one belongs to the supervisor.

    Args:
        script: None for an MLflow model.

    Azure keeps the name of a registered directory (`AZUREML_MODEL_DIR/FOLDER/model.pkl`), but puts a registered file at
    the top (`AZUREML_MODEL_DIR/model.pkl`). Here the contents of a directory are found under both paths.

    Raises:
        UsageError: the model or the script cannot be copied.
        BackendError: the copy cannot be written.
    """
    name = secrets.token_hex(4)
    copy = Copy(home=home, name=name, settings={})
    try:
        with home.writing():
            copy.settings.update(_fill(home, name, order, script))
        yield copy
    finally:
        shutil.rmtree(home.copies / f".{name}", ignore_errors=True)


def _fill(home: Home, name: str, order: Order | Replacement, script: Script | None) -> dict[str, Any]:
    hidden = f".{name}"
    model = Path(order.model)
    top = home.model_dir(hidden)
    home.copies.mkdir(mode=0o700, exist_ok=True)
    top.mkdir(parents=True)
    folder = top / model.name
    sha256 = copy_tree(model, folder)
    if folder.is_dir():
        for entry in folder.iterdir():
            with contextlib.suppress(FileExistsError):
                (top / entry.name).symlink_to(Path(model.name) / entry.name, target_is_directory=entry.is_dir())
    if script is None:
        code = home.model_dir(name) / model.name
        home.contract(hidden).write_bytes(order.contract or b"{}")
    elif folder.is_dir() and Path(script.code).is_relative_to(model):
        code = home.model_dir(name) / model.name / Path(script.code).relative_to(model)
    else:
        copy_tree(Path(script.code), home.copies / hidden / "code", script.selection)
        code = home.copies / name / "code"
    return {
        "model": order.source or str(model),
        "code": str(code),
        "entry": MLMODEL if script is None else script.entry,
        "copy": name,
        "model_sha256": sha256,
        "model_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "kind": order.kind,
    }
