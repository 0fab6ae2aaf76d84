"""Loads the pipeline that the user names: its settings from `epkit.toml`, changed by `--set`, and its store."""

import copy
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from epkit.core.pipeline.config import PipelineConfig, read_pipeline
from epkit.core.shortening import cut
from epkit.endpoint.config import FILENAME
from epkit.endpoint.finding import find_config
from epkit.errors import UsageError
from epkit.files.pipelines import PipelineStore
from epkit.flows.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPipeline:
    """A pipeline and its place.

    Args:
        root: the directory of `epkit.toml`.
        context: the caller's, with *root* as the working directory.
    """

    config: PipelineConfig
    root: Path
    store: PipelineStore
    context: Context


def load(name: str, context: Context, changes: Sequence[str] = ()) -> LoadedPipeline:
    """Find a pipeline.

    Args:
        changes: each is `KEY=VALUE` and replaces a value of the file.

    Raises:
        UsageError: there is no `epkit.toml` or no such pipeline, or its settings are wrong.
    """
    found = find_config(context.cwd, context.environ)
    if found is None:
        raise UsageError(f"there is no {FILENAME}: epkit pipeline init {cut(name, 60)} TABLE --label COLUMN writes one")
    config = found.pipeline(name)
    if found.found:
        context.note(f"the pipeline {name} comes from {found.path}, which was found above this directory")
    root = found.path.absolute().parent
    return LoadedPipeline(
        config=changed(config, changes),
        root=root,
        store=PipelineStore(root, name),
        context=replace(context, cwd=root),
    )


def names(context: Context) -> tuple[str, ...]:
    """Return the names of all pipelines."""
    found = find_config(context.cwd, context.environ)
    return () if found is None else tuple(found.pipelines)


def changed(config: PipelineConfig, changes: Sequence[str], flag: str = "--set ") -> PipelineConfig:
    """Return a configuration with changed values.

    Args:
        changes: each is `KEY=VALUE`. KEY may be dotted; VALUE is TOML, otherwise it is taken as a text.
        flag: text before the name of a key in messages.

    Raises:
        UsageError: a key is unknown, or its value is wrong.
    """
    if not changes:
        return config
    table: dict[str, Any] = copy.deepcopy(dict(config.table))
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{flag}{cut(change, 60)}: must be KEY=VALUE, such as train.runs=4")
        *path, last = key.strip().split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError(f"{flag}{cut(change, 60)}: {part} is no table")
        inner[last] = _value(text.strip())

    def refuse(at: tuple[str, ...], why: str) -> NoReturn:
        raise UsageError(f"{flag}{cut('.'.join(at), 60)}: {why}") from None

    return read_pipeline(config.name, table, config.place, refuse)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        return text
