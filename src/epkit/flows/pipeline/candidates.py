"""The entries of `custom` of a pipeline: functions for `epkit train` to try, and existing models."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.shortening import cut
from epkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The user's candidates.

    Args:
        makes: each is `FILE.py:make`, as for `epkit train --custom`.
        rules: functions that take rows and return predictions: the user's name, and `FILE.py:function`.
        models: directories of models: the user's name, and the path.
    """

    makes: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, Path], ...]


def candidates_of(config: PipelineConfig, root: Path) -> Candidates:
    """Find the kind of each candidate.

    `module:function` is a function in a file below *root* with the name of the module. Nothing is imported here. A
    function with an argument predicts rows; one without makes an estimator.

    Args:
        root: the directory of `epkit.toml`.

    Raises:
        UsageError: an entry is of no kind, or does not exist; one line.
    """
    makes: list[str] = []
    rules: list[tuple[str, str]] = []
    models: list[tuple[str, Path]] = []
    for given in config.custom:
        where = f"{config.place}.custom: {cut(given, 100)}"
        file, colon, name = given.rpartition(":")
        if not colon or not name.isidentifier():
            directory = root / Path(given).expanduser()
            if not (directory / "card.json").is_file():
                raise UsageError(f"{where} is neither FILE.py:make, nor module:function, nor the directory of a model")
            models.append((given, directory))
            continue
        path = root / _file_of(file, where)
        if not path.is_file():
            raise UsageError(f"{where}: there is no file {path}")
        if _takes_rows(path, name):
            rules.append((given, f"{path}:{name}"))
        else:
            makes.append(f"{path}:{name}")
    return Candidates(makes=tuple(makes), rules=tuple(rules), models=tuple(models))


def _takes_rows(path: Path, name: str) -> bool:
    """Tell whether a function in a file has an argument. Only the text of the file is read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return False  # the code that runs the file reports the mistake
    defined = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == name]
    given = defined[-1].args if defined else None
    return given is not None and len(given.posonlyargs) + len(given.args) > len(given.defaults)


def _file_of(text: str, where: str) -> Path:
    if text.endswith(".py"):
        return Path(text).expanduser()
    parts: Sequence[str] = text.split(".")
    if not all(part.isidentifier() for part in parts):
        raise UsageError(f"{where} is neither FILE.py:make, nor module:function, nor the directory of a model")
    return Path(*parts[:-1], f"{parts[-1]}.py")
