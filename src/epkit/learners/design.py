"""The design matrix of linear models: standardised numbers, one-hot categories, flags for missing values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from epkit.core.train.problem import Feature

STANDARDISED: Final = -1
"""A value of `Design.code`: the number minus its mean, divided by its scale; 0 if it is missing."""
IS_MISSING: Final = -2
"""A value of `Design.code`: 1 if the value is missing, otherwise 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The D columns of a linear model.

    Args:
        feature: int32[D], place of the feature in the matrix of the examples.
        code: int32[D]: `STANDARDISED`, `IS_MISSING`, or the category code for which the column is 1.
        mean, scale: float64[D] for standardised numbers; 0 and 1 for other columns.
    """

    feature: np.ndarray
    code: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray, features: Sequence[Feature], weight: np.ndarray | None = None) -> Self:
        """Choose the columns for these rows: categories and missing values that occur, numbers that vary.

        Args:
            matrix: float64, rows × features, as `Examples.matrix`.
            weight: float64, one for each row; None if all are 1.
        """
        columns: list[tuple[int, int, float, float]] = []
        for place, feature in enumerate(features):
            values = matrix[:, place]
            missing = np.isnan(values)
            known = values[~missing] if (some := bool(missing.any())) else values
            if feature.categories:
                columns += [(place, int(code), 0.0, 1.0) for code in np.unique(known)]
            elif len(known):
                share = None if weight is None else weight[~missing]
                mean = float(np.average(known, weights=share))
                with np.errstate(over="ignore"):  # numbers beyond 1e154 overflow; they get no column
                    scale = float(np.sqrt(np.average((known - mean) ** 2, weights=share)))
                if scale > 0.0 and np.isfinite(scale):
                    columns.append((place, STANDARDISED, mean, scale))
            if some:
                columns.append((place, IS_MISSING, 0.0, 1.0))
        return cls(
            feature=np.array([column[0] for column in columns], np.int32),
            code=np.array([column[1] for column in columns], np.int32),
            mean=np.array([column[2] for column in columns], np.float64),
            scale=np.array([column[3] for column in columns], np.float64),
        )

    def __len__(self) -> int:
        return len(self.feature)

    def apply(self, matrix: np.ndarray) -> Any:
        """Return the matrix that scikit-learn fits.

        Args:
            matrix: float64, rows × features.

        Returns:
            scipy's CSR matrix of float64, rows × D: most entries of a row are 0. Its products use no BLAS, so they do
            not depend on the number of threads.
        """
        from scipy import sparse

        rows: list[np.ndarray] = []
        places: list[np.ndarray] = []
        entries: list[np.ndarray] = []
        for place, (feature, code, mean, scale) in enumerate(
            zip(self.feature.tolist(), self.code.tolist(), self.mean.tolist(), self.scale.tolist(), strict=True)
        ):
            values = matrix[:, feature]
            if code == STANDARDISED:
                which = np.flatnonzero(~np.isnan(values))
                found = (values[which] - mean) / scale
            else:
                which = np.flatnonzero(np.isnan(values) if code == IS_MISSING else values == code)
                found = np.ones(len(which))
            rows.append(which.astype(np.int32))
            places.append(np.full(len(which), place, np.int32))
            entries.append(found)
        shape = (len(matrix), len(self))
        if not rows:
            return sparse.csr_matrix(shape, dtype=np.float64)
        at = (np.concatenate(rows), np.concatenate(places))
        return sparse.csr_matrix((np.concatenate(entries), at), shape=shape)

    def arrays(self, weights: np.ndarray, base: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the arrays that `epkit.served.model` evaluates.

        Args:
            weights: float64, D × outputs.
            base: float64, one for each output.
        """
        return {
            "base": np.asarray(base, np.float64),
            "linear_feature": self.feature,
            "linear_code": self.code,
            "linear_mean": self.mean,
            "linear_scale": self.scale,
            "linear_weight": np.asarray(weights, np.float64),
        }
