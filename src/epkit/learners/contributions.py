"""The exact contribution of each feature to the margins of a row: TreeSHAP for trees, the terms of a linear model.

For each row and output, the contributions and the base add up to the margin. A vote is a weighted sum of its members'
margins, so its contributions are the weighted sum of theirs. A user's own estimator has no contributions. It is
explained by shuffling its columns (`core.train.importance.permutation`).

Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees; LightGBM
computes it (`pred_contrib`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from epkit.learners.base import Fitted

Members = Sequence[tuple[float, Fitted]]
"""Fitted runs and their weights."""

MOST_WORK: Final = 1_500_000
"""Greatest number of rows times trees that are explained: about one CPU second."""

LEAST_ROWS: Final = 200
MOST_CELLS: Final = 20_000_000
"""Greatest number of rows times features times outputs: 160 MB."""

TOLERANCE: Final = 1e-9
"""Greatest difference between the sum of contributions and the margin, relative to the greatest margin."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """The contributions of features to margins.

    Args:
        values: float64, rows × features × outputs.
        base: float64, one for each output: the part of the margin that is the same for all rows.
    """

    values: np.ndarray
    base: np.ndarray


def mean_margins(members: Members, matrix: np.ndarray) -> np.ndarray:
    """Return the margins of a model that consists of members, float64, rows × outputs."""
    return np.asarray(sum(weight * fitted.margins(matrix) for weight, fitted in members))


def rows_to_explain(members: Members, features: int, outputs: int, most: int) -> int:
    """Return how many rows can be explained in about one second and 160 MB, at most *most*."""
    trees = sum((fitted.rounds or 0) for _, fitted in members) * outputs
    rows = min(most, max(LEAST_ROWS, MOST_WORK // max(1, trees)))
    return max(1, min(rows, MOST_CELLS // max(1, features * outputs)))


def contributions(members: Members, matrix: np.ndarray) -> Contributions | None:
    """Compute the contributions for some rows.

    Args:
        members: the fitted runs of the model and their weights.
        matrix: float64, rows × features.

    Returns:
        None if a member is a user's own estimator.

    Raises:
        ArithmeticError: the contributions do not add up to the margins: this version of LightGBM computes differently.
    """
    found = []
    for weight, fitted in members:
        one = _of(fitted, matrix)
        if one is None:
            return None
        found.append((weight, one))
    return Contributions(
        values=np.asarray(sum(weight * one.values for weight, one in found)),
        base=np.asarray(sum(weight * one.base for weight, one in found)),
    )


def _of(fitted: Fitted, matrix: np.ndarray) -> Contributions | None:
    """Compute the contributions for one member."""
    if hasattr(fitted, "booster"):
        return _of_trees(fitted, fitted.booster, matrix)
    if hasattr(fitted, "estimator"):
        return None
    return _of_terms(fitted.arrays(), matrix)


def _of_trees(fitted: Fitted, booster: Any, matrix: np.ndarray) -> Contributions:
    """Compute the contributions of trees.

    LightGBM explains the score of the booster. The margins are that score, shifted and scaled: the margin of a forest
    is the mean of its trees, and the label of a regression is standardised. Shift and scale are computed from the rows
    with the least and the greatest score.
    """
    margins = fitted.margins(matrix)
    outputs = margins.shape[1]
    raw = np.asarray(booster.predict(matrix, pred_contrib=True, num_iteration=fitted.rounds, num_threads=1), np.float64)
    raw = raw.reshape(len(matrix), outputs, matrix.shape[1] + 1).transpose(0, 2, 1)
    values, base = raw[:, :-1], raw[0, -1].copy()
    scores = raw.sum(axis=1)
    for k in range(outputs):
        low, high = int(scores[:, k].argmin()), int(scores[:, k].argmax())
        width = scores[high, k] - scores[low, k]
        scale = (margins[high, k] - margins[low, k]) / width if width > 0 else 1.0
        values[:, :, k] *= scale
        base[k] = base[k] * scale + margins[low, k] - scores[low, k] * scale
    off = float(np.abs(values.sum(axis=1) + base - margins).max())
    if off > TOLERANCE * max(1.0, float(np.abs(margins).max())):
        raise ArithmeticError(f"LightGBM's contributions are {off:.2g} off the margins")
    return Contributions(values=values, base=base)


def _of_terms(arrays: Mapping[str, np.ndarray], matrix: np.ndarray) -> Contributions:
    """Compute the contributions of a linear model: each term minus its mean over these rows."""
    base = np.array(arrays["base"], np.float64)
    values = np.zeros((len(matrix), matrix.shape[1], len(base)))
    terms = zip(
        arrays.get("linear_feature", ()),
        arrays.get("linear_code", ()),
        arrays.get("linear_mean", ()),
        arrays.get("linear_scale", ()),
        arrays.get("linear_weight", ()),
        strict=True,
    )
    for feature, code, mean, scale, weights in terms:
        column = matrix[:, feature]
        if code == -1:
            term = np.where(np.isnan(column), 0.0, (column - mean) / scale)
        else:
            term = (np.isnan(column) if code == -2 else column == code).astype(np.float64)
        middle = term.mean()
        values[:, feature] += np.outer(term - middle, weights)
        base += middle * weights
    return Contributions(values=values, base=base)
