"""What a published pipeline takes along to Azure: epkit as a wheel, its table of `epkit.toml`, candidates, the rows."""

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
"""Of the pipeline's table: what the steps up to the gate read."""

LEFT: Final = "outputs/epkit"
"""Among the files of a step: what its run has left, `runs/` and `cache/`."""

VERSION_LETTERS: Final = 16
"""Of the digest of the table, which is the version of its asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is uploaded.

    Args:
        code: directory of the step.
        command: of the step, as Azure writes it.
        conda: the environment.
        data: None where the step fetches the table by its URL.
    """

    code: Path
    command: str
    conda: Mapping[str, Any]
    data: PublishedData | None


def inputs_of(config: PipelineConfig) -> dict[str, NumberInput]:
    """Return the inputs of a pipeline at Azure by name: what a caller may set, bounded as on this machine.

    Azure writes an input into the command line of a shell, so only what cannot be a command is taken: numbers.

    Raises:
        UsageError: one is no number.
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
    """Write what is uploaded.

    Args:
        directory: an empty one.

    Raises:
        UsageError: the table's URL holds a key, a candidate lies outside the project, epkit or a package that it needs
            is not installed, or the disk is full.
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
    """Return the command of the step: epkit is installed from its wheel alone, and leaves its files in any case."""
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
    """Copy what `custom` names, each to its place in the project.

    Raises:
        UsageError: one lies outside the project.
        OSError: it cannot be copied.
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
    """Name the table's asset; the file gets a name that says nothing but its kind, for Azure writes it into a shell.

    Raises:
        UsageError: there is none, or it cannot be read, or its URL holds a key.
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
