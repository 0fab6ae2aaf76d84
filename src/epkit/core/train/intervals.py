"""The uncertainty of a metric: its interval, its spread over folds, and the paired difference of two models.

A metric is a smooth function of the weighted rows. So to first order its error is a sum with one term for each row:
weight times derivative (`metrics.Metrics.of`). The variance of this sum is what a bootstrap of the rows would find, but
nothing has to be drawn: for AUC it is DeLong's variance, for accuracy the binomial one. Rows of one group are not
independent, so their terms are added before they are squared. The difference of two models on the same rows is the sum
of the differences of the terms: rows that are difficult for both cancel. An interval is about the choice of the rows.
It does not include the variation of the training.

A metric with a least and a greatest value has Wilson's interval, with the number of rows that would give the same
variance. A plain normal interval is too short near these ends, and has no width at them. A loss has an interval on a
logarithmic scale.

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
"""A normal error is greater than this in 5 % of the cases."""

LOSSES: Final = frozenset({"log_loss", "rmse", "mae", "normalised_rmse", "normalised_mae"})
"""Metrics from 0 upward, without a greatest value."""


def figure(
    name: str, rows: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Figure | None:
    """Measure rows by a metric, and its uncertainty.

    Args:
        name: name of the metric, epkit's or Azure's.
        folds: for each row, the fold that predicted it; None for test rows.
        groups: for each row, its group: rows of one group are not independent. None if all rows are independent.

    Returns:
        None if the metric is not defined for these rows.
    """
    return figures((name,), rows, folds=folds, groups=groups).get(canonical(name))


def figures(
    names: Iterable[str], rows: Metrics, *, folds: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Mapping[str, Figure]:
    """Measure rows by several metrics. Metrics that are not defined for these rows are left out."""
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
    """Return the difference of a metric and a base's metric on the same rows.

    Args:
        rows, base: the same rows in the same order, with the same weights.

    Returns:
        The metric of *rows* minus that of *base*; a greater one is not always better. None if one of them is not
        defined.
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
    """Return the `difference` of several metrics. Metrics that are not defined for these rows are left out."""
    found = {canonical(name): difference(name, rows, base, groups=groups) for name in names}
    return {name: figure for name, figure in found.items() if figure is not None}


def wilson(share: float, rows: float, z: float = Z95) -> Interval:
    """Return the interval of a fraction.

    Args:
        share: in [0, 1].
        rows: number of rows behind the fraction, > 0; need not be whole.
        z: the normal quantile.

    Source: Wilson (1927).
    """
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    # If the fraction is 0 or 1, the end of the interval is exact: rounding must not move it outside.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


class _Units:
    """The independent units of a sample: rows, or groups of rows.

    Args:
        count: number of units with a weight above 0.
        quantile: for 95 %; Student's for groups, because there may be few.
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
        """Return the standard error of a metric with this derivative."""
        terms = self.weight * slope
        if self.place is not None:
            terms = np.bincount(self.place, terms)
            terms = terms * np.sqrt(self.count / max(1, self.count - 1))
        return float(np.sqrt(dot(terms, terms)))


def _around(name: str, value: float, error: float, units: _Units, label: Label) -> Interval | None:
    """Return the interval of a value from its standard error."""
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
    # At an end all rows are equal, so there is no variance: each unit counts as one observation.
    rows = share * (1 - share) / error**2 if error > 1e-12 else float(units.count)
    lower, upper = wilson(share, max(rows, 1.0), units.quantile)
    return low + lower * (high - low), low + upper * (high - low)


def _ends(name: str, label: Label) -> Interval:
    """Return the least and the greatest value that a metric can have."""
    if name in {"mcc", "spearman"}:
        return -1.0, 1.0
    if name == "norm_macro_recall":
        return -1 / (max(2, len(label.classes)) - 1), 1.0
    return 0.0, 1.0


def _scaled(value: float, error: float, units: _Units) -> Interval | None:
    """Return the interval of a positive value on a logarithmic scale; None for 0."""
    if value <= 0:
        return None
    factor = float(np.exp(min(units.quantile * error / value, 700.0)))
    return value / factor, value * factor


def _sd(values: list[float]) -> float | None:
    """Return the standard deviation over the folds for which the metric is defined; None for fewer than two."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else None
