"""Chooses between the trained model and the user's own models; the winner goes to the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epkit.core.report.wording import plural
from epkit.core.train import intervals
from epkit.core.train.gates import LEAST_SHARED
from epkit.core.train.metrics import GREATER_IS_BETTER, Metrics
from epkit.core.train.report import TrainReport
from epkit.files import model_directory
from epkit.flows.pipeline.candidates import candidates_of
from epkit.flows.pipeline.rows import LabelledTable, answered, labelled, loaded, unseen_test_rows
from epkit.flows.pipeline.world import World
from epkit.served.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCandidate:
    """The model that goes to the gate.

    Args:
        winner: the user's name of it; None for the trained model.
        line: text for the terminal, empty for the trained model.
        compared: plain JSON for each model of the user: the result of its comparison.
    """

    winner: str | None
    line: str
    compared: tuple[Mapping[str, Any], ...]


def choose(world: World, data: Mapping[str, Any], report: TrainReport, trained: Path) -> ChosenCandidate:
    """Compare the models, and put the winner in the place of the trained model.

    A model of the user wins only if it is better on test rows that it was not trained on, by the whole interval of the
    paired difference. If several win, the one with the greatest difference is chosen.

    Args:
        data: result of the step `data`.
        trained: directory of the trained model; it is overwritten if another model wins.

    Raises:
        UsageError: a model of the user cannot be read, or predicts another label.
    """
    found = candidates_of(world.config, world.context.cwd)
    models = found.models
    if not models and not found.rules:
        return ChosenCandidate(winner=None, line="", compared=())
    table = labelled(world, data)
    own = loaded(trained, table, "the model that was trained")
    sign = 1.0 if GREATER_IS_BETTER[report.metric] else -1.0
    compared: list[Mapping[str, Any]] = [
        {"name": name, **_rule_compared(world, table, own, name, make, report.metric)} for name, make in found.rules
    ]
    best: tuple[float, str, Path] | None = None
    for name, path in models:
        where = f"{world.config.place}.custom: {name}"
        came = _compared(table, own, loaded(path, table, where), report.metric)
        if came["better"] and (best is None or sign * came["difference"] > best[0]):
            best = (sign * came["difference"], name, path)
        compared.append({"name": name, **came})
    if best is None:
        return ChosenCandidate(winner=None, line="", compared=tuple(compared))
    gain, name, path = best
    model_directory.write(trained, model_directory.read(path, f"{world.config.place}.custom"), overwrite=True)
    line = f"{name}: {report.metric} better by {gain:.4f} than what was trained"
    return ChosenCandidate(winner=name, line=line, compared=tuple(compared))


def _rule_compared(
    world: World, table: LabelledTable, own: Model, name: str, make: str, metric: str
) -> Mapping[str, Any]:
    """Judge a function that returns predictions. It is not known which rows its author has seen."""
    from epkit.flows.pipeline import rules  # late: the libraries that learn

    places = table.test
    if len(places) < LEAST_SHARED:
        return _too_few(len(places))
    where = f"{world.config.place}.custom: {name}"
    given = rules.predictions(make, where, table, places)
    metric = rules.metric_of(given, table.learned.examples.label, metric)
    came = _difference(rules.measured(given, where, table, places), answered(own, table, places), metric)
    if came["better"]:
        world.show(
            f"{name}: {metric} better by {abs(came['difference']):.4f} than what was trained: predictions alone cannot "
            "be deployed, an estimator or the directory of a model can"
        )
    return {**came, "metric": metric, "deployable": False}


def _compared(table: LabelledTable, own: Model, other: Model, metric: str) -> Mapping[str, Any]:
    places = unseen_test_rows(table, other)
    if len(places) < LEAST_SHARED:
        return _too_few(len(places))
    return _difference(answered(other, table, places), answered(own, table, places), metric)


def _too_few(rows: int) -> Mapping[str, Any]:
    why = f"{plural(rows, 'test row')} that it was not trained on, and {LEAST_SHARED} are needed"
    return {"rows": rows, "difference": None, "ci95": None, "better": False, "reason": why}


def _difference(other: Metrics, own: Metrics, metric: str) -> Mapping[str, Any]:
    nothing = {"rows": len(own.y), "difference": None, "ci95": None, "better": False}
    difference = intervals.difference(metric, other, own)
    if difference is None or difference.ci95 is None:
        return {**nothing, "reason": f"these rows do not define {metric}"}
    low, high = difference.ci95
    better = low > 0 if GREATER_IS_BETTER[metric] else high < 0
    return {
        "rows": len(own.y),
        "difference": difference.value,
        "ci95": [low, high],
        "better": bool(better),
        "reason": None,
    }
