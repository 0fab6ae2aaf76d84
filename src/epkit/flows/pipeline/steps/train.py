"""The step `train`: runs `epkit train` on all labelled rows, and compares its model with the user's own."""

import io
import os
import re
import shutil
from dataclasses import replace
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import epkit
from epkit.core.pipeline.steps import StepName, StepResult, key_of
from epkit.errors import UsageError, unreadable
from epkit.files import model_directory
from epkit.flows.pipeline import table
from epkit.flows.pipeline.candidates import candidates_of
from epkit.flows.pipeline.world import Before, StepStopped, World

if TYPE_CHECKING:
    from epkit.core.train.progress import Progress
    from epkit.core.train.report import Figure, TrainReport

MODEL: Final = "model"
LIBRARIES: Final = ("lightgbm", "scikit-learn", "numpy", "polars")
"""Packages whose versions influence the model."""

UNIMPORTANT: Final = frozenset({"workers"})
"""Keys of `train` that do not influence the model."""


class TrainStep:
    """Trains."""

    @property
    def name(self) -> StepName:
        """The name of the step."""
        return "train"

    def key(self, before: Before, world: World) -> str | None:
        """Return the hash of the table, the plan, the candidates, and the versions of the libraries.

        Raises:
            UsageError: a candidate cannot be read.
        """
        config = world.config
        found = candidates_of(config, world.context.cwd)
        try:
            functions = [*found.makes, *(make for _, make in found.rules)]
            makes = [_function(make, world.context.cwd) for make in functions]
            models = [[name, model_directory.digest(path)] for name, path in found.models]
        except OSError as error:
            raise unreadable(f"{config.place}.custom: {error.filename}", error, "a candidate") from None
        return key_of(
            step="train",
            epkit=epkit.__version__,
            versions=_versions(),
            table=before["data"].result["sha256"],
            label=config.label,
            plan={name: value for name, value in config.train.items() if name not in UNIMPORTANT},
            makes=makes,
            models=models,
        )

    def run(self, before: Before, world: World) -> StepResult:
        """Train, and choose between the new model and the user's own.

        Raises:
            UsageError: the table or a candidate cannot be used.
            StepStopped: the user stopped it; finished runs are kept, and the next run continues from there.
        """
        from epkit.flows.pipeline.choosing import choose
        from epkit.flows.pipeline.judging import figures_plain
        from epkit.flows.pipeline.orders import train_options
        from epkit.flows.pipeline.rows import changed
        from epkit.flows.train.train import train

        part, data = world.part, before["data"].result
        assert part is not None
        place = os.path.relpath(part.with_suffix("") / MODEL)
        options = train_options(world.config, world.context.cwd, str(table.path_of(world)), str(part / MODEL))
        options = replace(options, shown=place)
        trained = train(options, world.context, io.BytesIO(), show=_Saying(world))
        if trained.stopped_by is not None:
            raise StepStopped(trained.stopped_by)
        report = trained.report
        if report.data.sha256 != data["sha256"]:
            raise changed(table.name_of(world))
        run = part / f"{MODEL}.run"
        shutil.rmtree(run / "oof", ignore_errors=True)  # large, and only the search needs it
        chosen = choose(world, data, report, part / MODEL)
        return StepResult(
            step="train",
            state="ok",
            line=chosen.line or _line(report),
            result={
                "model_sha256": model_directory.digest(part / MODEL),
                "metric": report.metric,
                "kind": report.best.kind if chosen.winner is None else "candidate",
                "runs": len(report.runs),
                "members": [
                    {"run": one.run, "family": one.family, "weight": one.weight} for one in report.best.members
                ],
                "validation": figures_plain(report.best.validation),
                "test": None
                if report.test is None
                else {"rows": report.test.rows, **figures_plain(report.test.metrics)},
                "candidates": list(chosen.compared),
                "warnings": list(report.warnings),
            },
            files={
                "model": MODEL,
                "train.json": f"{MODEL}.run/train.json",
                "train.html": f"{MODEL}.run/train.html",
                "predictions": f"{MODEL}.run/predictions.parquet",
            },
        )

    def undo(self, world: World) -> None:
        """Do nothing: this step deploys nothing."""


class _Saying:
    """Shows the progress of a training: one line for each run that has ended and each phase that begins."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._said: tuple[int, str | None] = (-1, None)

    def __call__(self, progress: "Progress") -> None:
        now = (progress.done, progress.phase)
        if now == self._said:
            return
        self._said = now
        if progress.phase is not None:
            self._world.show(progress.phase)
            return
        best = ""
        if progress.best is not None:
            run, family, value = progress.best
            best = f", best {progress.metric} {value:.4f} (run {run}, {family})"
        self._world.show(f"{progress.done} of {progress.total} runs{best}")


def _function(make: str, root: Path) -> tuple[str, str]:
    """Return the identity of `FILE.py:function`: its path in the project, wherever that is, and the file's hash.

    Raises:
        OSError: the file cannot be read.
    """
    file, _, name = make.rpartition(":")
    return f"{os.path.relpath(file, root)}:{name}", sha256(Path(file).read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = _version(name)
        except metadata.PackageNotFoundError:
            raise UsageError(
                "a pipeline trains, which needs lightgbm and scikit-learn: pip install 'epkit[train]'"
            ) from None
    return found


def _version(name: str) -> str:
    """Return the version of an installed package from one line of its metadata: parsing all of it takes 4 ms."""
    found = re.search(r"^Version: *(\S+)", metadata.distribution(name).read_text("METADATA") or "", re.MULTILINE)
    return found[1] if found is not None else metadata.version(name)


def _line(report: "TrainReport") -> str:
    tried = sum(run.family != "vote" for run in report.runs)
    members = report.best.members
    kind = f"vote of {len(members)}" if report.best.kind == "vote" else f"run {members[0].run}, {members[0].family}"
    figure = report.best.validation.get(report.metric)
    return f"best of {tried}: {kind}" + ("" if figure is None else f", {report.metric} {_around(figure)}")


def _around(figure: "Figure") -> str:
    if figure.ci95 is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ± {(figure.ci95[1] - figure.ci95[0]) / 2:.3f}"
