"""Prepares the upload of a pipeline to Azure: epkit as a wheel, the settings, the candidates, and the table."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomlkit

from epkit.core.hosting.azure_pipelines import NumberInput, PublishedData
from epkit.core.http.masking import mask_url, url_secrets
from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.publishable import BOUNDED, FACTOR, SETTABLE
from epkit.core.pipeline.wires import input_name
from epkit.errors import UsageError, unwritable
from epkit.files import remote
from epkit.files.digests import digest_of
from epkit.files.pipelines import HOME
from epkit.files.wheels import pinned, write_wheel
from epkit.flows.pipeline.candidates import candidates_of
from epkit.flows.pipeline.loading import LoadedPipeline
from epkit.flows.pipeline.world import TABLE

KEPT_KEYS: Final = ("data", "label", "train", "custom", "gate")
"""Keys of the pipeline that the steps up to the gate read."""

LEFT: Final = "outputs/epkit"
"""Directory for the files of the run, `runs/` and `cache/`, among the files of the step."""

VERSION_LETTERS: Final = 16
"""Length of the part of the table's digest that is the version of its asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The files and settings of an upload.

    Args:
        code: directory with the code of the step.
        command: command of the step, in Azure's notation.
        conda: the conda environment.
        data: None if the step fetches the table from its URL.
    """

    code: Path
    command: str
    conda: Mapping[str, Any]
    data: PublishedData | None


def inputs_of(config: PipelineConfig) -> dict[str, NumberInput]:
    """Return the inputs of a pipeline at Azure: the parameters that a caller may set, with the same bounds as here.

    Azure writes an input into a shell command. So only numbers are accepted, because they cannot be commands.

    Raises:
        UsageError: a parameter is not a number.
    """
    found: dict[str, NumberInput] = {}
    for each in config.publishable:
        kind = SETTABLE[each.key]
        if kind not in (int, float):
            raise UsageError(
                f"{config.place}.publishable: {each.key} cannot be set by callers at Azure, which takes numbers alone: "
                "drop it, or publish with --backend local"
            )
        most = each.most
        if most is None and each.key in BOUNDED:
            most = FACTOR * float(config.train.get(each.key.removeprefix("train."), BOUNDED[each.key]))
        found[input_name(each.key)] = NumberInput(kind="integer" if kind is int else "number", most=most)
    return found


def make_upload(loaded: LoadedPipeline, directory: Path) -> Upload:
    """Write the files to upload.

    Args:
        directory: an empty directory.

    Raises:
        UsageError: the table's URL contains a key, a candidate is outside of the project, epkit or a package that it
            needs is not installed, or the disk is full.
    """
    config = loaded.config
    code = directory / "code"
    try:
        code.mkdir()
        wheel = write_wheel(code)
        text = tomlkit.dumps(
            {"pipelines": {config.name: {key: config.table[key] for key in KEPT_KEYS if key in config.table}}}
        )
        (code / "epkit.toml").write_text(text, encoding="utf-8")
        _copy_candidates(config, loaded.root, code)
        data = _data(loaded, directory)
    except OSError as error:
        raise unwritable(str(error.filename or directory), error) from None
    return Upload(
        code=code,
        command=_command(config, wheel.name, has_data=data is not None),
        conda={
            "name": "epkit",
            "dependencies": [
                f"python={sys.version_info[0]}.{sys.version_info[1]}",
                "pip",
                {"pip": list(pinned("train"))},
            ],
        },
        data=data,
    )


def _command(config: PipelineConfig, wheel: str, *, has_data: bool) -> str:
    """Return the command of the step. It installs only epkit's wheel, and leaves its files even if it fails."""
    sets = ["--set \"data='${{inputs.data}}'\""] if has_data else []
    keys = [each.key for each in config.publishable]
    sets += [f"$[[--set {key}=${{{{inputs.{input_name(key)}}}}}]]" for key in keys]
    home = f"{HOME}/{config.name}"
    return " ".join(
        [
            f"python -m pip install --quiet --no-deps --no-index ./{wheel} &&",
            f"{{ EPKIT_CONFIG=epkit.toml python -m epkit pipeline run {config.name} --to gate", *sets, "; code=$?;",
            f"mkdir -p {LEFT} && rm -f {home}/cache/*/{TABLE} && cp -r {home}/runs {home}/cache {LEFT}; exit $code; }}",
        ]
    )  # fmt: skip


def _copy_candidates(config: PipelineConfig, root: Path, code: Path) -> None:
    """Copy the entries of `custom` to the same paths in the upload.

    Raises:
        UsageError: one is outside of the project.
        OSError: one cannot be copied.
    """
    found = candidates_of(config, root)
    files = [make.rpartition(":")[0] for make in (*found.makes, *(make for _, make in found.rules))]
    for source in (*map(Path, files), *(path for _, path in found.models)):
        place = Path(os.path.relpath(source, root))
        if place.is_absolute() or ".." in place.parts:
            raise UsageError(f"{config.place}.custom: {source} lies outside {root}, and is not uploaded: move it there")
        target = code / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)


def _data(loaded: LoadedPipeline, directory: Path) -> PublishedData | None:
    """Make the table's asset. The file's new name keeps only the suffix: Azure writes the name into a shell command.

    Raises:
        UsageError: the table does not exist or cannot be read, or its URL contains a key.
        OSError: it cannot be copied.
    """
    config = loaded.config
    if remote.is_remote(config.data):
        if url_secrets(config.data):
            raise UsageError(
                f"{config.place}.data: {mask_url(config.data)} holds a key, which would go to Azure: name a file, or a "
                "URL without it"
            )
        return None
    path = loaded.root / Path(config.data).expanduser()
    if not path.exists():
        raise UsageError(f"{config.place}.data: there is no {path}")
    version = digest_of(path, config.data)[:VERSION_LETTERS]
    target = path
    if not path.is_dir():
        kind = re.search(r"(\.[A-Za-z0-9]{1,8}){1,2}$", path.name)
        target = directory / f"table{kind[0] if kind else ''}"
        shutil.copyfile(path, target)
    name = f"epkit-{config.name}-data"
    return PublishedData(name=name, version=version, path=str(target), is_directory=path.is_dir())
