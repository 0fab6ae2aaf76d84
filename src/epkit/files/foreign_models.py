"""Directories of models from MLflow and AutoML: which server can run them, and the packages that they need."""

import importlib.metadata
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from epkit.core.contract import documents
from epkit.core.hosting.mlflow_models import MLMODEL, contract_of, example_files, loader_of
from epkit.errors import UsageError, unreadable
from epkit.paths import inside
from epkit.reading import CONDA, PAYLOAD, read_whole
from epkit.reading import MLMODEL as MLMODEL_BOUND

AUTOML_SCRIPTS: Final = ("scoring_file_v_2_0_0.py", "scoring_file_v_1_0_0.py")
"""Scripts that AutoML writes next to a model, the newest first."""

AUTOML_CONDA: Final = "conda_env_v_1_0_0.yml"
AUTOML_MODEL: Final = "model.pkl"

SCRIPTS: Final = (*AUTOML_SCRIPTS, "score.py")
"""Scripts that are searched for in a model's directory if the user names no script."""

PROVIDED: Final[Mapping[str, tuple[str, ...]]] = {
    "mlflow": ("mlflow", "mlflow-skinny"),
    "azureml-defaults": ("azureml-defaults", "azureml-inference-server-http"),
}
"""Packages, each with smaller packages that contain everything a server needs. The installed version is compared only
for MLflow."""

NOT_OF_PIP: Final = frozenset({"python", "pip", "setuptools", "wheel"})

_CONDA_PIN: Final = re.compile(r"^([A-Za-z0-9_.-]+)=(?=[0-9])([^=,<>!~]*).*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """The packages of a model that an environment does not have.

    Args:
        missing, other: requirements in pip's syntax. For those in *other*, a different version is installed.
        installed: the installed versions of the packages in *other*, as requirements.
    """

    missing: tuple[str, ...]
    other: tuple[str, ...]
    installed: tuple[str, ...]

    @property
    def command(self) -> str:
        """Return the command that installs them."""
        return shlex.join(["pip", "install", *self.missing, *self.other])


def is_mlflow(directory: Path) -> bool:
    """Tell whether MLflow wrote the directory."""
    return (directory / MLMODEL).is_file()


def find_script(directory: Path) -> str | None:
    """Return the name of the script in a model's directory, None if it has none of `SCRIPTS`."""
    return next((name for name in SCRIPTS if (directory / name).is_file()), None)


def is_automl(directory: Path, script: str) -> bool:
    """Tell whether AutoML wrote the directory; its scripts expect `model.pkl` at the top of AZUREML_MODEL_DIR."""
    return script in AUTOML_SCRIPTS and (directory / AUTOML_MODEL).is_file()


def read_mlmodel(directory: Path, name: str) -> tuple[Mapping[str, Any], str]:
    """Read the `MLmodel` of a directory.

    Args:
        name: name of the directory in messages.

    Returns:
        The document, and the module that loads the model.

    Raises:
        UsageError: it cannot be read, is not an MLmodel, or has no flavour that a server can load.
    """
    where = f"{name}/{MLMODEL}"
    try:
        data = read_whole(directory / MLMODEL, MLMODEL_BOUND, name=where)
    except OSError as error:
        raise unreadable(where, error, "a file of MLflow's") from None
    document = documents.decode(data, name=where) if data.lstrip()[:1] != b"<" else None
    loader = loader_of(document, where)
    assert isinstance(document, Mapping)
    return document, loader


def contract(directory: Path, *, title: str) -> bytes:
    """Make the contract of an MLflow model: an OpenAPI document.

    Raises:
        UsageError: there is no `MLmodel`.
    """
    document, _ = read_mlmodel(directory, title)
    examples = [found for name in example_files(document) if (found := _example(directory, name)) is not None]
    for usable in (examples, ()):
        try:
            return json.dumps(contract_of(document, usable, title=title), allow_nan=False).encode()
        except ValueError:
            continue  # an example with NaN, which is not JSON
    raise UsageError(f"{title}: the signature in its {MLMODEL} is no JSON")


def _example(directory: Path, name: str) -> object:
    """Return the decoded example; None if it cannot be read: the example is optional."""
    try:
        path = inside(directory, name, where="the example of the model", parts=4)
        return json.loads(read_whole(path, PAYLOAD, name=name))
    except (OSError, ValueError, RecursionError, UsageError):
        return None


def requirements(directory: Path) -> tuple[str, ...]:
    """Return the requirements of a model in pip's syntax; none if it lists none or the list cannot be read."""
    for name, read in (
        ("requirements.txt", _of_pip),
        ("conda.yaml", _of_conda),
        (AUTOML_CONDA, _of_conda),
    ):
        path = directory / name
        try:
            return tuple(read(read_whole(path, CONDA, name=name), name))
        except (OSError, UsageError):
            continue
    return ()


def _of_pip(data: bytes, _: str) -> Iterator[str]:
    for line in data.decode("utf-8", "replace").splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-"):  # options: other files, indexes
            yield text


def _of_conda(data: bytes, name: str) -> Iterator[str]:
    document = documents.decode(data, name=name)
    entries = document.get("dependencies") if isinstance(document, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str):
            yield _CONDA_PIN.sub(r"\1==\2", entry.rpartition("::")[2].replace(" ", ""))
        elif isinstance(entry, Mapping) and isinstance(entry.get("pip"), list):
            yield from (each for each in entry["pip"] if isinstance(each, str) and not each.startswith("-"))


def lacking(needed: Sequence[str]) -> Lacking:
    """Compare the requirements of a model with the installed packages.

    Args:
        needed: requirements; one that cannot be read, or that is for other systems, is ignored.
    """
    from packaging.requirements import InvalidRequirement, Requirement  # late; gunicorn, the server, installs it

    missing, other, installed = [], [], []
    for text in needed:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        name = wanted.name.lower()
        if name in NOT_OF_PIP or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        version = next((found for each in PROVIDED.get(name, (name,)) if (found := _installed(each))), None)
        if version is None:
            missing.append(text)
        elif name != "azureml-defaults" and not wanted.specifier.contains(version, prereleases=True):
            other.append(text)
            installed.append(f"{wanted.name} {version}")
    return Lacking(missing=tuple(missing), other=tuple(other), installed=tuple(installed))


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
