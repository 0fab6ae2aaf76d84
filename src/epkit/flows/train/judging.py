"""Judges the chosen model on rows that it was not trained on: its metrics, the model in use, and the gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from epkit.core.shortening import cut
from epkit.core.train import cohorts, columns, gates, intervals
from epkit.core.train.cohorts import Cut
from epkit.core.train.gates import Evidence, GateExpression
from epkit.core.train.judged import judge_rows
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Examples
from epkit.core.train.report import Base, Cohort, Gate, JudgedRows
from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.flows.train.choosing import Chosen
from epkit.flows.train.examples import TrainingMaterial
from epkit.flows.train.unseen import check_label, column_names, held_out_by
from epkit.served.model import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InUse:
    """The model in use, and its answers for the rows that neither it nor the new model was trained on.

    Args:
        path: as the user named it.
        places: places of these rows in the examples.
        margins: margins of the model in use, one row for each of these rows.
        threshold: for a binary task.
    """

    path: str
    places: np.ndarray
    margins: np.ndarray
    threshold: float | None

    def metrics(self, examples: Examples) -> Metrics:
        """Return these rows with its margins."""
        return Metrics(examples.y[self.places], self.margins, examples.label, threshold=self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """The results of judging.

    Args:
        test_rows: with the margins of the fitted model; None if there are no test rows.
    """

    test_rows: Metrics | None
    out_of_fold: JudgedRows
    test: JudgedRows | None
    cohorts: tuple[Cohort, ...]
    base: Base | None
    gates: tuple[Gate, ...]


def in_use(path: str, material: TrainingMaterial, cwd: Path) -> InUse:
    """Read the model in use, and compute its answers for the rows that neither model was trained on.

    Its card has the rule that chose its own test rows. If this rule cannot be applied to this table, no row is known to
    be new to it, and gates against it are not judged.

    Raises:
        UsageError: there is no model, or it predicts another label.
    """
    import epkit.served.custom  # noqa: F401 - reads the models that are a user's own estimators

    where = f"--base {path}"
    try:
        model = Model.load(cwd / path)
    except OSError as error:
        raise model_directory.no_model(cwd / path, where, error) from None
    except (ValueError, KeyError) as error:
        raise UsageError(f"--base {cut(str(error), 300)}") from None
    examples = material.search.examples
    check_label(model, examples.label, where)
    unseen = held_out_by(model, material.table.frame, material.learned, material.table.name)
    places = material.test[unseen[material.test]]
    frame = material.table.frame[material.learned.rows[places]]
    matrix = columns.encode(frame, model.card["columns"], material.table.name)
    threshold = (model.card.get("threshold") or {}).get("value")
    return InUse(path=path, places=places, margins=model.scorer.margins(matrix), threshold=threshold)


def judge(
    material: TrainingMaterial,
    chosen: Chosen,
    expressions: Sequence[GateExpression],
    base: InUse | None,
    *,
    columns_shown: Sequence[str] | None,
    pairs: Sequence[tuple[str, str]],
) -> Judgement:
    """Judge the model: out-of-fold rows, test rows, cohorts, the base, gates.

    Args:
        columns_shown: columns whose cohorts are reported, None for all.

    Raises:
        UsageError: the model has no such column.
    """
    examples, search = material.search.examples, material.search
    groups = search.groups
    folds = search.fold[chosen.judged]
    judged_groups = None if groups is None else groups[chosen.judged]
    out_of_fold = judge_rows(chosen.rows, folds=folds, groups=judged_groups)
    places, rows = search.places[chosen.judged], chosen.rows
    test = None
    if len(material.test):
        places, judged_groups = material.test, None if examples.groups is None else examples.groups[material.test]
        rows = Metrics(
            examples.y[places],
            chosen.margins(examples.matrix[places]),
            examples.label,
            threshold=None if chosen.threshold is None else chosen.threshold.value,
        )
        test = judge_rows(rows, groups=judged_groups)
    named = gates.check(expressions, examples.label, column_names(examples), base=base is not None)
    shown = None if columns_shown is None else (*columns_shown, *named)
    found = cohorts.cuts(examples.take(places), shown, pairs)
    shared = None if base is None else _shared(material, chosen, base)
    evidence = Evidence(
        rows=rows,
        ece=(test or out_of_fold).ece,
        cuts=found,
        groups=judged_groups,
        shared=shared,
        shared_groups=None if base is None or examples.groups is None else examples.groups[base.places],
    )
    return Judgement(
        test_rows=None if test is None else rows,
        out_of_fold=out_of_fold,
        test=test,
        cohorts=cohorts.cohorts(rows, _asked_for(found, columns_shown), judged_groups),
        base=None if base is None or shared is None else _beside(base, *shared),
        gates=tuple(gates.judge(expression, evidence) for expression in expressions),
    )


def _asked_for(found: Sequence[Cut], columns_shown: Sequence[str] | None) -> list[Cut]:
    """Leave out cohorts that only a gate needs."""
    if columns_shown is None:
        return list(found)
    return [each for each in found if len(each.columns) > 1 or each.columns[0] in columns_shown]


def _shared(material: TrainingMaterial, chosen: Chosen, base: InUse) -> tuple[Metrics, Metrics]:
    examples = material.search.examples
    own = Metrics(
        examples.y[base.places],
        chosen.margins(examples.matrix[base.places]),
        examples.label,
        threshold=None if chosen.threshold is None else chosen.threshold.value,
    )
    return own, base.metrics(examples)


def _beside(base: InUse, own: Metrics, other: Metrics) -> Base:
    names = [name for name in ("AUC", "accuracy", "log_loss", "rmse", "mae", "r2") if _measured(name, own)]
    differences = {name: intervals.difference(name, own, other) for name in names}
    return Base(
        path=base.path,
        rows=len(base.places),
        metrics=intervals.figures(names, other),
        differences={name: figure for name, figure in differences.items() if figure is not None},
    )


def _measured(name: str, rows: Metrics) -> bool:
    return (name in ("rmse", "mae", "r2")) == (rows.label.task == "regression") and len(rows.y) > 0
