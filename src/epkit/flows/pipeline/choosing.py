"""The model that was trained beside models that the user has already: which one goes on to the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epkit.core.report.wording import plural
from epkit.core.train import intervals
from epkit.core.train.gates import LEAST_SHARED
from epkit.core.train.metrics import GREATER_IS_BETTER
from epkit.core.train.report import TrainReport
from epkit.files import model_directory
from epkit.flows.pipeline.candidates import candidates_of
from epkit.flows.pipeline.rows import LabelledTable, answered, labelled, loaded, unseen_test_rows
from epkit.flows.pipeline.world import World
from epkit.served.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCandidate:
    """Which model goes on.

    Args:
        winner: how the user named it; None for the one that was trained.
        line: what the terminal shows, empty for the one that was trained.
        compared: of each model of the user, how it went, as plain JSON.
    """

    winner: str | None
    line: str
    compared: tuple[Mapping[str, Any], ...]


def choose(world: World, data: Mapping[str, Any], report: TrainReport, trained: Path) -> ChosenCandidate:
    """Compare, and put the winner in the place of the model that was trained.

    A model of the user wins only if it is better on the test rows by the whole interval of the paired difference, of
    rows that it was not trained on either; of two that win the one that is better by more.

    Args:
        data: result of the step `data`.
        trained: the directory of the model, which is written over where another one wins.

    Raises:
        UsageError: a model of the user cannot be read, or predicts something else.
    """
    models = candidates_of(world.config, world.context.cwd).models
    if not models:
        return ChosenCandidate(winner=None, line="", compared=())
    table = labelled(world, data)
    own = loaded(trained, table, "the model that was trained")
    sign = 1.0 if GREATER_IS_BETTER[report.metric] else -1.0
    compared = []
    best: tuple[float, str, Path] | None = None
    for name, path in models:
        where = f"{world.config.place}.custom: {name}"
        found = _compared(table, own, loaded(path, table, where), report.metric)
        if found["better"] and (best is None or sign * found["difference"] > best[0]):
            best = (sign * found["difference"], name, path)
        compared.append({"name": name, **found})
    if best is None:
        return ChosenCandidate(winner=None, line="", compared=tuple(compared))
    gain, name, path = best
    model_directory.write(trained, model_directory.read(path, f"{world.config.place}.custom"), overwrite=True)
    line = f"{name}: {report.metric} better by {gain:.4f} than what was trained"
    return ChosenCandidate(winner=name, line=line, compared=tuple(compared))


def _compared(table: LabelledTable, own: Model, other: Model, metric: str) -> dict[str, Any]:
    places = unseen_test_rows(table, other)
    why = f"{plural(len(places), 'test row')} that it was not trained on, and {LEAST_SHARED} are wanted"
    nothing = {"rows": len(places), "difference": None, "ci95": None, "better": False}
    if len(places) < LEAST_SHARED:
        return {**nothing, "reason": why}
    difference = intervals.difference(metric, answered(other, table, places), answered(own, table, places))
    if difference is None or difference.ci95 is None:
        return {**nothing, "reason": f"these rows do not define {metric}"}
    low, high = difference.ci95
    better = low > 0 if GREATER_IS_BETTER[metric] else high < 0
    return {
        "rows": len(places),
        "difference": difference.value,
        "ci95": [low, high],
        "better": bool(better),
        "reason": None,
    }
