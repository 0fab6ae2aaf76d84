"""Explains the chosen model: why it answers as it does, where it is wrong, and which columns may reveal the label."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from epkit.core.train import effects, importance, intervals, leaks
from epkit.core.train.metrics import Metrics
from epkit.core.train.plan import Candidate, Family, TrainPlan
from epkit.core.train.problem import Examples
from epkit.core.train.report import Effect, ErrorLeaf, Figure, Importance, Leak, RunInfo
from epkit.flows.train.choosing import Chosen, SearchRows
from epkit.flows.train.examples import TrainingMaterial
from epkit.flows.train.judging import Judgement
from epkit.flows.train.search import refit
from epkit.learners import contributions, errors
from epkit.learners.base import LearnerError

MOST_LEAKS: Final = 3
"""Number of columns without which the model is fitted again: each fit costs as much as a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The parts of the report about the model other than its metrics."""

    importance: tuple[Importance, ...]
    engineered: tuple[Importance, ...]
    effects: tuple[Effect, ...]
    errors: tuple[ErrorLeaf, ...]


def explain(material: TrainingMaterial, chosen: Chosen, judgement: Judgement, plan: TrainPlan) -> Explanation:
    """Explain the model on the test rows; if there are none, on its training rows."""
    search = material.search
    places = material.test if judgement.test_rows is not None else search.places[chosen.judged]
    rows = judgement.test_rows or chosen.rows
    examples = search.examples.take(places)
    members = [(weight, fitted) for weight, _, fitted in chosen.members]
    features, outputs = search.examples.features, search.examples.label.outputs
    drawn = importance.sample(
        len(examples), plan.seed, contributions.rows_to_explain(members, len(features), outputs, importance.MOST_ROWS)
    )
    found = contributions.contributions(members, examples.matrix[drawn])
    permuted = importance.permutation(
        chosen.margins, examples.matrix[drawn], examples.y[drawn], examples.label, search.metric, features,
        seed=plan.seed,
    )  # fmt: skip
    if found is None:
        # A user's own estimator: only the loss after shuffling is known.
        lost = {name: max(0.0, figure.value) for name, figure in permuted.items()}
        total = sum(lost.values()) or 1.0
        named = sorted(lost, key=lambda name: -lost[name])
        by_column = tuple(Importance(name=n, share=lost[n] / total, permutation=permuted[n]) for n in named)
        by_feature: tuple[Importance, ...] = ()
    else:
        by_column = importance.by_column(found.values, features, permuted)
        by_feature = importance.by_feature(found.values, examples.matrix[drawn], search.examples)
    return Explanation(
        importance=by_column,
        engineered=by_feature,
        effects=effects.effects(chosen.margins, examples, [each.name for each in by_column], seed=plan.seed),
        errors=errors.error_tree(examples, rows),
    )


def leaking(
    search: SearchRows, chosen: Chosen, plan: TrainPlan, stopped: Callable[[], object], *, show: Callable[[str], None]
) -> tuple[Leak, ...]:
    """Find columns that alone predict the label too well, and measure the model without each of them.

    Args:
        stopped: whether to fit nothing more.
        show: called with the name of the next step.
    """
    found: list[Leak] = []
    run = _leader(chosen)
    examples = search.examples
    show("looking for columns that know too much")
    for column, alone in leaks.suspects(examples.take(search.places)):
        without = None
        if run is not None and len(found) < MOST_LEAKS and not stopped():
            show(f"fitting the model without {column}")
            without = _without(search, run, examples.without(column), plan)
        found.append(Leak(column=column, alone=alone, without=without, disguise=alone > leaks.DISGUISE))
    return tuple(found)


def _leader(chosen: Chosen) -> RunInfo | None:
    """Return the best run of a library's learner: it is fitted again without a column."""
    own = [run for run in chosen.ranked if run.state == "done" and run.family not in ("vote", "custom", "naive")]
    return own[0] if own else None


def _without(search: SearchRows, run: RunInfo, examples: Examples, plan: TrainPlan) -> Figure | None:
    """Judge a run in the same folds on other columns; None if no column is left, or it cannot be fitted."""
    if not examples.features:
        return None
    candidate = Candidate(run=run.run, family=cast("Family", run.family), parameters=run.parameters)
    margins = np.full((len(search.places), examples.label.outputs), np.nan)
    try:
        for train, valid in search.folds:
            fitted = refit(candidate, examples, search.places[train], run.rounds, plan)
            margins[valid] = fitted.margins(examples.matrix[search.places[valid]])
    except LearnerError:
        return None
    judged = ~np.isnan(margins).any(axis=1)
    groups = None if search.groups is None else search.groups[judged]
    rows = Metrics(search.y[judged], margins[judged], examples.label)
    return intervals.figure(search.metric, rows, folds=search.fold[judged], groups=groups)
