"""What a step of a pipeline is, and what it knows of the run that it is part of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Protocol

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.pipeline.steps import StepName, StepResult
from epkit.flows.context import Context

Before = Mapping[StepName, StepResult]
"""What the steps before left, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model that the pipeline serves, or last let pass.

    Args:
        model: its directory, which nobody writes to.
        card: `card.json` of it.
        sha256: of its files together, as `files.model_directory.digest` has it.
        endpoint: that serves it, None for a pipeline that does not deploy.
        run: of this pipeline that put it there, None where another command did.
        data: directory of what the step `data` kept of the table that it was trained on, None where that is gone.
    """

    model: Path
    card: Mapping[str, Any]
    sha256: str
    endpoint: str | None
    run: int | None
    data: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a step knows of its run.

    Args:
        context: its working directory is that of `epkit.toml`, which paths of the configuration are relative to.
        run: number of the run.
        directory: of the run, which exists.
        cache: directory of what is kept by key: `cache/KEY/`.
        champion: None before the first model was let pass.
        show: shows one line of progress; each is in the step's log too.
        stopped: tells which signal came, None before; a step that takes long asks now and then.
    """

    context: Context
    config: PipelineConfig
    run: int
    directory: Path
    cache: Path
    champion: Champion | None
    show: Callable[[str], None]
    stopped: Callable[[], Signals | None]


class Step(Protocol):
    """A step: what went before in, a value out."""

    @property
    def name(self) -> StepName:
        """The name of the step."""

    def key(self, before: Before, world: World) -> str | None:
        """Return the content address of what the step depends on; None where it is never reused from the cache.

        Raises:
            EpkitError: something that it depends on cannot be read.
        """

    def run(self, before: Before, world: World) -> StepResult:
        """Do it.

        A kept step writes its files into `world.cache / KEY` by a rename, whole or not at all.

        Raises:
            EpkitError: it failed; one line, and the exit code of the class.
        """

    def undo(self, world: World) -> None:
        """Take back what the step put up, after it or a later step failed; twice does no harm.

        Raises:
            EpkitError: it cannot be taken back; what is left, and what to do.
        """
