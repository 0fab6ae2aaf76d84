"""Boosted trees that distinguish two samples; few and small trees are enough for a test."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

ROUNDS: Final = 40

_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 8,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.7,
    "max_bin": 63,
    "is_unbalance": True,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}


def scores(
    matrix: np.ndarray, is_new: np.ndarray, folds: np.ndarray, categories: Sequence[int], seed: int
) -> np.ndarray:
    """Return a score for each row: how new it looks to trees that were not trained on its fold. See `TellApart`."""
    import lightgbm  # late: it costs a second

    found = np.zeros(len(matrix))
    categorical = [place for place, codes in enumerate(categories) if codes]
    for fold in np.unique(folds).tolist():
        inside = folds == fold
        label = is_new[~inside]
        if label.all() or not label.any():
            continue
        rows = lightgbm.Dataset(
            matrix[~inside],
            label.astype(np.float64),
            categorical_feature=categorical,
            params={"max_bin": _PARAMETERS["max_bin"], "verbosity": -1},
            free_raw_data=True,
        )
        trees = lightgbm.train({**_PARAMETERS, "seed": seed + fold}, rows, num_boost_round=ROUNDS)
        found[inside] = trees.predict(matrix[inside], raw_score=True, num_threads=1)
    return found
