"""The threshold of a binary answer (`--threshold`): it is chosen on some rows and judged on others.

    RULE = 0.5 | f1 | balanced | recall>=R | cost:fn=A,fp=B

`f1` maximises the F1 of the positive class, `balanced` the mean recall of both classes. `cost` minimises the cost of
wrong answers. `recall>=R` finds at least the fraction R of the positive rows, with the fewest false alarms. A row is
positive if its probability is the threshold or more. The threshold lies between two probabilities of the rows. It is
the shortest decimal number there.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.train.decimals import shortest
from epkit.core.train.metrics import Metrics
from epkit.core.train.nesting import parts
from epkit.core.train.plan import ThresholdRule
from epkit.core.train.report import ClassThreshold
from epkit.errors import UsageError

GRAMMAR: Final = "write 0.5 (or another number between 0 and 1), f1, balanced, recall>=0.8, or cost:fn=5,fp=1"

HALF: Final = 0.5
RARE: Final = 0.2
"""A class with a smaller fraction of the rows is rare. Then F1 is reported at 0.5 and at its best threshold."""

_NUMBER: Final = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_RECALL: Final = re.compile(rf"recall>=?{_NUMBER}")
_COST: Final = re.compile(rf"cost:(?:fn={_NUMBER},fp={_NUMBER}|fp={_NUMBER},fn={_NUMBER})")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settled:
    """A threshold, and the thresholds that judge it.

    Args:
        threshold: the one that is deployed, chosen on all rows.
        by_row: float64, one for each row: the threshold chosen on the other folds, for metrics of out-of-fold rows.
    """

    threshold: ClassThreshold
    by_row: np.ndarray


def parse(text: str) -> ThresholdRule:
    """Parse the value of `--threshold`.

    Raises:
        UsageError: it cannot be parsed; the message gives the grammar.
    """

    def refuse(why: str) -> UsageError:
        return UsageError(f"--threshold {text!r}: {why}: {GRAMMAR}")

    bare = "".join(text.split())
    if bare in {"f1", "balanced"}:
        return ThresholdRule(text=bare, rule="f1" if bare == "f1" else "balanced")
    if found := _RECALL.fullmatch(bare):
        recall = float(found[1])
        if not 0 < recall <= 1:
            raise refuse("recall is a fraction, above 0 and at most 1")
        return ThresholdRule(text=bare, rule="recall", recall=recall)
    if found := _COST.fullmatch(bare):
        fn, fp = float(found[1] or found[4]), float(found[2] or found[3])
        if fn <= 0 or fp <= 0:
            raise refuse("what costs nothing is never avoided: both costs are above 0")
        return ThresholdRule(text=bare, rule="cost", cost_fn=fn, cost_fp=fp)
    if re.fullmatch(_NUMBER, bare):
        if not 0 < float(bare) < 1:
            raise refuse("a threshold is a probability, above 0 and below 1")
        return ThresholdRule(text=bare, rule="0.5", fixed=float(bare))
    raise refuse("no rule")


def best(rule: ThresholdRule, rows: Metrics) -> float:
    """Choose the threshold on these rows.

    Returns:
        0.5 if the rule cannot be applied because the rows have only one class.
    """
    if rule.rule == "0.5":
        return rule.fixed
    probabilities = rows.probabilities[:, 1]
    levels, place = np.unique(-probabilities, return_inverse=True)
    levels = -levels  # descending
    positives = np.bincount(place, rows.weight * (rows.y == 1), len(levels))
    negatives = np.bincount(place, rows.weight * (rows.y == 0), len(levels))
    p, n = float(positives.sum()), float(negatives.sum())
    if p <= 0 or n <= 0:
        return HALF
    # Entry k: the k highest levels are positive. Entry 0: no row is positive.
    tp = np.concatenate(([0.0], np.cumsum(positives)))
    fp = np.concatenate(([0.0], np.cumsum(negatives)))
    cuts = _between(levels)
    worth = _worth(rule, tp, fp, p, n)
    worth[~np.isfinite(cuts)] = -np.inf
    top = worth.max()
    ties = np.flatnonzero(worth >= top - 1e-12 * max(1.0, abs(top)))
    place_of_best = int(ties[np.argmin(np.abs(cuts[ties] - HALF))])
    return shortest(*_room(levels, place_of_best))


def settle(rule: ThresholdRule, rows: Metrics, folds: np.ndarray, groups: np.ndarray | None = None) -> Settled:
    """Choose the threshold to deploy on all rows, and for each fold one on the other folds, to judge it.

    Args:
        rows: out-of-fold rows of a binary task.
        folds, groups: for each of these rows.
    """
    nested = list(parts(folds, groups))
    value, by_row = _nested(rule, rows, nested)
    weights = np.array([rows.weight[rows.y == k].sum() for k in (0, 1)])
    f1 = at_half = f1_value = None
    if rows.total > 0 and weights.min() < RARE * rows.total and weights.min() > 0:
        f1_value, own = _nested(ThresholdRule(text="f1", rule="f1"), rows, nested)
        f1 = _at(rows, own).of("f1")[0]
        at_half = _at(rows, HALF).of("f1")[0]
    return Settled(
        threshold=ClassThreshold(rule=rule.text, value=value, f1=f1, f1_at_half=at_half, f1_value=f1_value),
        by_row=by_row,
    )


def _nested(
    rule: ThresholdRule, rows: Metrics, nested: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, np.ndarray]:
    """Return the threshold of all rows, and for each part the threshold of the other parts."""
    value = best(rule, rows)
    by_row = np.full(len(rows.y), value)
    if rule.rule != "0.5":
        for others, part in nested:
            by_row[part] = best(rule, rows[others])
    return value, by_row


def _at(rows: Metrics, threshold: float | np.ndarray) -> Metrics:
    return Metrics(rows.y, rows.margins, rows.label, rows.weight, threshold)


def _worth(rule: ThresholdRule, tp: np.ndarray, fp: np.ndarray, p: float, n: float) -> np.ndarray:
    """Return, for each number of positive levels, the value that the rule maximises."""
    if rule.rule == "f1":
        return np.asarray(2 * tp / (tp + fp + p))
    if rule.rule == "balanced":
        return np.asarray(tp / p - fp / n)
    if rule.rule == "cost":
        assert rule.cost_fn is not None
        assert rule.cost_fp is not None
        return np.asarray(-(rule.cost_fn * (p - tp) + rule.cost_fp * fp))
    assert rule.recall is not None
    # Of those that find enough, the one with the fewest false alarms. If all rows are positive, everything is found.
    return np.where(tp >= rule.recall * p * (1 - 1e-12), -fp, -np.inf)


def _room(levels: np.ndarray, k: int) -> tuple[float, float]:
    """Return the interval of the threshold if the *k* highest levels are positive.

    Returns:
        Its lower end (excluded) and its upper end (included).
    """
    above = float(levels[k]) if k < len(levels) else 0.0
    return above, float(levels[k - 1]) if k else 1.0


def _between(levels: np.ndarray) -> np.ndarray:
    """Return the middle of each interval; NaN if it contains no threshold because it begins at a probability of 1."""
    upper = np.concatenate(([1.0], levels))
    lower = np.concatenate((levels, [0.0]))
    middles = (upper + lower) / 2
    middles[0] = np.nan if len(levels) and levels[0] >= 1.0 else middles[0]
    return np.asarray(middles)
