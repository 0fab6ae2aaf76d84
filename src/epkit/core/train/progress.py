"""The progress of a training, as the panel shows it."""

from dataclasses import dataclass

RunScore = tuple[int, str, float]
"""Number of a run, its family, and its out-of-fold value of the metric that chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A training that is running.

    Args:
        done: number of finished runs, including failed ones and those of an earlier call.
        total: number of runs to try.
        running: the runs that are being tried, such as `7 gbdt`, in their order.
        last: the run that finished last; None before the first. Failed runs have no score, and do not count.
        best: the best run so far; of equal ones the earliest.
        metric: name of the metric of the scores.
        elapsed_s: time since the start of the search; after it, its duration.
        left_s: estimated remaining time, at most the rest of the time limit; None if there is no estimate yet.
        failed: number of failed runs.
        phase: the step before the runs or after them; None while runs are tried.
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
