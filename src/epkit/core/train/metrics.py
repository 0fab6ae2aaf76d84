"""The quality of margins: the metrics of Azure AutoML, weighted by row, each with its derivative by the rows' weights.

A metric is a function of the weighted rows. `Metrics.of` returns its value and, for each row, the change of the value
per unit of the row's weight. The derivative makes intervals (`intervals.py`) as cheap as the metric itself: no
resampling is needed.

| name | binary | many classes | Azure's name |
|---|---|---|---|
| `accuracy` | the more likely class is right (at 0.5) | the likeliest class is right | `accuracy` |
| `accuracy_at_threshold` | at the threshold | – | – |
| `AUC` | of the positive class | mean of each class against the others | `AUC_macro` |
| `AUC_weighted` | the same | mean weighted by class | `AUC_weighted` |
| `average_precision` | of the positive class | mean of the classes | `…_binary`, many: `…_macro` |
| `average_precision_macro` | mean of both classes | mean of the classes | `average_precision_score_macro` |
| `average_precision_weighted` | the same, weighted by class | the same | `average_precision_score_weighted` |
| `f1`, `precision`, `recall` | of the positive class | mean of the classes | `f1_score_binary`, many: `…_macro`, … |
| `f1_macro`, `f1_weighted` | mean of both classes | mean of the classes | `f1_score_…` |
| `balanced_accuracy` | mean recall of the classes | the same | `balanced_accuracy` |
| `norm_macro_recall` | (mean recall − ½) / ½ | (mean recall − 1/C) / (1 − 1/C) | `norm_macro_recall` |
| `mcc`, `log_loss` | | | `matthews_correlation`, `log_loss` |

Regression: `rmse`, `mae`, `r2`, `spearman`, and `normalised_rmse`, `normalised_mae`: divided by the range of the label.
Azure cuts R² off at -1; here it is not cut.

Source: Microsoft, "Evaluate AutoML experiment results" (the definitions); they equal scikit-learn's.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import numpy as np

from epkit.core.train.problem import Label, Task, probabilities

Measure = tuple[float, np.ndarray]
"""The value of a metric (NaN if it is not defined for the rows), and its derivative by the weight of each row."""

CLASSIFICATION: Final = (
    "AUC",
    "AUC_weighted",
    "accuracy",
    "average_precision",
    "average_precision_macro",
    "average_precision_weighted",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_weighted",
    "log_loss",
    "mcc",
    "norm_macro_recall",
    "precision",
    "recall",
)
"""Metrics of a classification."""

REGRESSION: Final = ("rmse", "mae", "normalised_rmse", "normalised_mae", "r2", "spearman")
"""Metrics of a regression."""

GREATER_IS_BETTER: Final[Mapping[str, bool]] = {
    name: name not in {"log_loss", "rmse", "mae", "normalised_rmse", "normalised_mae", "ece"}
    for name in (*CLASSIFICATION, "accuracy_at_threshold", "ece", *REGRESSION)
}
"""Whether a greater value is better, by the name of the metric."""

ALIASES: Final[Mapping[str, str]] = {
    "auc": "AUC",
    "AUC_macro": "AUC",
    "AUC_binary": "AUC",
    "matthews_correlation": "mcc",
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
    "normalized_root_mean_squared_error": "normalised_rmse",
    "normalized_mean_absolute_error": "normalised_mae",
    "r2_score": "r2",
    "spearman_correlation": "spearman",
    "average_precision_score_binary": "average_precision",
    "average_precision_score_macro": "average_precision_macro",
    "average_precision_score_weighted": "average_precision_weighted",
    "f1_score_binary": "f1",
    "f1_score_macro": "f1_macro",
    "f1_score_weighted": "f1_weighted",
    "precision_score_binary": "precision",
    "recall_score_binary": "recall",
    "recall_score_macro": "balanced_accuracy",
}
"""Azure AutoML's names of these metrics."""

WORST_LOSS: Final = float(-np.log(np.finfo(np.float64).eps))
"""Least probability of one row in `log_loss`. scikit-learn and Azure use a limit too."""


def names_of(task: Task) -> tuple[str, ...]:
    """Return the names of a task's metrics, without `accuracy_at_threshold`."""
    return REGRESSION if task == "regression" else CLASSIFICATION


def canonical(name: str) -> str:
    """Return epkit's name of a metric that may have Azure's name; an unknown name is returned as it is."""
    return ALIASES.get(name, name)


def value(
    name: str,
    y: np.ndarray,
    margins: np.ndarray,
    label: Label,
    weight: np.ndarray | None = None,
    threshold: float | np.ndarray | None = None,
) -> float:
    """Measure margins.

    Args:
        name: name of the metric, epkit's or Azure's.
        y: as in `Examples`.
        margins: rows × outputs, none NaN: the caller leaves out rows that no fold predicted.
        weight: for each row; None if all are 1.
        threshold: for a binary task, one for all rows or one for each row; None: 0.5. `f1`, `recall` and others use it.

    Returns:
        NaN if the metric is not defined for these rows, such as AUC of one class.

    Raises:
        KeyError: the task has no such metric.
    """
    return Metrics(y, margins, label, weight, threshold).of(canonical(name))[0]


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the sum of products, without BLAS: its threads cost 7 ms a call, and its sum depends on their number."""
    return float((a * b).sum())


def better(name: str, a: float, b: float) -> bool:
    """Tell whether *a* is better than *b* by a metric. NaN is worse than every number."""
    if np.isnan(a) or np.isnan(b):
        return bool(np.isnan(b) and not np.isnan(a))
    return a > b if GREATER_IS_BETTER[canonical(name)] else a < b


class Metrics:
    """Rows and their margins, ready to be measured by any number of metrics.

    Args:
        y, margins, label, weight, threshold: as `value` takes them.
    """

    def __init__(
        self,
        y: np.ndarray,
        margins: np.ndarray,
        label: Label,
        weight: np.ndarray | None = None,
        threshold: float | np.ndarray | None = None,
    ) -> None:
        self.label = label
        self.y = np.asarray(y)
        self.margins = np.asarray(margins, np.float64)
        self.weight = np.ones(len(self.y)) if weight is None else np.asarray(weight, np.float64)
        self.threshold = threshold
        self.total = float(self.weight.sum())
        self._found: dict[str, Measure] = {}
        self._split: tuple[np.ndarray, tuple[Metrics, ...]] | None = None

    def __getitem__(self, rows: np.ndarray) -> "Metrics":
        """Return some of the rows, chosen by a mask or by their places."""
        threshold = self.threshold[rows] if isinstance(self.threshold, np.ndarray) else self.threshold
        return Metrics(self.y[rows], self.margins[rows], self.label, self.weight[rows], threshold)

    def by_fold(self, folds: np.ndarray) -> "tuple[Metrics, ...]":
        """Return the rows of each fold. The result is cached, because the best run is compared with every other run."""
        if self._split is None or self._split[0] is not folds:
            self._split = folds, tuple(self[folds == fold] for fold in np.unique(folds))
        return self._split[1]

    def of(self, name: str) -> Measure:
        """Return a metric's value and derivative.

        Raises:
            KeyError: the task has no such metric.
        """
        if name not in self._found:
            measure = (_REGRESSION if self.label.task == "regression" else _CLASSIFICATION)[name]
            self._found[name] = measure(self) if self.total > 0 else (float("nan"), np.zeros(len(self.y)))
        return self._found[name]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Probability of each class, rows × classes."""
        return probabilities(self.margins, self.label.task)

    @cached_property
    def likeliest(self) -> np.ndarray:
        """The place of the likeliest class; the positive one if two are equally likely."""
        if self.label.task == "binary":
            return (self.probabilities[:, 1] >= 0.5).astype(np.int64)
        return np.asarray(self.margins.argmax(axis=1))

    @cached_property
    def answers(self) -> np.ndarray:
        """The place of the class that the model answers, with the threshold if there is one."""
        if self.label.task == "binary" and self.threshold is not None:
            return (self.probabilities[:, 1] >= self.threshold).astype(np.int64)
        return self.likeliest

    @cached_property
    def counts(self) -> "_Counts":
        """Counts of the answers, by class."""
        return _Counts(self.y, self.answers, self.weight, max(2, len(self.label.classes)))

    @cached_property
    def ranking(self) -> "Ranking":
        """The rows in the order of the score of the positive class of a binary task."""
        return Ranking(self.margins[:, 0], self.y == 1, self.weight)

    @cached_property
    def ranked_auc(self) -> tuple[Measure, Measure]:
        """AUC of each class against the others: the mean, and the mean weighted by class."""
        return self._over_classes(Ranking.auc)

    @cached_property
    def ranked_precision(self) -> tuple[Measure, Measure]:
        """Average precision of each class: the mean, and the mean weighted by class."""
        return self._over_classes(Ranking.average_precision)

    def _over_classes(self, measure: "Callable[[Ranking], Measure]") -> tuple[Measure, Measure]:
        """Rank the rows by each class. Classes that no row or every row has are left out."""
        shares = self.counts.true / self.total
        defined = [k for k in range(len(shares)) if 0.0 < shares[k] < 1.0 - 1e-15]
        macro = weighted = 0.0 if defined else float("nan")
        macro_slope, weighted_slope = np.zeros(len(self.y)), np.zeros(len(self.y))
        for k in defined:
            found, slope = measure(Ranking(self.scores(k), self.y == k, self.weight))
            macro += found / len(defined)
            macro_slope += slope / len(defined)
            weighted += float(shares[k]) * found
            # The class's fraction of the rows depends on the weights too.
            weighted_slope += shares[k] * slope + found * ((self.y == k) - shares[k]) / self.total
        return (macro, macro_slope), (weighted, weighted_slope)

    def scores(self, k: int) -> np.ndarray:
        """Return the scores that rank rows by class *k*: for two classes margins, as probabilities near 1 would tie."""
        if self.label.task == "binary":
            return self.margins[:, 0] if k == 1 else -self.margins[:, 0]
        return np.asarray(self.probabilities[:, k])


class Ranking:
    """Rows in the order of a score, the highest first. Equal scores make one block.

    Args:
        scores: one for each row.
        positive: for each row, whether its rank should be high.
        weight: one for each row.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> None:
        self.order = np.argsort(-scores)
        ordered = scores[self.order]
        begins = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, bool)
        self.block = np.cumsum(begins) - 1
        self.scores = ordered[begins]
        self.is_positive = positive[self.order]
        weights = weight[self.order]
        blocks = len(self.scores)
        self.positives = np.bincount(self.block, weights * self.is_positive, blocks)
        self.negatives = np.bincount(self.block, weights * ~self.is_positive, blocks)
        self.true_positives = np.cumsum(self.positives)
        self.false_positives = np.cumsum(self.negatives)
        self.p = float(self.true_positives[-1]) if blocks else 0.0
        self.n = float(self.false_positives[-1]) if blocks else 0.0

    def auc(self) -> Measure:
        """Return the area under the ROC curve: how often a positive row precedes a negative one; a tie counts half.

        Source: DeLong, DeLong & Clarke-Pearson (1988): the derivative is the row's placement among the other class.
        """
        if self.p <= 0 or self.n <= 0:
            return float("nan"), np.zeros(len(self.order))
        behind = (self.n - self.false_positives + self.negatives / 2) / self.n
        before = (self.true_positives - self.positives / 2) / self.p
        auc = dot(self.positives, behind) / self.p
        slope = np.where(self.is_positive, (behind[self.block] - auc) / self.p, (before[self.block] - auc) / self.n)
        return auc, self._in_place(slope)

    def average_precision(self) -> Measure:
        """Return the mean, over the positive rows, of the precision at the row's score."""
        if self.p <= 0:
            return float("nan"), np.zeros(len(self.order))
        taken = self.true_positives + self.false_positives
        # Blocks without weight precede all others: no row needs their precision.
        precision = np.divide(self.true_positives, taken, out=np.zeros_like(taken), where=taken > 0)
        share = self.positives / self.p
        average = dot(share, precision)
        # A row contributes to the precision of its own block and of every later block.
        each = np.divide(share, taken, out=np.zeros_like(taken), where=taken > 0)
        gain, loss = _from_behind(each), _from_behind(each * precision)
        slope = self.is_positive * (gain[self.block] + (precision[self.block] - average) / self.p) - loss[self.block]
        return average, self._in_place(slope)

    def _in_place(self, ordered: np.ndarray) -> np.ndarray:
        """Return values in the original order of the rows."""
        found = np.empty(len(self.order))
        found[self.order] = ordered
        return found


class _Counts:
    """Counts of answers by class: weights of true, answered and right rows, and the same for each row."""

    def __init__(self, y: np.ndarray, answers: np.ndarray, weight: np.ndarray, classes: int) -> None:
        self.y, self.answers = y, answers
        self.hit = (y == answers).astype(np.float64)
        self.true = np.bincount(y, weight, classes)
        self.answered = np.bincount(answers, weight, classes)
        self.right = np.bincount(y, weight * self.hit, classes)

    def recall(self, k: int) -> Measure:
        found = _ratio(self.right, self.true)[k]
        return float(found), (self.y == k) * (self.hit - found) / max(self.true[k], 1e-300)

    def precision(self, k: int) -> Measure:
        found = _ratio(self.right, self.answered)[k]
        return float(found), (self.answers == k) * (self.hit - found) / max(self.answered[k], 1e-300)

    def f1(self, share: np.ndarray) -> Measure:
        """Return the mean F1 of the classes, weighted by fixed shares."""
        both = self.true + self.answered
        f1 = _ratio(2 * self.right, both)
        per = _ratio(share, both)
        slope = per[self.y] * (2 * self.hit - f1[self.y]) - (per * f1)[self.answers]
        return dot(share, f1), slope

    def mean(self, of: Callable[[int], Measure], present: np.ndarray) -> Measure:
        """Return the mean of a metric over the classes that occur."""
        classes = np.flatnonzero(present)
        found, slope = 0.0, np.zeros(len(self.y))
        for k in classes:
            one, by_row = of(int(k))
            found += one / len(classes)
            slope += by_row / len(classes)
        return found, slope


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Divide; 0 / 0 is 0, as in scikit-learn's F1 and precision."""
    return np.asarray(np.divide(over, under, out=np.zeros(len(over)), where=under > 0))


def _from_behind(values: np.ndarray) -> np.ndarray:
    """Return the sums from each place to the end."""
    return np.cumsum(values[::-1])[::-1]


def _mean(rows: Metrics, values: np.ndarray) -> Measure:
    """Return the weighted mean of one value for each row."""
    mean = dot(rows.weight, values) / rows.total
    return mean, (values - mean) / rows.total


def _accuracy(rows: Metrics) -> Measure:
    return _mean(rows, (rows.likeliest == rows.y).astype(np.float64))


def _accuracy_at_threshold(rows: Metrics) -> Measure:
    return _mean(rows, rows.counts.hit)


def _log_loss(rows: Metrics) -> Measure:
    margins = rows.margins
    if rows.label.task == "binary":
        losses = np.logaddexp(0.0, np.where(rows.y == 1, -margins[:, 0], margins[:, 0]))
    else:
        top = margins.max(axis=1)
        own = margins[np.arange(len(margins)), rows.y]
        losses = np.log(np.exp(margins - top[:, None]).sum(axis=1)) + top - own
    return _mean(rows, np.minimum(losses, WORST_LOSS))


def _auc(rows: Metrics) -> Measure:
    return rows.ranking.auc() if rows.label.task == "binary" else rows.ranked_auc[0]


def _auc_weighted(rows: Metrics) -> Measure:
    return rows.ranking.auc() if rows.label.task == "binary" else rows.ranked_auc[1]


def _average_precision(rows: Metrics) -> Measure:
    if rows.label.task == "binary":
        return rows.ranking.average_precision()
    return rows.ranked_precision[0]


def _recall(rows: Metrics) -> Measure:
    if rows.label.task != "binary":
        return _balanced_accuracy(rows)
    found, slope = rows.counts.recall(1)
    return (found, slope) if rows.counts.true[1] > 0 else (float("nan"), slope)


def _balanced_accuracy(rows: Metrics) -> Measure:
    counts = rows.counts
    present = counts.true > 0
    recall = _ratio(counts.right, counts.true)
    per = _ratio(present / present.sum(), counts.true)
    return float(recall[present].mean()), per[counts.y] * (counts.hit - recall[counts.y])


def _norm_macro_recall(rows: Metrics) -> Measure:
    chance = 1 / max(2, len(rows.label.classes))
    found, slope = _balanced_accuracy(rows)
    return (found - chance) / (1 - chance), slope / (1 - chance)


def _precision(rows: Metrics) -> Measure:
    counts = rows.counts
    if rows.label.task == "binary":
        return counts.precision(1)
    return counts.mean(counts.precision, counts.true + counts.answered > 0)


def _f1(rows: Metrics) -> Measure:
    return rows.counts.f1(np.array([0.0, 1.0])) if rows.label.task == "binary" else _f1_macro(rows)


def _f1_macro(rows: Metrics) -> Measure:
    present = rows.counts.true + rows.counts.answered > 0
    return rows.counts.f1(present / present.sum())


def _f1_weighted(rows: Metrics) -> Measure:
    counts = rows.counts
    found, slope = counts.f1(counts.true / rows.total)
    f1 = _ratio(2 * counts.right, counts.true + counts.answered)
    return found, slope + (f1[counts.y] - found) / rows.total


def _mcc(rows: Metrics) -> Measure:
    """Return the correlation of answers and true classes.

    Source: Gorodkin (2004), R_K; for two classes Matthews (1975).
    """
    counts, s = rows.counts, rows.total
    right = float(counts.right.sum())
    over = right * s - dot(counts.true, counts.answered)
    a, b = s**2 - dot(counts.answered, counts.answered), s**2 - dot(counts.true, counts.true)
    if min(a, b) <= 1e-12 * s**2:  # only one class is true, or only one is answered: 0 by definition
        return 0.0, np.zeros(len(rows.y))
    root = float(np.sqrt(a) * np.sqrt(b))
    found = over / root
    d_over = counts.hit * s + right - counts.answered[counts.y] - counts.true[counts.answers]
    d_a, d_b = 2 * (s - counts.answered[counts.answers]), 2 * (s - counts.true[counts.y])
    return found, d_over / root - found / 2 * (d_a / a + d_b / b)


def _errors(rows: Metrics) -> np.ndarray:
    return np.asarray(rows.margins[:, 0] - rows.y, np.float64)


def _rmse(rows: Metrics) -> Measure:
    squared, slope = _mean(rows, _errors(rows) ** 2)
    root = float(np.sqrt(squared))
    return root, slope / (2 * root) if root > 0 else np.zeros(len(rows.y))


def _mae(rows: Metrics) -> Measure:
    return _mean(rows, np.abs(_errors(rows)))


def _by_range(measure: Callable[[Metrics], Measure]) -> Callable[[Metrics], Measure]:
    """Return a metric divided by the range of the label. The range counts as constant."""

    def divided(rows: Metrics) -> Measure:
        y = rows.y[rows.weight > 0]
        width = float(y.max() - y.min())
        found, slope = measure(rows)
        return (found / width, slope / width) if width > 0 else (float("nan"), np.zeros(len(rows.y)))

    return divided


def _r2(rows: Metrics) -> Measure:
    y = rows.y.astype(np.float64)
    off = (y - dot(rows.weight, y) / rows.total) ** 2
    spread = dot(rows.weight, off)
    if spread <= 0:
        return float("nan"), np.zeros(len(y))
    squared = _errors(rows) ** 2
    part = dot(rows.weight, squared) / spread
    return 1 - part, (part * off - squared) / spread


def _spearman(rows: Metrics) -> Measure:
    """Return Pearson's correlation of the ranks; ties have their mean rank.

    The derivative has two parts: the row's own term, and its effect on the ranks of later rows (von Mises).
    """
    a, b = _Ranks(rows.margins[:, 0], rows), _Ranks(rows.y.astype(np.float64), rows)
    (together, d), (var_a, d_a), (var_b, d_b) = a.moment(b), a.moment(a), b.moment(b)
    if min(var_a, var_b) <= 1e-15:
        return float("nan"), np.zeros(len(rows.y))
    root = float(np.sqrt(var_a) * np.sqrt(var_b))
    found = together / root
    return found, d / root - found / 2 * (d_a / var_a + d_b / var_b)


class _Ranks:
    """The mean ranks of values, as fractions of the weight, minus one half: their mean is 0."""

    def __init__(self, values: np.ndarray, rows: Metrics) -> None:
        self.rows = rows
        _, self.place = np.unique(values, return_inverse=True)
        weights = np.bincount(self.place, rows.weight)
        self.ranks = ((np.cumsum(weights) - weights / 2) / rows.total - 0.5)[self.place]

    def moment(self, other: "_Ranks") -> Measure:
        """Return the mean product with other ranks."""
        product = self.ranks * other.ranks
        mean = dot(self.rows.weight, product) / self.rows.total
        slope = product + self.after(other.ranks) + other.after(self.ranks) - 3 * mean
        return mean, slope / self.rows.total

    def after(self, values: np.ndarray) -> np.ndarray:
        """Return for each row the sum of the values of later rows; values of equal rows count half."""
        sums = np.bincount(self.place, self.rows.weight * values)
        return ((_from_behind(sums) - sums / 2) / self.rows.total)[self.place]


_CLASSIFICATION: Final[Mapping[str, Callable[[Metrics], Measure]]] = {
    "AUC": _auc,
    "AUC_weighted": _auc_weighted,
    "accuracy": _accuracy,
    "accuracy_at_threshold": _accuracy_at_threshold,
    "average_precision": _average_precision,
    "average_precision_macro": lambda rows: rows.ranked_precision[0],
    "average_precision_weighted": lambda rows: rows.ranked_precision[1],
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "f1_weighted": _f1_weighted,
    "log_loss": _log_loss,
    "mcc": _mcc,
    "norm_macro_recall": _norm_macro_recall,
    "precision": _precision,
    "recall": _recall,
}
_REGRESSION: Final[Mapping[str, Callable[[Metrics], Measure]]] = {
    "rmse": _rmse,
    "mae": _mae,
    "normalised_rmse": _by_range(_rmse),
    "normalised_mae": _by_range(_mae),
    "r2": _r2,
    "spearman": _spearman,
}
