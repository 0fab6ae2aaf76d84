"""How sure a metric is: its interval, its spread over folds, and the paired difference of two models.

A metric is a smooth function of the weighted rows, so to first order its error is a sum of one term a row: weight times
derivative (`metrics.Metrics.of`). The variance of that sum is what a bootstrap of the rows finds, without drawing
anything: for AUC it is DeLong's, for accuracy the binomial one. Rows of one group are summed before they are squared:
they are not independent. The difference of two models on the same rows is the sum of the differences of the terms: what
both find hard cancels. Intervals are about which rows were drawn, not about the training: it is taken as done.

Metrics with an upper and a lower end have Wilson's interval, with as many rows as would have the same variance; a plain
normal interval is too short near the ends, and has no width at them. Losses have an interval on a logarithmic scale.

Source: Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6 (the infinitesimal jackknife);
DeLong, DeLong & Clarke-Pearson (1988); Wilson (1927); Korn & Graubard (1998) for the effective number of rows.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from epkit.core.stats import student
from epkit.core.train.metrics import Metrics, canonical, dot
from epkit.core.train.problem import Label
from epkit.core.train.report import Figure, Interval

Z95: Final = 1.959963984540054
"""What a normal error exceeds in 5 % of the cases."""

LOSSES: Final = frozenset({"log_loss", "rmse", "mae", "normalised_rmse", "normalised_mae"})
"""Metrics from 0 upward without an end."""


def figure(
    name: str, rows: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Figure | None:
    """Measure rows, with the uncertainty.

    Args:
        name: of a metric, epkit's or Azure's.
        folds: a row: which fold predicted it; None for test rows.
        groups: a row: rows of one group were drawn together; None where every row was drawn alone.

    Returns:
        None where the rows do not define the metric.
    """
    return figures((name,), rows, folds=folds, groups=groups).get(canonical(name))


def figures(
    names: Iterable[str], rows: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Mapping[str, Figure]:
    """Measure rows by several metrics; those that the rows do not define are left out."""
    units = _Units(rows.weight, groups)
    by_fold = () if folds is None else rows.by_fold(folds)
    found = {}
    for name in map(canonical, names):
        value, slope = rows.of(name)
        if not np.isnan(value):
            ci95 = _around(name, value, units.error(slope), units, rows.label)
            found[name] = Figure(value=value, sd=_sd([fold.of(name)[0] for fold in by_fold]), ci95=ci95)
    return found


def difference(
    name: str, rows: Metrics, base: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Figure | None:
    """Return how much greater a metric is than a base's on the same rows.

    Args:
        rows, base: of the same rows in the same order, with the same weights.

    Returns:
        The metric of *rows* less that of *base*: greater is not always better. None where one of them is not defined.
    """
    name = canonical(name)
    (value, slope), (other, other_slope) = rows.of(name), base.of(name)
    if np.isnan(value) or np.isnan(other):
        return None
    units = _Units(rows.weight, groups)
    error = units.error(slope - other_slope)
    pairs = () if folds is None else zip(rows.by_fold(folds), base.by_fold(folds), strict=True)
    apart = value - other
    return Figure(
        value=apart,
        sd=_sd([mine.of(name)[0] - theirs.of(name)[0] for mine, theirs in pairs]),
        ci95=None if units.count < 2 else (apart - units.quantile * error, apart + units.quantile * error),
    )


def differences(
    names: Iterable[str], rows: Metrics, base: Metrics, *, groups: np.ndarray | None = None
) -> Mapping[str, Figure]:
    """Return `difference` of several metrics; those that the rows do not define are left out."""
    found = {canonical(name): difference(name, rows, base, groups=groups) for name in names}
    return {name: figure for name, figure in found.items() if figure is not None}


def wilson(share: float, rows: float, z: float = Z95) -> Interval:
    """Return the interval of a share.

    Args:
        share: in [0, 1].
        rows: how many it was observed in, > 0; may be fractional.
        z: the normal quantile.

    Source: Wilson (1927).
    """
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    # The ends are exact where the share is: rounding must not put it outside.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


class _Units:
    """What was drawn: rows, or groups of rows.

    Args:
        count: of those that weigh anything.
        quantile: for 95 %: Student's where there are groups, of which there may be few.
    """

    def __init__(self, weight: np.ndarray, groups: np.ndarray | None) -> None:
        self.weight = weight
        self.place: np.ndarray | None = None
        if groups is None:
            self.count, self.quantile = int((weight > 0).sum()), Z95
            return
        _, self.place = np.unique(groups, return_inverse=True)
        self.count = int((np.bincount(self.place, weight) > 0).sum())
        self.quantile = student.quantile(0.05, self.count - 1) if self.count > 1 else Z95

    def error(self, slope: np.ndarray) -> float:
        """Return the standard error of what has a derivative."""
        terms = self.weight * slope
        if self.place is not None:
            terms = np.bincount(self.place, terms)
            terms = terms * np.sqrt(self.count / max(1, self.count - 1))
        return float(np.sqrt(dot(terms, terms)))


def _around(name: str, value: float, error: float, units: _Units, label: Label) -> Interval | None:
    """Return the interval of a value by its standard error."""
    if units.count < 2:
        return None
    if name in LOSSES:
        return _scaled(value, error, units)
    if name == "r2":
        around = _scaled(1 - value, error, units)
        return None if around is None else (1 - around[1], 1 - around[0])
    low, high = _ends(name, label)
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    error = error / (high - low)
    # At an end no row differs from another: then every unit counts as one observation.
    rows = share * (1 - share) / error**2 if error > 1e-12 else float(units.count)
    lower, upper = wilson(share, max(rows, 1.0), units.quantile)
    return low + lower * (high - low), low + upper * (high - low)


def _ends(name: str, label: Label) -> Interval:
    """Return the least and greatest value that a metric can have."""
    if name in {"mcc", "spearman"}:
        return -1.0, 1.0
    if name == "norm_macro_recall":
        return -1 / (max(2, len(label.classes)) - 1), 1.0
    return 0.0, 1.0


def _scaled(value: float, error: float, units: _Units) -> Interval | None:
    """Return the interval of a positive value on a logarithmic scale, None at 0."""
    if value <= 0:
        return None
    factor = float(np.exp(min(units.quantile * error / value, 700.0)))
    return value / factor, value * factor


def _sd(values: list[float]) -> float | None:
    """Return the standard deviation over the folds that define the metric, None of fewer than two."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else None
