"""How good a model is on rows that it was not trained on, beside the champion, and by the gates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from epkit.core.train import cohorts, gates, intervals
from epkit.core.train.calibration import calibration
from epkit.core.train.gates import Evidence, GateExpression
from epkit.core.train.metrics import Metrics, names_of
from epkit.core.train.report import Cohort, Figure, Gate
from epkit.errors import UsageError
from epkit.flows.pipeline.choosing import unseen_test_rows
from epkit.flows.pipeline.rows import LabelledTable, answered, loaded
from epkit.flows.train.unseen import column_names
from epkit.served.model import Model

NO_ROWS: Final = "there is no row that the model was not trained on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The model beside the champion, on rows that neither was trained on.

    Args:
        rows: how many.
        figures: of the champion.
        differences: the model's metric less the champion's.
    """

    rows: int
    figures: Mapping[str, Figure]
    differences: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What came of judging.

    Args:
        rows: that the model was judged on.
        gates: in their order; those against a champion that is not there are left out.
        left_out: expressions of these.
        worst: of the cohorts, None where none has rows enough.
    """

    rows: int
    figures: Mapping[str, Figure]
    gates: tuple[Gate, ...]
    left_out: tuple[str, ...]
    beside: Beside | None
    worst: Cohort | None


def judge_model(
    table: LabelledTable,
    model: Model,
    champion: Path | None,
    expressions: Sequence[GateExpression],
    *,
    foreign: bool,
) -> Verdicts:
    """Judge a model on test rows.

    Args:
        champion: directory of the model that it is compared with; None for none.
        foreign: whether another training made the model, which may have seen some of the test rows.

    Raises:
        UsageError: a gate names a column or a metric that is not there.
    """
    places = unseen_test_rows(table, model) if foreign else table.test
    rows = answered(model, table, places)
    shared, at, problem = None, places, None
    if champion is not None:
        try:
            other = loaded(champion, table, "the champion")
            at = np.intersect1d(places, unseen_test_rows(table, other))
            shared = answered(model, table, at), answered(other, table, at)
        except UsageError as error:  # the label or a column has changed since it was trained
            problem = str(error)
    wanted = [each for each in expressions if shared is not None or not each.base]
    verdicts = judge_gates(table, places, rows, wanted, shared=shared, shared_places=at)
    judged = list(verdicts.gates)
    if problem is not None:
        judged += [_not_judged(each.expression, problem, 0) for each in expressions if each.base]
    groups = _groups(table, places)
    names = measured_by(rows)
    found = cohorts.cohorts(rows, verdicts.cuts, groups) if len(places) else ()
    return Verdicts(
        rows=len(places),
        figures=intervals.figures(names, rows, groups=groups) if len(places) else {},
        gates=tuple(judged),
        left_out=tuple(each.expression for each in expressions if champion is None and each.base),
        beside=None if shared is None else _beside(names, *shared, _groups(table, at)),
        worst=next((each for each in found if each.rows >= gates.LEAST_ROWS), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatesJudged:
    """Gates with their verdicts, and the cohorts that rows were cut into."""

    gates: tuple[Gate, ...]
    cuts: tuple[cohorts.Cut, ...]


def judge_gates(
    table: LabelledTable,
    places: np.ndarray,
    rows: Metrics,
    expressions: Sequence[GateExpression],
    *,
    shared: tuple[Metrics, Metrics] | None = None,
    shared_places: np.ndarray | None = None,
) -> GatesJudged:
    """Judge gates by the answers of a model.

    Args:
        places: of *rows* in the examples.
        shared: the model and the champion on *shared_places*.

    Raises:
        UsageError: a gate names a column or a metric that is not there.
    """
    examples = table.learned.examples
    gates.check(expressions, examples.label, column_names(examples), base=shared is not None)
    cuts = cohorts.cuts(examples.take(places)) if len(places) else ()
    evidence = Evidence(
        rows=rows,
        ece=calibration(rows)[1] if len(places) else None,
        cuts=cuts,
        groups=_groups(table, places),
        shared=shared,
        shared_groups=None if shared_places is None else _groups(table, shared_places),
    )
    judged = tuple(
        gates.judge(each, evidence) if len(places) else _not_judged(each.expression, NO_ROWS, 0) for each in expressions
    )
    return GatesJudged(gates=judged, cuts=cuts)


def measured_by(rows: Metrics) -> tuple[str, ...]:
    """Return the names of the metrics of a task; of two classes with the one at the threshold."""
    names = names_of(rows.label.task)
    return (*names, "accuracy_at_threshold") if rows.label.task == "binary" else names


def figure_plain(figure: Figure) -> dict[str, Any]:
    """Return a figure as plain JSON."""
    return {"value": figure.value, "ci95": None if figure.ci95 is None else list(figure.ci95)}


def _not_judged(expression: str, why: str, rows: int) -> Gate:
    return Gate(
        expression=expression,
        state="not judged",
        observed=None,
        ci95=None,
        wanted=None,
        rows=rows,
        reason=f"cannot be judged: {why}",
    )


def _groups(table: LabelledTable, places: np.ndarray) -> np.ndarray | None:
    groups = table.learned.examples.groups
    return None if groups is None else groups[places]


def _beside(names: Sequence[str], own: Metrics, other: Metrics, groups: np.ndarray | None) -> Beside:
    if not len(own.y):
        return Beside(rows=0, figures={}, differences={})
    return Beside(
        rows=len(own.y),
        figures=intervals.figures(names, other, groups=groups),
        differences=intervals.differences(names, own, other, groups=groups),
    )
