"""Chooses the model: one run, a vote of a few runs, or the user's own estimator; and estimates the gain by chance.

A vote is the weighted mean of the margins (log-odds) of its members, so it is one additive model. Its members are
selected greedily: first the best run, then repeatedly the run that improves the mean most. A run can be selected twice,
which doubles its weight. All choices use out-of-fold predictions. They are repeated for each fold on the other folds
alone. The metric of these nested choices is honest. The difference of the plain metric from it is the optimism.

The vote is chosen if its nested metric is better than that of the best single run. Otherwise the run is chosen, because
it is smaller and faster. A custom run is never part of a vote. It wins only if the interval of its paired difference
excludes 0.

Source: Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble Selection from Libraries of Models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from epkit.core.train import intervals
from epkit.core.train.metrics import GREATER_IS_BETTER, Metrics, better, canonical
from epkit.core.train.nesting import parts
from epkit.core.train.plan import Candidate
from epkit.core.train.problem import Label
from epkit.core.train.report import VoteMember
from epkit.core.train.tried import Tried
from epkit.errors import UsageError

MOST_MEMBERS: Final = 5
"""Members of a vote: each one costs time for every prediction."""

MOST_STEPS: Final = 10
"""Steps of the selection. They limit how fine the weights are."""

POOL: Final = 15
"""The number of best runs from which a vote is made."""

MOST_ROWS: Final = 50_000
"""Rows times outputs that a selection uses: more would cost minutes, and distinguish the runs no better than noise."""

LEAST_ROWS: Final = 2_000

MOST_RANKED: Final = 10
"""With at most this number of classes, a vote is selected by the metric; with more by log loss: it needs no sorting."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The model that was chosen.

    Args:
        members: its runs, with weights that sum to 1.
        margins: float64, rows × outputs: out-of-fold margins of these members; NaN for a row that no fold judged.
        nested: the same, but each fold is predicted by the choice on the other folds. Metrics are computed from it.
        optimism: how much better the metric is on *margins* than on *nested*; None if there was nothing to choose, or
            if it cannot be computed.
    """

    kind: Literal["run", "vote", "custom"]
    members: tuple[VoteMember, ...]
    margins: np.ndarray
    nested: np.ndarray
    optimism: float | None


def predicted(tried: Sequence[Tried]) -> np.ndarray:
    """Return a mask of the rows that every finished run predicted.

    Raises:
        UsageError: no run has succeeded.
    """
    done = [run.margins for run in tried if run.margins is not None]
    if not done:
        why = next((f": run {run.candidate.run} ({run.candidate.family}): {run.error}" for run in tried), "")
        raise UsageError(f"no run succeeded{why}")
    mask = np.ones(len(done[0]), bool)
    for margins in done:
        mask &= ~np.isnan(margins).any(axis=1)
    return mask


def choose(
    tried: Sequence[Tried],
    y: np.ndarray,
    label: Label,
    metric: str,
    folds: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Choice:
    """Choose the model.

    Args:
        tried: the runs in the order of their numbers; failed ones are skipped.
        y, weight, groups: for each row of the search.
        metric: the metric that chooses.
        folds: for each row, the fold that predicted it; its value does not matter for a row that no fold predicted.

    Raises:
        UsageError: no run has succeeded.
    """
    mask = predicted(tried)
    done = [run for run in tried if run.margins is not None]
    rows = _Rows(y, label, canonical(metric), weight, mask)
    nested = list(parts(folds[mask], None if groups is None else groups[mask]))
    chosen = _of_own(rows, [run for run in done if run.candidate.family != "custom"], nested)
    customs = [run for run in done if run.candidate.family == "custom"]
    if customs:
        custom = _chosen(rows, customs, nested, _best_run, "custom")
        if chosen is None or _is_clearly_better(rows, custom, chosen, None if groups is None else groups[mask]):
            chosen = custom
    assert chosen is not None, "a finished run is custom or not"
    return chosen


def as_run(choice: Choice, run: int) -> Tried:
    """Return a vote in the form of a run, the last one of the leaderboard, with its nested margins."""
    members = {str(member.run): member.weight for member in choice.members}
    return Tried(
        candidate=Candidate(run=run, family="vote", parameters=members),
        state="done",
        margins=choice.nested.astype(np.float32),
    )


class _Rows:
    """The rows on which runs are compared."""

    def __init__(self, y: np.ndarray, label: Label, metric: str, weight: np.ndarray | None, mask: np.ndarray) -> None:
        self.y, self.label, self.metric, self.weight, self.mask = y, label, metric, weight, mask
        many = label.task == "multiclass" and len(label.classes) > MOST_RANKED
        self.objective = "log_loss" if many else metric
        self.places = np.flatnonzero(mask)

    def metrics(self, margins: np.ndarray, places: np.ndarray) -> Metrics:
        """Return the metrics of some rows, from the margins of all rows."""
        weight = None if self.weight is None else self.weight[places]
        return Metrics(self.y[places], margins[places], self.label, weight)

    def value(self, metric: str, margins: np.ndarray, places: np.ndarray) -> float:
        return self.metrics(margins, places).of(metric)[0]

    def thinned(self, places: np.ndarray) -> np.ndarray:
        """Return evenly chosen places, if there are too many."""
        step = -(-len(places) // max(LEAST_ROWS, MOST_ROWS // self.label.outputs))
        return places[:: max(1, step)]


Weights = dict[int, float]
"""Weights of the members, by their place among the runs."""

Pick = Callable[[_Rows, Sequence[Tried], np.ndarray], Weights]


def _of_own(rows: _Rows, runs: Sequence[Tried], nested: list[tuple[np.ndarray, np.ndarray]]) -> Choice | None:
    """Choose between the best run and the vote; None if there is no run."""
    if not runs:
        return None
    single = _chosen(rows, runs, nested, _best_run, "run")
    vote = _chosen(rows, runs, nested, _selected, "vote")
    if len(vote.members) == 1:
        return single
    honest = [rows.value(rows.metric, choice.nested, rows.places) for choice in (vote, single)]
    return vote if better(rows.metric, *honest) else single


def _chosen(
    rows: _Rows,
    runs: Sequence[Tried],
    nested: list[tuple[np.ndarray, np.ndarray]],
    pick: Pick,
    kind: Literal["run", "vote", "custom"],
) -> Choice:
    """Choose with *pick* on all rows, and for each part of the rows on the other parts."""
    weights = pick(rows, runs, rows.places)
    plain = _mean(runs, weights)
    honest = plain
    optimism = None
    if nested and len(runs) > 1:
        honest = plain.copy()
        for others, part in nested:
            places = rows.places[part]
            honest[places] = _mean(runs, pick(rows, runs, rows.thinned(rows.places[others])), places)
        gained = rows.value(rows.metric, plain, rows.places) - rows.value(rows.metric, honest, rows.places)
        gained = gained if GREATER_IS_BETTER[rows.metric] else -gained
        optimism = None if np.isnan(gained) else gained
    members = tuple(
        VoteMember(run=runs[place].candidate.run, family=runs[place].candidate.family, weight=weight)
        for place, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    )
    return Choice(kind=kind, members=members, margins=plain, nested=honest, optimism=optimism)


def _mean(runs: Sequence[Tried], weights: Weights, places: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return the weighted mean of the margins as float64."""
    return np.asarray(sum(weight * _margins(runs[place], places) for place, weight in weights.items()))


def _margins(run: Tried, places: np.ndarray | slice = slice(None)) -> np.ndarray:
    assert run.margins is not None, "only finished runs are compared"
    return np.asarray(run.margins[places], np.float64)


def _ranked(rows: _Rows, runs: Sequence[Tried], metric: str, places: np.ndarray) -> list[int]:
    """Return the places of the runs, the best first, the earlier of two equal ones first."""
    values = [rows.value(metric, _of(run), places) for run in runs]
    signed = [value if GREATER_IS_BETTER[metric] else -value for value in values]
    return sorted(range(len(runs)), key=lambda place: -signed[place] if signed[place] == signed[place] else np.inf)


def _of(run: Tried) -> np.ndarray:
    assert run.margins is not None, "only finished runs are compared"
    return run.margins


def _best_run(rows: _Rows, runs: Sequence[Tried], places: np.ndarray) -> Weights:
    return {_ranked(rows, runs, rows.metric, places)[0]: 1.0}


def _selected(rows: _Rows, runs: Sequence[Tried], places: np.ndarray) -> Weights:
    """Select a vote greedily."""
    places = rows.thinned(places)
    pool = _ranked(rows, runs, rows.objective, places)[:POOL]
    margins = {place: _margins(runs[place], places) for place in pool}
    weight = None if rows.weight is None else rows.weight[places]

    def value(summed: np.ndarray, count: int) -> float:
        return Metrics(rows.y[places], summed / count, rows.label, weight).of(rows.objective)[0]

    taken = [pool[0]]
    summed = margins[pool[0]]
    best = value(summed, 1)
    while len(taken) < MOST_STEPS:
        candidates = pool if len(set(taken)) < MOST_MEMBERS else sorted(set(taken), key=pool.index)
        values = [(value(summed + margins[place], len(taken) + 1), place) for place in candidates]
        top, place = values[0]
        for each in values[1:]:
            if better(rows.objective, each[0], top):
                top, place = each
        if not better(rows.objective, top, best):
            break
        taken.append(place)
        summed, best = summed + margins[place], top
    return {place: taken.count(place) / len(taken) for place in dict.fromkeys(taken)}


def _is_clearly_better(rows: _Rows, custom: Choice, other: Choice, groups: np.ndarray | None) -> bool:
    """Tell whether the paired difference of the honest margins excludes 0, in favour of the custom run."""
    mine, theirs = (rows.metrics(choice.nested, rows.places) for choice in (custom, other))
    found = intervals.difference(rows.metric, mine, theirs, groups=groups)
    if found is None or found.ci95 is None:
        return False
    low, high = found.ci95
    return low > 0 if GREATER_IS_BETTER[rows.metric] else high < 0
