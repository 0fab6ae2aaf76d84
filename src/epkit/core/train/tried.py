"""What came of a run of the search."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from epkit.core.train.plan import Candidate

State = Literal["done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried:
    """A run that is over.

    Args:
        state: a failed run has no margins and no rounds.
        margins: float32, rows of the search × outputs, each row's by a model that did not see it; NaN where a row was
            in no validation fold (time order, holdout). None for a failed run.
        rounds: of boosting, the best of each fold; empty where there are none.
        median: of *rounds*: what a refit uses; None where there are none.
        cpu_s: of all folds together.
        note: what the user should know of a run that is done: `did not converge`.
        error: why it failed, one line.
    """

    candidate: Candidate
    state: State
    margins: np.ndarray | None
    rounds: tuple[int, ...] = ()
    median: int | None = None
    cpu_s: float = 0.0
    note: str | None = None
    error: str | None = None
