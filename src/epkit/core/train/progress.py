"""How far a training is: what the panel draws."""

from dataclasses import dataclass

RunScore = tuple[int, str, float]
"""A run's number, its family, and the metric that chooses on its out-of-fold predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A training under way.

    Args:
        done: runs that are finished, the failed ones and those of an earlier call included.
        total: runs that are asked for.
        running: what is tried at the moment, `7 gbdt`, in the order of the runs.
        last: the run that was finished last, None before the first; failed runs have no score and are left out.
        best: the best run so far, the earliest of equals.
        metric: the name of the scores.
        elapsed_s: since the search began; afterwards, how long it took.
        left_s: how much longer it may take, None while nothing is known; at most the rest of the time limit.
        failed: how many runs failed.
        phase: what is done before the runs, or with them once they are over; None while they are tried.
    """

    done: int
    total: int
    running: tuple[str, ...]
    last: RunScore | None
    best: RunScore | None
    metric: str
    elapsed_s: float
    left_s: float | None
    failed: int
    phase: str | None = None
