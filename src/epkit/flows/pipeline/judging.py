"""Judges a model on rows that it was not trained on: its metrics, the champion, and the gates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from epkit.core.train import cohorts, gates, intervals
from epkit.core.train.calibration import calibration
from epkit.core.train.gates import Evidence, GateExpression
from epkit.core.train.metrics import Metrics, names_of
from epkit.core.train.report import Cohort, Figure, Gate
from epkit.errors import UsageError
from epkit.flows.pipeline.rows import LabelledTable, answered, loaded, new_places, unseen_test_rows
from epkit.flows.pipeline.world import Champion
from epkit.flows.train.unseen import column_names
from epkit.served.model import Model

NO_ROWS: Final = "there is no row that the model was not trained on"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionComparison:
    """A comparison of the model with the champion on rows that neither was trained on.

    Args:
        rows: number of rows.
        figures: the champion's metrics.
        differences: the model's metric minus the champion's.
        new: the same for the rows that the champion's table did not have. None if there are too few of them, or if all
            rows are such rows.
    """

    rows: int
    figures: Mapping[str, Figure]
    differences: Mapping[str, Figure]
    new: "ChampionComparison | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The results of judging.

    Args:
        rows: number of rows on which the model was judged.
        gates: in their order, without those against a champion that does not exist.
        left_out: the expressions of those gates.
        worst: the worst cohort; None if no cohort has enough rows.
    """

    rows: int
    figures: Mapping[str, Figure]
    gates: tuple[Gate, ...]
    left_out: tuple[str, ...]
    comparison: ChampionComparison | None
    worst: Cohort | None


def judge_model(
    table: LabelledTable,
    model: Model,
    champion: Champion | None,
    expressions: Sequence[GateExpression],
    *,
    foreign: bool,
) -> Verdicts:
    """Judge a model on test rows.

    Args:
        champion: the champion to compare with; None if there is none.
        foreign: whether the model comes from another training, which may have used some of the test rows.

    Raises:
        UsageError: a gate names a column or a metric that does not exist.
    """
    places = unseen_test_rows(table, model) if foreign else table.test
    rows = answered(model, table, places)
    shared, at, new, problem = None, places, places[:0], None
    if champion is not None:
        try:
            other = loaded(champion.model, table, "the champion")
            at = np.intersect1d(places, unseen_test_rows(table, other))
            new = np.intersect1d(at, new_places(table, other, champion))
            shared = answered(model, table, at), answered(other, table, at)
        except UsageError as error:  # the label or a column has changed since the champion was trained
            problem = str(error)
    wanted = [each for each in expressions if shared is not None or not each.base]
    verdicts = judge_gates(table, places, rows, wanted, shared=shared, shared_places=at)
    judged = list(verdicts.gates)
    if problem is not None:
        judged += [_not_judged(each.expression, problem, 0) for each in expressions if each.base]
    groups = _groups(table, places)
    names = measured_by(rows)
    comparison = None
    if shared is not None:
        comparison = _compare(names, table, shared, at, np.isin(at, new))
    found = cohorts.cohorts(rows, verdicts.cuts, groups) if len(places) else ()
    return Verdicts(
        rows=len(places),
        figures=intervals.figures(names, rows, groups=groups) if len(places) else {},
        gates=tuple(judged),
        left_out=tuple(each.expression for each in expressions if champion is None and each.base),
        comparison=comparison,
        worst=next((each for each in found if each.rows >= gates.LEAST_ROWS), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatesJudged:
    """Gates with their verdicts, and the cohorts of the rows."""

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
    """Judge gates from the answers of a model.

    Args:
        places: places of *rows* in the examples.
        shared: the model and the champion on the rows *shared_places*.

    Raises:
        UsageError: a gate names a column or a metric that does not exist.
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
    """Return the names of a task's metrics; for two classes, the accuracy at the threshold too."""
    names = names_of(rows.label.task)
    return (*names, "accuracy_at_threshold") if rows.label.task == "binary" else names


def figures_plain(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures as plain JSON."""
    return {
        name: {"value": figure.value, "ci95": None if figure.ci95 is None else list(figure.ci95)}
        for name, figure in figures.items()
    }


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


def _compare(
    names: Sequence[str], table: LabelledTable, shared: tuple[Metrics, Metrics], places: np.ndarray, new: np.ndarray
) -> ChampionComparison:
    """Compare the model with the champion.

    Args:
        places: places of the rows of *shared* in the examples.
        new: bool for each row: whether the champion's table did not have it.
    """
    if not len(places):
        return ChampionComparison(rows=0, figures={}, differences={})
    own, other = shared
    groups = _groups(table, places)
    on_new = None
    if gates.LEAST_SHARED <= int(new.sum()) < len(new):
        on_new = _compare(names, table, (own[new], other[new]), places[new], new[:0])
    return ChampionComparison(
        rows=len(places),
        figures=intervals.figures(names, other, groups=groups),
        differences=intervals.differences(names, own, other, groups=groups),
        new=on_new,
    )
