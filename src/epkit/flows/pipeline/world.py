"""What a step of a pipeline can use: the run that it is part of, and the champion."""

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
"""The file in which the step `data` stores the table. If the run's model becomes champion, later tables use it."""

Before = Mapping[StepName, StepResult]
"""The results of earlier steps, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model that the pipeline serves, or the last one that passed its gates.

    Args:
        model: its directory; nothing writes to it.
        card: contents of its `card.json`.
        sha256: hash of all its files, from `files.model_directory.digest`; `epkit deploy show` has it too.
        endpoint: the endpoint that serves it; None for a pipeline that does not deploy.
        run: the run of this pipeline that deployed it; None if another command did.
        table: SHA-256 of the file of its training table; None if it is not known.
        data: directory in which the step `data` stored that table; None if it is gone.
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
    """The run, as its steps see it.

    Args:
        context: its working directory is that of `epkit.toml`; paths of the configuration are relative to it.
        run: number of the run.
        directory: existing directory of the run.
        cache: directory of stored results: `cache/KEY/`.
        part: directory for the files of a step with a key; it becomes `cache/KEY` when the step is ok. Files of a
            killed step are still in it. None for a step without a key.
        champion: None if no model has passed yet.
        show: shows one line of progress, and writes it to the step's log.
        stopped: returns the signal that came, or None. A long step calls it from time to time, and then raises
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
        """Return the path of a file that a step has left.

        Args:
            name: a key of `StepResult.files`.
        """
        return Path(os.path.normpath(self.directory / outcome.files[name]))


class StepStopped(Exception):  # noqa: N818 - nothing went wrong
    """A step ended because the user stopped it; `signal` is the signal that came."""

    def __init__(self, signal: Signals) -> None:
        super().__init__(signal.name)
        self.signal = signal
