"""Makes the copy that an endpoint on this machine serves: the model, and the script with what lies around it."""

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
from epkit.core.hosting.deployments import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that is whole, and not yet where a server looks for it.

    Args:
        settings: those that change with it.
    """

    home: Home
    name: str
    settings: dict[str, Any]

    def publish(self) -> None:
        """Let servers find it.

        Raises:
            OSError: the directory cannot be written.
        """
        (self.home.copies / f".{self.name}").rename(self.home.copies / self.name)


@contextlib.contextmanager
def copying(home: Home, model: Path, script: Script) -> Iterator[Copy]:
    """Copy a model and its script; a copy that is not published goes. One that is belongs to the supervisor.

    Azure keeps the name of the registered folder (`AZUREML_MODEL_DIR/FOLDER/model.pkl`), and puts a registered file at
    the top (`AZUREML_MODEL_DIR/model.pkl`): a folder's content is found both ways here.

    Raises:
        UsageError: the model or the script cannot be copied.
        BackendError: the copy cannot be written.
    """
    name = secrets.token_hex(4)
    copy = Copy(home=home, name=name, settings={})
    try:
        with home.writing():
            copy.settings.update(_fill(home, name, model, script))
        yield copy
    finally:
        shutil.rmtree(home.copies / f".{name}", ignore_errors=True)


def _fill(home: Home, name: str, model: Path, script: Script) -> dict[str, Any]:
    hidden = f".{name}"
    top = home.model_dir(hidden)
    home.copies.mkdir(mode=0o700, exist_ok=True)
    top.mkdir(parents=True)
    folder = top / model.name
    sha256 = copy_tree(model, folder)
    if folder.is_dir():
        for entry in folder.iterdir():
            with contextlib.suppress(FileExistsError):
                (top / entry.name).symlink_to(Path(model.name) / entry.name, target_is_directory=entry.is_dir())
    source = Path(script.code)
    if folder.is_dir() and source.is_relative_to(model):
        code = home.model_dir(name) / model.name / source.relative_to(model)
    else:
        copy_tree(source, home.copies / hidden / "code", script.selection)
        code = home.copies / name / "code"
    return {
        "model": str(model),
        "code": str(code),
        "entry": script.entry,
        "copy": name,
        "model_sha256": sha256,
        "model_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
