"""The step `deploy`: creates the candidate next to the live model, without traffic."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from epkit.core.pipeline.steps import StepName, StepResult
from epkit.errors import UsageError, unwritable
from epkit.flows.pipeline.records import CandidateRecord, forget, load_record, saving, serves
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import TargetOptions

COPY: Final = "candidate"
"""Directory in the run's directory: the copy of the model that is deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployStep:
    """Deploys the candidate.

    Args:
        reach: how the endpoint is reached.
    """

    reach: TargetOptions = field(default_factory=TargetOptions)

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "deploy"

    def key(self, before: Before, world: World) -> str | None:  # noqa: ARG002
        """Return None: the live model is checked in every run."""
        return None

    def run(self, before: Before, world: World) -> StepResult:
        """Deploy the candidate, unless the model is already live. Before that, remove what earlier runs have left.

        Raises:
            UsageError: the model cannot be copied, or the candidate's name is already in use.
            BackendError: the backend refused; the live model stays.
        """
        from epkit.flows.pipeline.sides import (
            open_side,  # late: a step that is reused does not need the backends
        )

        side = open_side(world, self.reach)
        self._sweep(world)
        live = side.live()
        sha256 = str(before["train"].result["model_sha256"])
        if serves(live, sha256):
            assert live is not None
            return StepResult(
                step="deploy",
                state="skipped",
                line=f"{live.name} serves this model",
                result={"endpoint": live.name, "model_sha256": sha256, "candidate": None, "run": world.run},
            )
        model = world.directory / COPY / world.path(before["train"], "model").name
        copied = _copied(world.path(before["train"], "model"), model)
        if copied != sha256:
            raise UsageError(f"{model} is not the model that was trained: --from train --force")
        record = side.prepare(live, model, copied)
        saving(world.directory)(record)
        side.put_up(record)
        shown = record.name if record.backend == "local" else f"{record.endpoint}/{record.name}"
        more = f"; {record.endpoint} is there after switch" if record.first else ""
        return StepResult(
            step="deploy",
            state="ok",
            line=f"{shown}, no traffic{more}",
            result={
                "endpoint": record.endpoint,
                "model_sha256": copied,
                "candidate": asdict(record),
                "run": world.run,
            },
        )

    def undo(self, world: World) -> None:
        """Remove the candidate; before that, its traffic goes back.

        Raises:
            EpkitError: it cannot be removed.
        """
        take_away(world.directory, world, self.reach)

    def _sweep(self, world: World) -> None:
        """Remove what earlier runs have left.

        Raises:
            EpkitError: it cannot be removed.
        """
        for directory in sorted(world.directory.parent.iterdir()):
            if directory != world.directory and directory.is_dir():
                take_away(directory, world, self.reach)


def candidate_of(before: Before, world: World) -> tuple[CandidateRecord, Path] | None:
    """Return the record of the candidate, and the directory of the run that deployed it; None if `deploy` was skipped.

    Raises:
        UsageError: the candidate does not exist any more.
    """
    result: Mapping[str, Any] = before["deploy"].result
    if result["candidate"] is None:
        return None
    directory = world.directory.parent / str(result["run"])
    record = load_record(directory)
    if record is None:
        raise UsageError(f"the candidate of run {result['run']} is gone: --from deploy")
    return record, directory


def skipped(step: StepName) -> StepResult:
    """Return the result of a step with nothing to do, because the endpoint already serves the model."""
    return StepResult(step=step, state="skipped", line="the endpoint serves this model")


def take_away(directory: Path, world: World, reach: TargetOptions) -> None:
    """Remove what a run has left: the candidate, or what is left next to it if it is live by now.

    Args:
        directory: directory of the run.

    Raises:
        EpkitError: it cannot be removed.
    """
    record = load_record(directory)
    if record is None:
        return
    from epkit.flows.pipeline.sides import open_side

    open_side(world, reach, record).take_away(record)
    forget(directory)
    if record.phase != "serving":
        shutil.rmtree(directory / COPY, ignore_errors=True)


def _copied(model: Path, destination: Path) -> str:
    from epkit.flows.hosting.backends import copy_model

    try:
        destination.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(str(destination), error) from None
    return copy_model(model, destination)
