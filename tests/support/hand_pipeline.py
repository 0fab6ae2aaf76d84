"""A pipeline with hand-made models in a project of its own; run as a program, it can be killed."""

import contextlib
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from epkit.core.pipeline.run import PipelineRun
from epkit.core.pipeline.steps import StepName, StepResult, key_of
from epkit.files import model_directory
from epkit.files.digests import digest_of
from epkit.flows.context import Context
from epkit.flows.pipeline.pipeline import PipelineOptions, run
from epkit.flows.pipeline.steps.base import PipelineStep
from epkit.flows.pipeline.steps.bench import BenchStep
from epkit.flows.pipeline.steps.deploy import DeployStep
from epkit.flows.pipeline.steps.prove import ProveStep
from epkit.flows.pipeline.steps.switch import SwitchStep
from epkit.flows.pipeline.steps.watch import WatchStep
from epkit.flows.pipeline.world import Before, World
from epkit.flows.target.request_options import RequestOptions, TargetOptions
from epkit.served.model import Model
from support.trained import bank_like, learned_from, write_model

TABLE, MODELS = "bank.csv", "models"
WRONG = "\n\ndef _answers(rows, method):\n    return ['yes'] * len(rows) if method == 'predict' else [[0.25, 0.75]] * len(rows)\n"
"""Code that, at the end of a script, changes its predictions."""


def make_project(directory: Path) -> None:
    """Write the table, and three models: `one`, `two`, and `wrong`, whose script gives other predictions."""
    table = bank_like(120)
    table.write_csv(directory / TABLE)
    learned = learned_from(table)
    names = [feature.name for feature in learned.examples.features]
    for name, slope in (("one", 0.004), ("two", 0.002), ("wrong", 0.003)):
        arrays = {
            "base": np.array([-2.0]),
            "linear_feature": np.array([names.index("duration")], np.int32),
            "linear_code": np.array([-1], np.int32),
            "linear_mean": np.array([0.0]),
            "linear_scale": np.array([1.0]),
            "linear_weight": np.array([[slope]]),
        }
        write_model(directory / MODELS / name, learned, arrays)
    script = directory / MODELS / "wrong" / "score.py"
    script.write_text(script.read_text() + WRONG)


def write_config(directory: Path, *lines: str) -> None:
    """Write the pipeline; the endpoints in `epkit.toml` stay."""
    path = directory / "epkit.toml"
    text = path.read_text() if path.exists() else ""
    kept = re.sub(r"^\[pipelines\.bank\]\n(?:[^\[\n].*\n|\n)*", "", text, flags=re.MULTILINE)
    path.write_text(
        "\n".join([kept + "[pipelines.bank]", f'data = "{TABLE}"', 'label = "y"', "keep = 1000", *lines, ""])
    )


@dataclass(frozen=True)
class HandData:
    """Computes only the table's hash."""

    name: StepName = "data"

    def key(self, before: Before, world: World) -> str | None:
        return key_of(step="data", table=self._sha256(world))

    def run(self, before: Before, world: World) -> StepResult:
        return StepResult(
            step="data", state="ok", result={"sha256": self._sha256(world), "file_sha256": self._sha256(world)}
        )

    def undo(self, world: World) -> None: ...

    def _sha256(self, world: World) -> str:
        return digest_of(world.context.cwd / TABLE, TABLE)


@dataclass(frozen=True)
class HandTrain:
    """Uses an existing model; its predictions for every fourth row are those of the test."""

    model: str
    name: StepName = "train"

    def key(self, before: Before, world: World) -> str | None:
        return key_of(step="train", model=self.model)

    def run(self, before: Before, world: World) -> StepResult:
        assert world.part is not None
        directory = world.part / "model"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(world.context.cwd / MODELS / self.model, directory)
        predicted(directory, world.context.cwd / TABLE).write_parquet(world.part / "predictions.parquet")
        return StepResult(
            step="train",
            state="ok",
            result={"model_sha256": model_directory.digest(directory), "kind": "run", "metric": "AUC"},
            files={"model": "model", "predictions": "predictions.parquet"},
        )

    def undo(self, world: World) -> None: ...


@dataclass(frozen=True)
class HandGate:
    """Passes, or fails."""

    passes: bool = True
    name: StepName = "gate"

    def key(self, before: Before, world: World) -> str | None:
        return key_of(step="gate", passes=self.passes)

    def run(self, before: Before, world: World) -> StepResult:
        if self.passes:
            return StepResult(step="gate", state="ok")
        return StepResult(step="gate", state="stopped", reason="AUC>=0.99: 0.7")

    def undo(self, world: World) -> None: ...


def predicted(directory: Path, table: Path) -> pl.DataFrame:
    """Return the predictions as a training stores them."""
    frame, model = pl.read_csv(table), Model.load(directory)
    chances = model.predict_proba(
        {encoder.name: frame.get_column(encoder.name).to_list() for encoder in model.encoders}
    )
    rows = np.arange(1, frame.height + 1)
    no, yes = chances[:, 0].tolist(), chances[:, 1].tolist()
    judged = ["test" if row % 4 == 0 else "fold 1" for row in rows.tolist()]
    return pl.DataFrame(
        {
            "row": rows,
            "y": frame.get_column("y"),
            "prediction": model.answers(chances),
            "probability of no": no,
            "probability of yes": yes,
            "judged": judged,
        }
    )


def steps_of(model: str, *, passes: bool = True, reach: TargetOptions | None = None) -> tuple[PipelineStep, ...]:
    """Return the steps of a pipeline with a hand-made model."""
    reach = reach or TargetOptions()
    own = (
        DeployStep(reach=reach),
        ProveStep(reach=reach),
        BenchStep(reach=reach),
        SwitchStep(reach=reach),
        WatchStep(),
    )
    return (HandData(), HandTrain(model), HandGate(passes), *own)


@dataclass(slots=True, kw_only=True)
class HandPipeline:
    """A project with a pipeline.

    Args:
        said: the messages since it was created.
    """

    directory: Path
    environ: dict[str, str]
    reach: TargetOptions = field(default_factory=TargetOptions)
    said: list[str] = field(default_factory=list)

    @property
    def context(self) -> Context:
        return Context(environ=dict(self.environ), cwd=self.directory, note=self.said.append)

    @property
    def runs(self) -> Path:
        return self.directory / ".epkit" / "pipelines" / "bank" / "runs"

    def run(self, model: str, *, passes: bool = True, **options: Any) -> PipelineRun:
        steps = steps_of(model, passes=passes, reach=self.reach)
        with contextlib.chdir(self.directory):
            return run(
                "bank",
                PipelineOptions(**options),
                self.context,
                show=lambda result: self.said.append(f"{result.step} {result.state}: {result.line}"),
                say=self.said.append,
                steps=steps,
            )


def states(ran: PipelineRun) -> dict[str, str]:
    return {result.step: result.state for result in ran.steps}


def main() -> None:
    """Run the pipeline of this directory with the named model, print the result, and exit with its code.

    The variable HAND_PROXY is the proxy of requests to endpoints.
    """
    request = RequestOptions(proxy=os.environ.get("HAND_PROXY"))
    pipeline = HandPipeline(directory=Path.cwd(), environ=dict(os.environ), reach=TargetOptions(request=request))
    ran = pipeline.run(sys.argv[1])
    print(json.dumps({"reason": ran.reason, "steps": states(ran), "said": pipeline.said}))
    sys.exit(ran.exit_code)


if __name__ == "__main__":
    main()
