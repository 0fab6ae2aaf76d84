"""The result of one run of a search."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from epkit.core.train.plan import Candidate

State = Literal["done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried:
    """A run that has ended.

    Args:
        state: a failed run has no margins and no rounds.
        margins: float32, rows of the search × outputs. Each row is predicted by a model that was not trained on it; NaN
            if no fold judged the row (time order, holdout). None for a failed run.
        rounds: best number of boosting rounds in each fold; empty for a model without rounds.
        median: median of *rounds*, used for a refit; None for a model without rounds.
        cpu_s: CPU time of all folds together.
        note: a remark for the user about a run that succeeded, such as `did not converge`.
        error: one line: why it failed.
    """

    candidate: Candidate
    state: State
    margins: np.ndarray | None
    rounds: tuple[int, ...] = ()
    median: int | None = None
    cpu_s: float = 0.0
    note: str | None = None
    error: str | None = None
