"""Linear models: logistic regression and ridge, on standardised numbers and one-hot categories."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from epkit.core.train.problem import Feature, Task
from epkit.learners.base import LearnerError, worded
from epkit.learners.design import Design

MOST_ROWS: Final = 200_000
"""Rows on which a linear model is fitted. More rows cost gigabytes, and change the coefficients only within noise."""

_BLOCK: Final = 65_536
"""Rows whose design matrix is in memory at a time."""

_STEPS: Final = 300
_STEPS_IN_ALL: Final = 3_000
"""Greatest number of iterations times outputs: the cost of an iteration grows with the classes."""

_ABSENT: Final = 20.0
"""A class that does not occur is this far below the rarest class that does, in log-odds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A fitted linear model.

    Args:
        weights: float64, columns of the design × outputs.
        base: float64, one for each output.
        note: a remark if it did not converge, otherwise None.
    """

    design: Design
    weights: np.ndarray
    base: np.ndarray
    note: str | None = None
    rounds: int | None = None

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs."""
        found = np.empty((len(matrix), len(self.base)))
        for start in range(0, len(matrix), _BLOCK):
            part = self.design.apply(matrix[start : start + _BLOCK])
            found[start : start + _BLOCK] = part @ self.weights + self.base
        return found

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the coefficients and the description of their columns."""
        return self.design.arrays(self.weights, self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLearner:
    """Fits logistic regression, or ridge regression for numbers.

    Args:
        strength: inverse of the penalty, scikit-learn's `C`.
        seed: chooses the rows if a table has more than `MOST_ROWS`.
    """

    task: Task
    outputs: int
    features: tuple[Feature, ...]
    strength: float
    seed: int

    def fit(
        self,
        matrix: np.ndarray,
        y: np.ndarray,
        *,
        weight: np.ndarray | None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,  # noqa: ARG002
        rounds: int | None = None,  # noqa: ARG002
    ) -> Linear:
        """Fit the rows.

        Raises:
            LearnerError: there is only one class, or no column varies.
        """
        if len(y) > MOST_ROWS:
            drawn = np.sort(np.random.default_rng(self.seed).choice(len(y), MOST_ROWS, replace=False))
            matrix, y, weight = matrix[drawn], y[drawn], None if weight is None else weight[drawn]
        design = Design.fit(matrix, self.features, weight)
        if not len(design):
            raise LearnerError("no column varies in these rows")
        columns = design.apply(matrix)
        if self.task == "regression":
            return self._ridge(design, columns, y, weight)
        present = np.unique(y)
        if len(present) < 2:
            raise LearnerError("all rows of a fold are of one class")
        return self._logistic(design, columns, y, weight)

    def _logistic(self, design: Design, columns: Any, y: np.ndarray, weight: np.ndarray | None) -> Linear:
        from sklearn.linear_model import LogisticRegression

        steps = max(_STEPS // 10, min(_STEPS, _STEPS_IN_ALL // self.outputs))
        model = LogisticRegression(C=self.strength, max_iter=steps)
        note = _fit(model, columns, y, weight, steps)
        coefficients, intercepts = model.coef_.T, model.intercept_
        if self.task == "multiclass":
            coefficients, intercepts = self._every_class(coefficients, intercepts, model.classes_)
        return Linear(design=design, weights=np.ascontiguousarray(coefficients), base=intercepts, note=note)

    def _every_class(
        self, coefficients: np.ndarray, intercepts: np.ndarray, classes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map the classes of these rows to all classes. For two classes, scikit-learn has one set of coefficients."""
        if len(classes) == 2:
            coefficients = np.column_stack((-coefficients[:, 0] / 2, coefficients[:, 0] / 2))
            intercepts = np.array([-intercepts[0] / 2, intercepts[0] / 2])
        weights = np.zeros((len(coefficients), self.outputs))
        base = np.full(self.outputs, intercepts.min() - _ABSENT)
        weights[:, classes], base[classes] = coefficients, intercepts
        return weights, base

    def _ridge(self, design: Design, columns: Any, y: np.ndarray, weight: np.ndarray | None) -> Linear:
        from sklearn.linear_model import Ridge

        mean, scale = float(np.average(y, weights=weight)), float(y.std()) or 1.0
        model = Ridge(alpha=1.0 / self.strength, solver="sparse_cg", max_iter=_STEPS, tol=1e-6)
        note = _fit(model, columns, (y - mean) / scale, weight, _STEPS)
        weights = np.ascontiguousarray(model.coef_.reshape(-1, 1) * scale)
        return Linear(
            design=design, weights=weights, base=np.array([float(model.intercept_) * scale + mean]), note=note
        )


def _fit(model: Any, columns: Any, y: np.ndarray, weight: np.ndarray | None, steps: int) -> str | None:
    """Fit with one BLAS thread, because the sums depend on the number of threads; return a remark, or None.

    Raises:
        LearnerError: scikit-learn refuses the rows.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(record=True) as caught, threadpool_limits(limits=1):
        warnings.simplefilter("always")
        try:
            model.fit(columns, y, sample_weight=weight)
        except (ValueError, ArithmeticError) as error:
            raise LearnerError(worded(error)) from None
    unfinished = any(issubclass(each.category, ConvergenceWarning) for each in caught)
    return f"did not converge in {steps} iterations" if unfinished else None
