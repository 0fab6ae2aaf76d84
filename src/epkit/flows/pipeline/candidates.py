"""What `custom` of a pipeline names: functions that `epkit train` tries among its own, and models that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.shortening import cut
from epkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The candidates of the user.

    Args:
        makes: `FILE.py:make` each, as `epkit train --custom` takes them.
        models: directories of models, as they were named and where they are.
    """

    makes: tuple[str, ...]
    models: tuple[tuple[str, Path], ...]


def candidates_of(config: PipelineConfig, root: Path) -> Candidates:
    """Find out what each candidate is.

    `module:function` is a function in a file below *root*, whose name the module's is: nothing is imported here.

    Args:
        root: the directory of `epkit.toml`.

    Raises:
        UsageError: one is none of these, or is not there; one line.
    """
    makes: list[str] = []
    models: list[tuple[str, Path]] = []
    for given in config.custom:
        where = f"{config.place}.custom: {cut(given, 100)}"
        file, colon, name = given.rpartition(":")
        if not colon or not name.isidentifier():
            directory = root / Path(given).expanduser()
            if not (directory / "card.json").is_file():
                raise UsageError(f"{where}: is neither FILE.py:make, nor module:function, nor the directory of a model")
            models.append((given, directory))
            continue
        path = root / _file_of(file, where)
        if not path.is_file():
            raise UsageError(f"{where}: there is no file {path}")
        makes.append(f"{path}:{name}")
    return Candidates(makes=tuple(makes), models=tuple(models))


def _file_of(text: str, where: str) -> Path:
    if text.endswith(".py"):
        return Path(text).expanduser()
    parts: Sequence[str] = text.split(".")
    if not all(part.isidentifier() for part in parts):
        raise UsageError(f"{where}: is neither FILE.py:make, nor module:function, nor the directory of a model")
    return Path(*parts[:-1], f"{parts[-1]}.py")
