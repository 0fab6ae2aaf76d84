"""What a step of a pipeline knows of the run that it is part of."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Final

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.flows.context import Context

TABLE: Final = "table.parquet"
"""The table that the step `data` keeps, with which a later one is compared once its model is the champion."""

Before = Mapping[StepName, StepResult]
"""What the steps before left, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model that the pipeline serves, or last let pass.

    Args:
        model: its directory, which nobody writes to.
        card: `card.json` of it.
        sha256: of its files together, as `files.model_directory.digest` and `epkit deploy show` have it.
        endpoint: that serves it, None for a pipeline that does not deploy.
        run: of this pipeline that put it there, None where another command did.
        table: SHA-256 of the file of the table that it was trained on, None where that is not known.
        data: directory of what the step `data` kept of that table, None where it is gone.
    """

    model: Path
    card: Mapping[str, Any]
    sha256: str
    endpoint: str | None
    run: int | None
    table: str | None = None
    data: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a step knows of its run.

    Args:
        context: its working directory is that of `epkit.toml`, which paths of the configuration are relative to.
        run: number of the run.
        directory: of the run, which exists.
        cache: directory of what is kept by key: `cache/KEY/`.
        part: of a step that is kept, where it writes its files: the directory becomes `cache/KEY` once the step is ok.
            What a step that was killed wrote is still there. None for a step that is not kept.
        champion: None before the first model was let pass.
        show: shows one line of progress; each is in the step's log too.
        stopped: tells which signal came, None before; a step that takes long asks now and then, and raises
            `StepStopped`.
    """

    context: Context
    config: PipelineConfig
    run: int
    directory: Path
    cache: Path
    part: Path | None = None
    champion: Champion | None = None
    show: Callable[[str], None]
    stopped: Callable[[], Signals | None]

    def path(self, outcome: StepResult, name: str) -> Path:
        """Return where a file is that a step left.

        Args:
            name: a key of `StepResult.files`.
        """
        return Path(os.path.normpath(self.directory / outcome.files[name]))


class StepStopped(Exception):  # noqa: N818 - nothing went wrong
    """A step ended because the user wanted it; `signal` is what came."""

    def __init__(self, signal: Signals) -> None:
        super().__init__(signal.name)
        self.signal = signal
